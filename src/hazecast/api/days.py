"""The days ahead at a station: highest and mean, worst and best hours, and the trend in words."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.air.indices import Answer, Index
from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.api import schemas
from hazecast.api.indexing import hour_index, level_of

STEADY_RATIO = 1.15
HOURS_OF_YESTERDAY, DAY_BEFORE = 18, timedelta(hours=24)


def days_ahead(
    issue: pl.DataFrame, before: pl.DataFrame, indexed: Mapping[datetime, Answer], *, index: Index, now: datetime
) -> list[schemas.Day]:
    """The local days from the running hour on.

    Args:
        issue: rows of `air.tables.Forecasts` of one station and issue, with `local`, valid_at in the station's zone.
        before: trusted observations of the 24 hours before the issue; the first day's trend is against them.
        indexed: the index by hour.
        index: which.
        now: earlier hours are past.
    """
    ahead = issue.filter(pl.col("valid_at") >= floor_hour(now)).with_columns(day=pl.col("local").dt.date())
    means = _means_before(before)
    days = []
    for (day,), rows in ahead.sort("valid_at").group_by("day", maintain_order=True):
        pollutants = [_pollutant_day(rows, pollutant, means) for pollutant in POLLUTANTS if _has(rows, pollutant)]
        means |= {one.pollutant: one.mean_ugm3 for one in pollutants}
        days.append(_day(day, rows, pollutants, {h: indexed[h] for h in rows["valid_at"].unique().sort()}, index))
    return days


def trend(mean_ugm3: float, before_ugm3: float | None) -> schemas.Trend | None:
    """How a day's mean stands to that of the day before: within 15 % is steady."""
    if before_ugm3 is None or before_ugm3 <= 0:
        return None
    ratio = mean_ugm3 / before_ugm3
    if ratio >= STEADY_RATIO:
        return "rising"
    return "falling" if ratio <= 1 / STEADY_RATIO else "steady"


def _day(
    day: Any, rows: pl.DataFrame, pollutants: list[schemas.PollutantDay], hours: dict[datetime, Answer], index: Index
) -> schemas.Day:
    told = {hour: (level_of(index, answer) or 0, answer.value or 0) for hour, answer in hours.items() if answer.band}
    worst = max(told, key=lambda hour: told[hour], default=None)
    best = min(told, key=lambda hour: told[hour], default=None)
    answer = hours[worst] if worst else next(iter(hours.values()))
    return schemas.Day(
        day=day,
        n_hours=rows["valid_at"].n_unique(),
        index=hour_index(index, answer),
        worst_at=worst,
        best_at=best,
        advice=answer.advice.everyone,
        advice_sensitive=answer.advice.sensitive,
        pollutants=pollutants,
    )


def _pollutant_day(rows: pl.DataFrame, pollutant: str, means: dict[str, float]) -> schemas.PollutantDay:
    mine = rows.filter(pl.col("pollutant") == pollutant)
    highest = mine.row(int(mine["q50"].arg_max() or 0), named=True)
    mean: float = mine.select(pl.col("mean").mean()).item()
    found = trend(mean, means.get(pollutant))
    return schemas.PollutantDay(
        pollutant=Pollutant(pollutant),
        mean_ugm3=mean,
        max_ugm3=highest["q50"],
        max_at=highest["valid_at"],
        max_q10_ugm3=highest["q10"],
        max_q90_ugm3=highest["q90"],
        **mine.select(pl.col(f"p_exceed_{key}").max() for key in LIMIT_KEYS).row(0, named=True),
        trend=found,
        words=_words(pollutant, found, mean, means.get(pollutant), at=highest["local"]),
    )


def _words(pollutant: str, found: schemas.Trend | None, mean: float, before: float | None, *, at: datetime) -> str:
    name, highest = Pollutant(pollutant).label, f"highest around {at:%H:%M}"
    if found == "rising" or found == "falling":
        verb = "rises" if found == "rising" else "falls"
        return f"{name} {verb} from {before:.0f} to {mean:.0f} µg/m³; {highest}"
    return f"{name} {'stays near' if found else 'is near'} {mean:.0f} µg/m³; {highest}"


def _means_before(before: pl.DataFrame) -> dict[str, float]:
    means = before.group_by("pollutant").agg(pl.col("concentration_ugm3").mean(), n=pl.len())
    enough = means.filter(pl.col("n") >= HOURS_OF_YESTERDAY)
    return {str(pollutant): mean for pollutant, mean in enough.select("pollutant", "concentration_ugm3").iter_rows()}


def _has(rows: pl.DataFrame, pollutant: str) -> bool:
    return pollutant in rows["pollutant"]
