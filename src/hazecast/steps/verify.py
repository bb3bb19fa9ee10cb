"""Verify: score every issued forecast as its observations arrive, and again when they are revised."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.tables import Background, Forecasts, Observations, ShadowForecasts, key_of
from hazecast.air.verdicts import ModelQuality, Verification
from hazecast.scoring import model_quality, tally
from hazecast.steps import Progress, silent
from hazecast.store import Store

# An observation is the truth of forecasts issued up to 3 days earlier and feeds naive forecasts up to 4 days later.
DAYS_BEFORE, DAYS_AFTER = 3, 4
_DAY = timedelta(days=1)
_SERIES = ("station_id", "pollutant", "issued_on")
_CHUNK_DAYS = 7


@dataclass(frozen=True)
class Verified:
    """What a verification did: groups (issue day × station × pollutant) looked at, and hours scored in them."""

    n_groups: int
    n_hours: int


def verify(store: Store, *, progress: Progress = silent) -> Verified:
    """Bring the verification up to date: score what was never scored and what new or revised observations touch.

    Forecasts of the champion and those of challengers in shadow are scored alike, by model version. Running it again
    changes nothing.

    Raises:
        StoreError: a table cannot be read or written.
    """
    ingested_at = store.newest(Observations, "ingested_at")
    due = _due(store)
    if ingested_at is None or due.is_empty():
        progress("nothing new to verify", 1.0)
        return Verified(0, 0)
    n_hours = 0
    for chunk in _chunks(due):
        progress(f"verifying {chunk.height:,} of {due.height:,} groups", 0.5)
        n_hours += _score(store, chunk, ingested_at)
    progress(f"{n_hours:,} hours scored in {due.height:,} groups", 1.0)
    return Verified(due.height, n_hours)


def _issued(store: Store, where: pl.Expr) -> pl.DataFrame:
    """Forecasts served and forecasts in shadow, with the day of issue."""
    both = pl.concat([store.read(Forecasts, where), store.read(ShadowForecasts, where)], how="diagonal")
    rows = both.unique([*key_of(Forecasts), "model_version"])
    return rows.with_columns(issued_on=pl.col("issued_at").dt.truncate("1d"))


def _due(store: Store) -> pl.DataFrame:
    """Issue days of series that have no score yet, or one older than an observation it depends on."""
    keys = [*_SERIES, "model_version"]
    issued = _issued(store, pl.col("lead_hours") == 1).select(keys).unique()
    scored = store.read(Verification).group_by(keys).agg(scored_with=pl.col("ingested_at").min())
    unscored = issued.join(scored, on=keys, how="anti")
    newest = scored["scored_with"].max()
    touched = (
        issued.clear() if not isinstance(newest, datetime) else _touched(store, issued.join(scored, on=keys), newest)
    )
    return pl.concat([unscored, touched.select(keys)]).select(_SERIES).unique().sort("issued_on")


def _touched(store: Store, scored: pl.DataFrame, since: datetime) -> pl.DataFrame:
    """Groups that an observation reaches which arrived after the newest one they were scored with."""
    day = pl.col("observed_at").dt.truncate("1d")
    arrived = store.read(Observations, pl.col("ingested_at") >= since)
    days = arrived.group_by("station_id", "pollutant", day=day).agg(pl.col("ingested_at").max())
    reach = pl.DataFrame({"shift": range(-DAYS_BEFORE, DAYS_AFTER + 1)}).select(
        pl.duration(days="shift").alias("shift")
    )
    reached = days.join(reach, how="cross").with_columns(issued_on=pl.col("day") + pl.col("shift"))
    newest = reached.group_by(_SERIES).agg(reached_at=pl.col("ingested_at").max())
    return scored.join(newest, on=_SERIES).filter(pl.col("reached_at") > pl.col("scored_with"))


def _chunks(due: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Neighbouring issue days together, few enough to fit in memory."""
    weeks = due.with_columns(week=pl.col("issued_on").dt.epoch("d") // _CHUNK_DAYS)
    for _, rows in weeks.group_by("week", maintain_order=True):
        yield rows.drop("week")


def _score(store: Store, due: pl.DataFrame, ingested_at: datetime) -> int:
    first, last = due["issued_on"][0], due["issued_on"][-1]
    issued = _issued(store, pl.col("issued_at").is_between(first, last + _DAY, closed="left"))
    forecasts = issued.join(due, on=_SERIES, how="semi").drop("issued_on")
    since, until = first - (DAYS_AFTER + 1) * _DAY, last + (DAYS_BEFORE + 1) * _DAY
    observations = store.read(Observations, pl.col("observed_at").is_between(since, until))
    background = store.read(Background, pl.col("valid_at").is_between(since, until))
    stamp = pl.lit(ingested_at).cast(pl.Datetime("us", "UTC")).alias("ingested_at")
    tallies = tally(forecasts, observations, background=background).with_columns(stamp)
    store.upsert(Verification, tallies.select(Verification.create_empty().columns))
    quality = model_quality(forecasts, observations).with_columns(stamp)
    store.upsert(ModelQuality, quality.select(ModelQuality.create_empty().columns))
    return int(tallies["n"].sum())
