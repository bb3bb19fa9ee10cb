"""What a bulletin states, from the stored tables: the next day, exceedances, drivers, and yesterday's result."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import dataframely as dy
import polars as pl

from hazecast.air.clock import hours_between
from hazecast.air.limits import LIMIT_KEYS, day_limits
from hazecast.air.spec import STALE_AFTER_HOURS
from hazecast.air.status import served_status
from hazecast.air.tables import STATION, DayForecasts, Drivers, Forecasts, Observations, Stations, newest
from hazecast.errors import NotKnown, TooLittleHistory
from hazecast.monitoring import DayExceedance, Rules, day_exceedances
from hazecast.scoring.days import observed_days
from hazecast.steps.alert import days_ahead

SIMULATED = "simulated"
# The lead-in of a day's running means, and a day of any zone.
_OBSERVED_SPAN = timedelta(hours=60)
# The whole archive is read only where nothing was issued since.
_RECENT = timedelta(days=3)


class Tables(Protocol):
    """The stored tables: the store, or what the API serves of it."""

    def read(self, table: type[dy.Schema], where: pl.Expr | None = None) -> pl.DataFrame:
        """Rows of `table` matching `where`; an empty frame if nothing was ever stored."""
        ...


@dataclass(frozen=True)
class Bulletin:
    """One bulletin.

    Attributes:
        place: name of the place.
        issued_at: of the forecast.
        now: when the bulletin was made.
        day: the local date that it is about.
        timezone: IANA name; the days are those of the stations, times are shown in the first station's zone.
        status: of the forecast as it is served: stale where it is too old.
        is_simulated: whether it was made from simulated observations.
        is_replayed: whether the clock replays the past.
        days: rows of `air.tables.DayForecasts` of `day` with a limit, with name, latitude and longitude; the scopes of
            the whole place are included.
        exceedances: of the rules for the public, likeliest first.
        drivers: pollutant, driver, effect_ugm3: mean over the stations and the hours of `day`.
        review: yesterday's forecast and result by pollutant and statistic: n stations, mean of the medians and of the
            observations [µg/m³], share inside the 80 % interval, and per limit the expected (sum of probabilities) and
            the observed number of stations above it.
        attributions: credits of the observations.
    """

    place: str
    issued_at: datetime
    now: datetime
    day: date
    timezone: str
    status: str
    is_simulated: bool
    is_replayed: bool
    days: pl.DataFrame
    exceedances: tuple[DayExceedance, ...]
    drivers: pl.DataFrame
    review: pl.DataFrame
    attributions: tuple[str, ...]


def make_bulletin(
    tables: Tables,
    rules: Rules,
    *,
    place: str,
    now: datetime,
    day: date | None = None,
    is_replayed: bool = False,
    stale_after_hours: float = STALE_AFTER_HOURS,
) -> Bulletin:
    """The bulletin of the newest forecast.

    Args:
        tables: with forecasts, observations and stations.
        rules: for the public; those of day statistics count.
        place: name of the place.
        now: UTC.
        day: local date; default: the day after `now`.
        is_replayed: whether `now` is in the past.
        stale_after_hours: an older forecast is stale [h].

    Raises:
        TooLittleHistory: nothing has been forecast yet.
        NotKnown: the forecast does not reach that day; the message lists the days.
    """
    issue = _newest_issue(tables, now)
    issued_at = newest(issue["issued_at"])
    if issued_at is None:
        raise TooLittleHistory("there is no forecast of days yet; run `hazecast forecast`")
    stations = tables.read(Stations)
    zone = stations["timezone"][0]
    today = now.astimezone(ZoneInfo(zone)).date()
    day = day or today + timedelta(days=1)
    if day not in issue["day"]:
        raise NotKnown("day", str(day), [str(known) for known in issue["day"].unique().sort()])
    upcoming = days_ahead(issue, stations, now)
    hours = tables.read(Forecasts, pl.col("issued_at") == issued_at)
    return Bulletin(
        place=place,
        issued_at=issued_at,
        now=now,
        day=day,
        timezone=zone,
        status=served_status(
            issue["status"], age_hours=hours_between(issued_at, now), stale_after_hours=stale_after_hours
        ),
        is_simulated=hours["source"].eq(SIMULATED).any(),
        is_replayed=is_replayed,
        days=_with_limit(issue.filter(pl.col("day") == day))
        .join(stations.select("station_id", "name", "latitude", "longitude"), on="station_id", how="left")
        .sort("pollutant", "statistic", "station_id"),
        exceedances=_exceedances(rules, upcoming, stations),
        drivers=_drivers(tables, issued_at, day, zone),
        review=_review(tables, stations, today - timedelta(days=1)),
        attributions=tuple(stations["attribution"].unique().sort()),
    )


def _newest_issue(tables: Tables, now: datetime) -> pl.DataFrame:
    """The rows of the newest issue; none if nothing was issued."""
    is_issued = pl.col("issued_at") <= now
    recent = tables.read(DayForecasts, is_issued & (pl.col("issued_at") > now - _RECENT))
    rows = tables.read(DayForecasts, is_issued) if recent.is_empty() else recent
    return rows.filter(pl.col("issued_at") == pl.col("issued_at").max())


def _with_limit(days: pl.DataFrame) -> pl.DataFrame:
    """The statistics that a limit is written for."""
    return days.join(day_limits(), on=["pollutant", "statistic"], how="semi")


def _exceedances(rules: Rules, upcoming: pl.DataFrame, stations: pl.DataFrame) -> tuple[DayExceedance, ...]:
    found = [
        one
        for rule in rules.public
        if rule.is_of_day_statistic
        for one in day_exceedances(rule, upcoming, stations)
        if one.until is not None
    ]
    return tuple(sorted(found, key=lambda one: (-one.probability, one.station, one.pollutant)))


def _drivers(tables: Tables, issued_at: datetime, day: date, zone: str) -> pl.DataFrame:
    rows = tables.read(Drivers, pl.col("issued_at") == issued_at)
    local = rows.filter(pl.col("valid_at").dt.convert_time_zone(zone).dt.date() == day)
    return local.group_by("pollutant", "driver").agg(pl.col("effect_ugm3").mean()).sort("pollutant", "driver")


def _review(tables: Tables, stations: pl.DataFrame, day: date) -> pl.DataFrame:
    """The forecast of `day` that was issued on the day before, newest issue, against what was observed."""
    made = tables.read(DayForecasts, (pl.col("day") == day) & (pl.col("day_ahead") == 1))
    made = _with_limit(made.filter(pl.col("scope") == STATION))
    made = made.filter(pl.col("issued_at") == pl.col("issued_at").max())
    since = datetime.combine(day, datetime.min.time(), ZoneInfo("UTC")) - _OBSERVED_SPAN / 2
    window = pl.col("observed_at").is_between(since, since + 2 * _OBSERVED_SPAN, closed="left")
    truth = observed_days(
        tables.read(Observations, window), dict(stations.select("station_id", "timezone").iter_rows())
    )
    pairs = made.join(truth, on=["station_id", "pollutant", "day", "statistic"]).join(
        day_limits(), on=["pollutant", "statistic"], how="left"
    )
    counts = [
        part
        for key in LIMIT_KEYS
        for part in (
            pl.when(pl.col(key).count() > 0).then(pl.col(f"p_exceed_{key}").sum()).alias(f"expected_{key}"),
            pl.when(pl.col(key).count() > 0)
            .then((pl.col("observed_ugm3") > pl.col(key)).sum())
            .alias(f"observed_{key}"),
        )
    ]
    result = pairs.group_by("pollutant", "statistic").agg(
        pl.len().alias("n"),
        pl.col("q50").mean().alias("forecast_ugm3"),
        pl.col("observed_ugm3").mean(),
        pl.col("observed_ugm3").is_between("q10", "q90").mean().alias("inside_80"),
        *counts,
    )
    return result.sort("pollutant", "statistic")
