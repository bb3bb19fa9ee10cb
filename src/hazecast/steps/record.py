"""Records each run of a step in the table `runs`, including failures."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import polars as pl
import structlog

from hazecast.air.tables import Runs
from hazecast.errors import HazecastError
from hazecast.store import Store

log = structlog.get_logger()


class Notes:
    """The summary of a step, set by its body: one line for people."""

    summary = ""


@contextmanager
def recorded(step: str, store: Store, *, as_of: datetime) -> Iterator[Notes]:
    """Record the step run in the body; an error is recorded and raised again.

    Args:
        step: its name.
        store: where the row goes.
        as_of: the time the step acted at (the replayed clock, if one is set).
    """
    started_at, notes = datetime.now(UTC), Notes()  # noqa: TID251 - how long the step really takes
    try:
        yield notes
    except Exception as err:
        summary = str(err) if isinstance(err, HazecastError) else f"{type(err).__name__}: {err}"
        _write(store, step, started_at, as_of, outcome="failed", summary=summary)
        raise
    _write(store, step, started_at, as_of, outcome="ok", summary=notes.summary)


def _write(store: Store, step: str, started_at: datetime, as_of: datetime, *, outcome: str, summary: str) -> None:
    finished_at = datetime.now(UTC)  # noqa: TID251 - how long the step really takes
    row = {
        "run_id": uuid4().hex,
        "step": step,
        "started_at": started_at,
        "finished_at": finished_at,
        "as_of": as_of,
        "outcome": outcome,
        "summary": summary,
    }
    log.info(step, outcome=outcome, seconds=round((finished_at - started_at).total_seconds(), 1), summary=summary)
    try:
        store.append(Runs, pl.DataFrame([row], schema=Runs.create_empty().schema))
    except HazecastError as err:
        # A failure to record must not replace the error of the step.
        log.warning("the run could not be recorded", reason=str(err))
