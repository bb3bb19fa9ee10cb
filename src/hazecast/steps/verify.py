"""Verify: score every issued forecast as its observations arrive, and again when they are revised."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from hazecast.air.spec import DAY_HOURS, LEAD_BLOCKS, MAX_HORIZON_HOURS, block_name
from hazecast.air.tables import Background, Forecasts, Observations, ShadowForecasts, key_of
from hazecast.air.verdicts import ModelQuality, Verification
from hazecast.scoring import model_quality, tally
from hazecast.steps import Progress, silent
from hazecast.store import Store

# An observation is part of the naive forecasts of issues up to 4 days later.
DAYS_AFTER = 4
_MAX_LEAD_DAYS = MAX_HORIZON_HOURS // DAY_HOURS
_LEAD_DAYS = {block_name(block): -(-block[1] // DAY_HOURS) for block in LEAD_BLOCKS}
_DAY = timedelta(days=1)
_SERIES = ("station_id", "pollutant", "issued_on")
_CHUNK_DAYS = 7
_LOOK_BACK, _EVER = timedelta(days=35), datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class VerificationResult:
    """Groups (issue day × station × pollutant) that were scored, and the hours scored in them."""

    n_groups: int
    n_hours: int


def verify(store: Store, *, progress: Progress = silent) -> VerificationResult:
    """Score issued forecasts that have no score yet, and those affected by new or revised observations.

    Forecasts of the champion and of shadow challengers are scored in the same way, by model version. Running it again
    changes nothing.

    Raises:
        StoreError: a table cannot be read or written.
    """
    ingested_at = store.newest(Observations, "ingested_at")
    due = _due(store)
    if ingested_at is None or due.is_empty():
        progress("nothing new to verify", 1.0)
        return VerificationResult(0, 0)
    n_hours = 0
    for chunk in _chunks(due):
        progress(f"verifying {chunk.height:,} of {due.height:,} groups", 0.5)
        n_hours += _score(store, chunk, ingested_at)
    progress(f"{n_hours:,} hours scored in {due.height:,} groups", 1.0)
    return VerificationResult(due.height, n_hours)


def _issued(store: Store, where: pl.Expr) -> pl.DataFrame:
    """Forecasts of the champion and of shadow challengers, with the day of issue."""
    both = pl.concat([store.read(Forecasts, where), store.read(ShadowForecasts, where)], how="diagonal")
    rows = both.unique([*key_of(Forecasts), "model_version"])
    return rows.with_columns(issued_on=pl.col("issued_at").dt.truncate("1d"))


def _due(store: Store) -> pl.DataFrame:
    """Issue days of series that have no score yet, or a score older than an observation it depends on."""
    keys = [*_SERIES, "model_version"]
    arrived, since = _arrived(store)
    issued = _issued(store, (pl.col("lead_hours") == 1) & (pl.col("issued_at") >= since)).select(keys).unique()
    lead_days = pl.col("lead_block").replace_strict(_LEAD_DAYS, return_dtype=pl.Int64)
    rows = store.read(Verification, pl.col("issued_on") >= since)
    scored = rows.group_by(keys).agg(pl.col("ingested_at").min(), lead_days=lead_days.max())
    unscored = issued.join(scored, on=keys, how="anti")
    outdated = _outdated(issued.join(scored, on=keys), arrived)
    return pl.concat([unscored, outdated.select(keys)]).select(_SERIES).unique().sort("issued_on")


def _arrived(store: Store) -> tuple[pl.DataFrame, datetime]:
    """Days with observations ingested since the newest score, and the first issue day to look at.

    That is the first one that depends on them, and at least 35 days before the newest scored one: nothing older is
    unscored, unless it was issued for the past. Without any score it is the first of all.
    """
    newest, last_scored = (store.newest(Verification, column) for column in ("ingested_at", "issued_on"))
    if newest is None or last_scored is None:
        return _days_of(Observations.create_empty()), _EVER
    days = _days_of(store.read(Observations, pl.col("ingested_at") >= newest))
    first = days["day"].min()
    since = last_scored - _LOOK_BACK
    return days, min(since, first - _MAX_LEAD_DAYS * _DAY) if isinstance(first, datetime) else since


def _days_of(observations: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("observed_at").dt.truncate("1d")
    return observations.group_by("station_id", "pollutant", day=day).agg(arrived_at=pl.col("ingested_at").max())


def _outdated(scored: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Groups that depend on an observation which was ingested after the newest one in their score.

    An observation is the truth of issues up to their horizon earlier.
    """
    shifts = pl.DataFrame({"shift_days": range(-_MAX_LEAD_DAYS, DAYS_AFTER + 1)})
    affected = days.join(shifts, how="cross").with_columns(issued_on=pl.col("day") + pl.duration(days="shift_days"))
    is_within_horizon = pl.col("shift_days") >= -pl.col("lead_days")
    is_newer = pl.col("arrived_at") > pl.col("ingested_at")
    return scored.join(affected, on=_SERIES).filter(is_within_horizon, is_newer)


def _chunks(due: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Weeks of issue days, so that each fits in memory."""
    weeks = due.with_columns(week=pl.col("issued_on").dt.epoch("d") // _CHUNK_DAYS)
    for _, rows in weeks.group_by("week", maintain_order=True):
        yield rows.drop("week")


def _score(store: Store, due: pl.DataFrame, ingested_at: datetime) -> int:
    first, last = due["issued_on"][0], due["issued_on"][-1]
    issued = _issued(store, pl.col("issued_at").is_between(first, last + _DAY, closed="left"))
    forecasts = issued.join(due, on=_SERIES, how="semi").drop("issued_on")
    since, until = first - (DAYS_AFTER + 1) * _DAY, last + (_MAX_LEAD_DAYS + 1) * _DAY
    observations = store.read(Observations, pl.col("observed_at").is_between(since, until))
    background = store.read(Background, pl.col("valid_at").is_between(since, until))
    stamp = pl.lit(ingested_at).cast(pl.Datetime("us", "UTC")).alias("ingested_at")
    tallies = tally(forecasts, observations, background=background).with_columns(stamp)
    store.upsert(Verification, tallies.select(Verification.create_empty().columns))
    quality = model_quality(forecasts, observations).with_columns(stamp)
    store.upsert(ModelQuality, quality.select(ModelQuality.create_empty().columns))
    return int(tallies["n"].sum())
