"""Averages defined by regulations: running means, local days, the daily maximum 8-hour mean.

Frames hold one row per (station_id, pollutant, observed_at) with `concentration_ugm3`; missing hours are absent rows.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hazecast.air.clock import HOUR
from hazecast.errors import ContractError

Hours = NDArray[np.float64]
Window = Callable[[Hours], float | None]

KEY = ["station_id", "pollutant"]
LEGAL_SHARE = 0.75
# Statistics of a local day: the mean, the highest hour, the highest 8-hour mean that ends in it.
MEAN_24H, MAX_1H, MDA8 = "mean_24h", "max_1h", "mda8"
DAY_STATISTICS: tuple[str, ...] = (MEAN_24H, MAX_1H, MDA8)


def mean_of(hours: int, *, needs: int) -> Window:
    """The mean of the newest `hours` of a series (oldest first, NaN missing), None with fewer than `needs` of them."""

    def mean(series: Hours) -> float | None:
        newest = series[-hours:]
        present = newest[~np.isnan(newest)]
        return float(present.mean()) if present.size >= needs else None

    return mean


def running_means(hourly: pl.DataFrame, *, hours: int, needs: int) -> pl.DataFrame:
    """Means over the last `hours` hours, each named by the start of its last hour.

    Args:
        hourly: see the module.
        hours: length of the window [h].
        needs: hours that must be present: 6 of 8 and 18 of 24 by Directive (EU) 2024/2881, 16 of 24 in India.

    Returns:
        station_id, pollutant, observed_at, mean_ugm3; windows short of data are absent.

    Raises:
        ContractError: an hour repeats or does not start on the hour.
    """
    columns = [*KEY, "observed_at", "mean_ugm3"]
    if hourly.is_empty():
        return hourly.rename({"concentration_ugm3": "mean_ugm3"}).select(columns)
    _require_hours(hourly)
    grid = hourly.sort("observed_at").upsample("observed_at", every="1h", group_by=KEY)
    mean = pl.col("concentration_ugm3").rolling_mean(hours, min_samples=needs).over(KEY)
    filled = grid.with_columns(pl.col(KEY).forward_fill()).with_columns(mean_ugm3=mean)
    return filled.select(columns).drop_nulls("mean_ugm3").sort(*KEY, "observed_at")


def daily_means(hourly: pl.DataFrame, timezone: str, *, needs_share: float = LEGAL_SHARE) -> pl.DataFrame:
    """Means of local calendar days; a day of 23 or 25 hours (clock change) needs its own share of them.

    Args:
        hourly: see the module.
        timezone: IANA name of the station's zone.
        needs_share: share of the day's hours that must be present (0.75; India 16 of 24).

    Returns:
        station_id, pollutant, day, mean_ugm3; days short of data are absent.
    """
    return _by_day(hourly, timezone, needs_share, pl.col("concentration_ugm3").mean().alias("mean_ugm3"))


def daily_max_8h_means(hourly: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Highest 8-hour running mean of each local day: the EU health measure for ozone (MDA8).

    A running mean needs 6 of its 8 hours, a day 75 % of its means (18 of 24); each mean belongs to the day on which it
    ends, so a day's first runs from 17:00 of the day before to 01:00.

    Returns:
        station_id, pollutant, day, max_8h_ugm3; days short of data are absent.

    Source: Directive 2008/50/EC Annex XI, kept by (EU) 2024/2881; vectors of pyaerocom's tests/stats/mda8.
    """
    means = running_means(hourly, hours=8, needs=6)
    return _by_day(means, timezone, LEGAL_SHARE, pl.col("mean_ugm3").max().alias("max_8h_ugm3"))


def hours_in_day(day: date, zone: ZoneInfo) -> int:
    """Hours of a local calendar day: 23, 24 or 25."""
    starts = [datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1))]
    return round((starts[1] - starts[0]) / HOUR)


def _by_day(rows: pl.DataFrame, timezone: str, needs_share: float, statistic: pl.Expr) -> pl.DataFrame:
    zone = ZoneInfo(timezone)
    local = pl.col("observed_at").dt.convert_time_zone(timezone).dt.date()
    days = rows.group_by(*KEY, local.alias("day")).agg(statistic, present=pl.len())
    needed = {day: ceil(needs_share * hours_in_day(day, zone)) for day in days["day"].unique()}
    enough = pl.col("present") >= pl.col("day").replace_strict(needed, return_dtype=pl.Int64)
    return days.filter(enough).drop("present").sort(*KEY, "day")


def _require_hours(hourly: pl.DataFrame) -> None:
    if hourly.select(*KEY, "observed_at").is_duplicated().any():
        raise ContractError("an hour of a station and pollutant repeats; keep its newest row before averaging")
    if (hourly["observed_at"].dt.truncate("1h") != hourly["observed_at"]).any():
        raise ContractError("observed_at must be the start of an hour")
