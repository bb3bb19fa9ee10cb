"""The drive through time: every run that the schedules would have started, in order, as fast as the machine can."""

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
    """Parts whose source is a replayed world."""

    world: ReplayedWorld

    @cached_property
    def source(self) -> Source:
        """The replayed world."""
        return self.world


@dataclass(frozen=True)
class Missed:
    """A run that ended with an error: what it was, when, and why."""

    run: str
    at: datetime
    reason: str


@dataclass
class Drive:
    """What was driven through.

    Attributes:
        since: start, the hour of the first training and forecast.
        until: end, exclusive.
        missed: runs that ended with an error.
        fingerprints: of each issued forecast, at the time it was issued.
    """

    since: datetime
    until: datetime
    missed: list[Missed] = field(default_factory=list)
    fingerprints: dict[datetime, int] = field(default_factory=dict)


def drive(parts: ReplayWiring, *, since: datetime, until: datetime, progress: Progress = silent) -> Drive:
    """Run everything that falls due in [since, until), each run acting at its own moment.

    Each run executes the sequence of `hazecast.pipeline` that the Prefect flow and `hazecast run` execute. It begins
    with the full sequence. A failed run is recorded and the next one follows, as on a worker.

    Raises:
        HazecastError: the first training or forecast fails; then there is nothing to drive.
    """
    found = Drive(floor_hour(since), floor_hour(until))
    _run("full", parts, found.since)
    found.fingerprints[found.since] = fingerprint(parts, found.since)
    for at, run in timetable(found.since + HOUR, found.until):
        progress(f"{at:%Y-%m-%d %H:%M} {run}", (at - found.since) / (found.until - found.since))
        try:
            _run(run, parts, at)
        except HazecastError as err:
            found.missed.append(Missed(run, at, str(err)))
        else:
            if run in FORECASTING:
                found.fingerprints[at] = fingerprint(parts, at)
    progress(f"{found.until:%Y-%m-%d %H:%M} reached", 1.0)
    return found


def timetable(since: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
    """Every run due in [since, until), by UTC."""
    at = since
    while at < until:
        yield from ((at, run) for run, times in SCHEDULES.items() if times.is_due(at))
        at += timedelta(hours=1)


def fingerprint(parts: Wiring, issued_at: datetime) -> int:
    """A number that changes when any value of the forecast issued then changes."""
    rows = parts.store.read(Forecasts, pl.col("issued_at") == issued_at)
    return int(rows.sort("station_id", "pollutant", "valid_at").hash_rows(seed=0).sum()) if rows.height else 0


def _run(run: str, parts: ReplayWiring, at: datetime) -> None:
    parts.world.now = at
    Runner(Pipeline(parts, now=at)).run(SEQUENCES[run])
