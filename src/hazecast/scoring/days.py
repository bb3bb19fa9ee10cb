"""Statistics of local days that limits are written for: the mean, the highest hour, the highest 8-hour mean (MDA8).

The rules are those of `air.averages`: hours belong to the local day in which they start, a running mean to the day in
which its last hour lies; a running mean needs 6 of its 8 hours, a statistic 75 % of the day's hours or means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from hazecast.air.arrays import Floats, Ints
from hazecast.air.averages import DAY_STATISTICS, LEGAL_SHARE, MAX_1H, MDA8, MEAN_24H, hours_in_day
from hazecast.air.clock import HOUR

WINDOW_HOURS, WINDOW_NEEDS = 8, 6
# Hours before the first day that its first 8-hour mean includes.
LEAD_IN_HOURS = WINDOW_HOURS - 1

_NO_DAYS = pl.DataFrame(
    schema={
        "station_id": pl.String,
        "pollutant": pl.String,
        "day": pl.Date,
        "statistic": pl.String,
        "observed_ugm3": pl.Float64,
    }
)


@dataclass(frozen=True)
class LocalDays:
    """Whole local days within consecutive hours.

    Attributes:
        days: calendar dates, in order.
        first: (day,) position of each day's first hour.
        n_hours: (day,) hours of the day: 23, 24 or 25.
    """

    days: tuple[date, ...]
    first: Ints
    n_hours: Ints

    def __len__(self) -> int:
        return len(self.days)


def local_days(since: datetime, until: datetime, timezone: str) -> LocalDays:
    """The local days that lie wholly in [since, until), both UTC; positions count hours from `since`."""
    hours = pl.datetime_range(since, until, "1h", closed="left", time_zone="UTC", eager=True)
    of_hour = pl.DataFrame({"day": hours.dt.convert_time_zone(timezone).dt.date()}).with_row_index("first")
    found = of_hour.group_by("day", maintain_order=True).agg(pl.col("first").first(), n=pl.len())
    zone = ZoneInfo(timezone)
    # Only the outermost days may be cut off.
    whole = [
        0 < k < found.height - 1 or n == hours_in_day(day, zone) for k, (day, _, n) in enumerate(found.iter_rows())
    ]
    found = found.filter(pl.Series(whole, dtype=pl.Boolean))
    return LocalDays(tuple(found["day"]), *(found[name].cast(pl.Int64).to_numpy() for name in ("first", "n")))


def day_statistics(hours_ugm3: Floats, days: LocalDays) -> dict[str, Floats]:
    """Each of DAY_STATISTICS by day.

    Args:
        hours_ugm3: (…, hour) consecutive hourly means, NaN where missing; start LEAD_IN_HOURS before the first day for
            a complete MDA8.
        days: positions within them.

    Returns:
        (…, day) [µg/m³]; NaN where the day is short of data.
    """
    windows = running_means(hours_ugm3)
    found = {name: np.full((*hours_ugm3.shape[:-1], len(days)), np.nan) for name in DAY_STATISTICS}
    for d, (first, n) in enumerate(zip(days.first, days.n_hours, strict=True)):
        mine = slice(first, first + n)
        for name, value in window_statistics(hours_ugm3[..., mine], windows[..., mine]).items():
            found[name][..., d] = value
    return found


def window_statistics(hours_ugm3: Floats, running_means_ugm3: Floats) -> dict[str, Floats]:
    """Each of DAY_STATISTICS over all given hours: (…,), NaN where fewer than 75 % of the hours or means are known."""
    needed = ceil(LEGAL_SHARE * hours_ugm3.shape[-1])
    known = _count(hours_ugm3)
    mean = np.nansum(hours_ugm3, axis=-1) / np.maximum(known, 1)
    return {
        MEAN_24H: np.where(known >= needed, mean, np.nan),
        MAX_1H: np.where(known >= needed, np.fmax.reduce(hours_ugm3, axis=-1), np.nan),
        MDA8: np.where(_count(running_means_ugm3) >= needed, np.fmax.reduce(running_means_ugm3, axis=-1), np.nan),
    }


def running_means(hours_ugm3: Floats) -> Floats:
    """Means over the last 8 hours, named by the last; NaN with fewer than 6 of them, or than the record has."""
    known = ~np.isnan(hours_ugm3)
    n = np.cumsum(known, axis=-1)
    total = np.cumsum(np.where(known, hours_ugm3, 0), axis=-1)
    for running in (n, total):
        running[..., WINDOW_HOURS:] -= running[..., :-WINDOW_HOURS].copy()
    return np.asarray(np.where(n >= WINDOW_NEEDS, total / np.maximum(n, 1), np.nan))


def observed_days(observations: pl.DataFrame, timezones: Mapping[str, str]) -> pl.DataFrame:
    """The statistics of observed local days.

    Args:
        observations: `air.tables.Observations`; only rows flagged ok count.
        timezones: IANA name by station id.

    Returns:
        station_id, pollutant, day, statistic, observed_ugm3; days short of data are absent.
    """
    series = ["station_id", "pollutant"]
    valid = observations.filter(pl.col("flag") == "ok", pl.col("station_id").is_in(list(timezones)))
    frames = [_NO_DAYS]
    for (station_id, pollutant), rows in valid.select(*series, "observed_at", "concentration_ugm3").group_by(series):
        since, hours = _dense(rows)
        found = days_of_series(hours, since, timezones[str(station_id)])
        frames.append(
            found.select(pl.lit(station_id).alias("station_id"), pl.lit(pollutant).alias("pollutant"), pl.all())
        )
    return pl.concat(frames).sort(*series, "day", "statistic")


def days_of_series(hours_ugm3: Floats, since: datetime, timezone: str) -> pl.DataFrame:
    """The statistics of the whole local days of one series (hour,) from `since` on: day, statistic, observed_ugm3."""
    days = local_days(since, since + len(hours_ugm3) * HOUR, timezone)
    frames = [
        pl.DataFrame({"day": pl.Series(days.days, dtype=pl.Date), "observed_ugm3": values}).select(
            "day", pl.lit(name).alias("statistic"), "observed_ugm3"
        )
        for name, values in day_statistics(hours_ugm3, days).items()
    ]
    return pl.concat(frames).filter(pl.col("observed_ugm3").is_not_nan())


def _dense(rows: pl.DataFrame) -> tuple[datetime, Floats]:
    """Hourly values from two days before the first to two days after the last, NaN where missing."""
    margin = timedelta(days=2)
    hours = rows["observed_at"].dt.epoch("s").to_numpy() // 3600
    since = rows["observed_at"].min()
    assert isinstance(since, datetime)
    values = np.full(int(hours.max() - hours.min()) + 1 + 2 * (margin // HOUR), np.nan)
    values[hours - hours.min() + margin // HOUR] = rows["concentration_ugm3"].to_numpy()
    return since - margin, values


def _count(values: Floats) -> Ints:
    return np.asarray((~np.isnan(values)).sum(axis=-1))
