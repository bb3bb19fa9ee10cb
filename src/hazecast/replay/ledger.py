"""The ledger of a replay: whether anything was lost, duplicated or altered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.tables import Forecasts, Observations, key_of
from hazecast.replay.drive import FORECASTING, Drive, ReplayWiring, fingerprint, timetable
from hazecast.schedule import PREDICTION

# Hours that the last collections may not have asked for again.
_SETTLED = timedelta(hours=72)
_KEY = ["station_id", "pollutant", "observed_at"]


@dataclass(frozen=True)
class Entry:
    """One thing that was checked, whether it holds, and the numbers."""

    what: str
    holds: bool
    numbers: str


def ledger(parts: ReplayWiring, driven: Drive) -> tuple[Entry, ...]:
    """Check the stored tables against what the source offered and what the schedules asked for."""
    return (*_observations(parts, driven), *_forecasts(parts, driven))


def _observations(parts: ReplayWiring, driven: Drive) -> Iterator[Entry]:
    stored = parts.store.read(Observations)
    first = stored["observed_at"].min()
    assert isinstance(first, datetime)
    offered = parts.world.truly_offered(since=first, until=driven.until - _SETTLED)
    offered = offered.unique(_KEY)
    lost = offered.join(stored, on=_KEY, how="anti").height
    yield Entry("no observation was lost", lost == 0, f"{lost} of {offered.height:,} offered hours are not stored")
    repeated = stored.height - stored.unique(_KEY).height
    yield Entry("no observation is stored twice", repeated == 0, f"{repeated} repeats in {stored.height:,} rows")
    both = offered.join(stored, on=_KEY, suffix="_stored")
    altered = both.filter((pl.col("concentration_ugm3") - pl.col("concentration_ugm3_stored")).abs() > 1e-9).height  # noqa: PLR2004
    yield Entry("no stored value differs from what was measured", altered == 0, f"{altered} of {both.height:,} differ")


def _forecasts(parts: ReplayWiring, driven: Drive) -> Iterator[Entry]:
    archive = parts.store.read(Forecasts)
    due = {driven.since, *(at for at, run in timetable(driven.since, driven.until) if run in FORECASTING)}
    issued = set(archive["issued_at"].unique())
    stopped = {missed.at for missed in driven.missed if missed.run in FORECASTING}
    silent = due - issued - stopped
    numbers = f"{len(due & issued)} of {len(due)} issued, {len(stopped)} stopped with a reason, {len(silent)} missing"
    yield Entry(f"every forecast due was issued or says why not (daily {PREDICTION.cron})", not silent, numbers)
    repeated = archive.height - archive.unique(key_of(Forecasts)).height
    yield Entry("no forecast is archived twice", repeated == 0, f"{repeated} repeats in {archive.height:,} rows")
    series = archive.group_by("station_id", "pollutant", "issued_at").len()
    horizon_hours = parts.spec.horizon_hours
    short = series.filter(pl.col("len") != horizon_hours).height
    yield Entry(f"every forecast has its {horizon_hours} hours", short == 0, f"{short} of {series.height:,} do not")
    altered = sum(fingerprint(parts, at) != before for at, before in driven.fingerprints.items())
    yield Entry("no issued forecast was altered later", altered == 0, f"{altered} of {len(driven.fingerprints)} differ")
