"""Integrity checks of a replay: whether stored rows were lost, duplicated or altered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.tables import Forecasts, Observations, key_of
from hazecast.replay.driver import FORECASTING, ReplayRun, ReplayWiring, fingerprint, timetable

# The last collections may not have requested these hours again.
_SETTLED = timedelta(hours=72)
_KEY = ["station_id", "pollutant", "observed_at"]


@dataclass(frozen=True)
class Check:
    """One check, whether it passed, and the counts."""

    name: str
    passed: bool
    numbers: str


def check_integrity(parts: ReplayWiring, replayed: ReplayRun) -> tuple[Check, ...]:
    """Compare the stored tables with the rows of the source and with the schedules."""
    return (*_observations(parts, replayed), *_forecasts(parts, replayed))


def _observations(parts: ReplayWiring, replayed: ReplayRun) -> Iterator[Check]:
    stored = parts.store.read(Observations)
    first = stored["observed_at"].min()
    assert isinstance(first, datetime)
    offered = parts.world.ground_truth(since=first, until=replayed.until - _SETTLED)
    offered = offered.unique(_KEY)
    lost = offered.join(stored, on=_KEY, how="anti").height
    yield Check("no observation was lost", lost == 0, f"{lost} of {offered.height:,} hours are not stored")
    repeated = stored.height - stored.unique(_KEY).height
    yield Check("no observation is stored twice", repeated == 0, f"{repeated} repeats in {stored.height:,} rows")
    both = offered.join(stored, on=_KEY, suffix="_stored")
    altered = both.filter((pl.col("concentration_ugm3") - pl.col("concentration_ugm3_stored")).abs() > 1e-9).height  # noqa: PLR2004
    yield Check("no stored value differs from what was measured", altered == 0, f"{altered} of {both.height:,} differ")


def _forecasts(parts: ReplayWiring, replayed: ReplayRun) -> Iterator[Check]:
    archive = parts.store.read(Forecasts)
    due = {replayed.since, *(at for at, run in timetable(replayed.since, replayed.until) if run in FORECASTING)}
    issued = set(archive["issued_at"].unique())
    failed = {run.at for run in replayed.failed if run.run in FORECASTING}
    missing = due - issued - failed
    numbers = f"{len(due & issued)} of {len(due)} issued, {len(failed)} failed with a reason, {len(missing)} missing"
    yield Check("every forecast due was issued or has a reason for its failure", not missing, numbers)
    repeated = archive.height - archive.unique(key_of(Forecasts)).height
    yield Check("no forecast is archived twice", repeated == 0, f"{repeated} repeats in {archive.height:,} rows")
    series = archive.group_by("station_id", "pollutant", "issued_at").len()
    horizon_hours = parts.spec.horizon_hours
    short = series.filter(pl.col("len") != horizon_hours).height
    yield Check(f"every forecast has its {horizon_hours} hours", short == 0, f"{short} of {series.height:,} do not")
    altered = sum(fingerprint(parts, at) != before for at, before in replayed.fingerprints.items())
    yield Check(
        "no issued forecast was altered later", altered == 0, f"{altered} of {len(replayed.fingerprints)} differ"
    )
