"""The training that is running, as a file in the home: an API with the same home shows its progress."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hazecast.air.clock import parse_utc
from hazecast.steps import Progress

# One line of progress can take minutes on a small machine; a file that is older is of a killed process.
ABANDONED_AFTER = timedelta(minutes=30)
_SECONDS_BETWEEN_WRITES = 1.0


@dataclass(frozen=True)
class Ongoing:
    """A step of a training: its name, what it does now, the share done 0…1, and when it started and last reported."""

    step: str
    line: str
    share: float
    started_at: datetime
    updated_at: datetime


@contextmanager
def published(step: str, home: Path, place: str, progress: Progress) -> Iterator[Progress]:
    """`progress` that is also written to the file of `place`; the file is removed at the end of the body."""
    path, started_at = _path(home, place), _now()
    written = -_SECONDS_BETWEEN_WRITES

    def report(line: str, share: float) -> None:
        nonlocal written
        progress(line, share)
        if time.monotonic() - written >= _SECONDS_BETWEEN_WRITES:
            written = time.monotonic()
            _write(path, Ongoing(step, line, share, started_at, _now()))

    report("", 0.0)
    try:
        yield report
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def read_ongoing(home: Path, place: str) -> Ongoing | None:
    """The training of `place` that is running; None if none is."""
    try:
        found = json.loads(_path(home, place).read_text(encoding="utf-8"))
        started_at, updated_at = (parse_utc(found.pop(name)) for name in ("started_at", "updated_at"))
        ongoing = Ongoing(**found, started_at=started_at, updated_at=updated_at)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return ongoing if _now() - ongoing.updated_at < ABANDONED_AFTER else None


def _write(path: Path, ongoing: Ongoing) -> None:
    """Replace the file at once; a home that cannot be written is no reason to stop a training."""
    times = {"started_at": ongoing.started_at.isoformat(), "updated_at": ongoing.updated_at.isoformat()}
    content = {"step": ongoing.step, "line": ongoing.line, "share": ongoing.share, **times}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(path)


def _path(home: Path, place: str) -> Path:
    return home / "progress" / f"training-{place}.json"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - how long the training really takes
