"""Runs every sequence that the schedules would have started, in order, each at its own moment of the past."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from hazecast import schedule
from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.tables import Forecasts
from hazecast.errors import HazecastError
from hazecast.pipeline import SEQUENCES, Pipeline, Runner
from hazecast.replay.world import ReplayedWorld
from hazecast.sources import Source
from hazecast.steps import Progress, silent
from hazecast.wiring import Wiring

# In the order in which they run when they are due in the same hour.
SCHEDULES = {
    "full": schedule.FULL,
    "training": schedule.TRAINING,
    "prediction": schedule.PREDICTION,
    "monitoring": schedule.MONITORING,
}
FORECASTING = ("full", "prediction")


@dataclass(frozen=True)
class ReplayWiring(Wiring):
    """Wiring with a replayed source."""

    world: ReplayedWorld

    @cached_property
    def source(self) -> Source:
        """The replayed world."""
        return self.world


@dataclass(frozen=True)
class FailedRun:
    """A run that ended with an error: its sequence, moment and reason."""

    run: str
    at: datetime
    reason: str


@dataclass
class ReplayRun:
    """A finished replay.

    Attributes:
        since: start, the hour of the first training and forecast.
        until: end, exclusive.
        failed: runs that ended with an error.
        fingerprints: of each issued forecast, at the time it was issued.
    """

    since: datetime
    until: datetime
    failed: list[FailedRun] = field(default_factory=list)
    fingerprints: dict[datetime, int] = field(default_factory=dict)


def drive(parts: ReplayWiring, *, since: datetime, until: datetime, progress: Progress = silent) -> ReplayRun:
    """Run everything that is due in [since, until), each run at its own moment.

    Each run executes the sequence of `hazecast.pipeline` that the Prefect flow and `hazecast run` execute. It begins
    with the full sequence. A failed run is recorded and the next one follows, as on a worker.

    Raises:
        HazecastError: the first run fails.
    """
    replayed = ReplayRun(floor_hour(since), floor_hour(until))
    _run("full", parts, replayed.since)
    replayed.fingerprints[replayed.since] = fingerprint(parts, replayed.since)
    for at, run in timetable(replayed.since + HOUR, replayed.until):
        progress(f"{at:%Y-%m-%d %H:%M} {run}", (at - replayed.since) / (replayed.until - replayed.since))
        try:
            _run(run, parts, at)
        except HazecastError as err:
            replayed.failed.append(FailedRun(run, at, str(err)))
        else:
            if run in FORECASTING:
                replayed.fingerprints[at] = fingerprint(parts, at)
    progress(f"{replayed.until:%Y-%m-%d %H:%M} reached", 1.0)
    return replayed


def timetable(since: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
    """Every run due in [since, until), in UTC."""
    at = since
    while at < until:
        yield from ((at, run) for run, times in SCHEDULES.items() if times.is_due(at))
        at += timedelta(hours=1)


def fingerprint(parts: Wiring, issued_at: datetime) -> int:
    """Hash of the forecast issued then: it changes when any value does."""
    rows = parts.store.read(Forecasts, pl.col("issued_at") == issued_at)
    return int(rows.sort("station_id", "pollutant", "valid_at").hash_rows(seed=0).sum()) if rows.height else 0


def _run(run: str, parts: ReplayWiring, at: datetime) -> None:
    parts.world.now = at
    Runner(Pipeline(parts, now=at)).run(SEQUENCES[run])
