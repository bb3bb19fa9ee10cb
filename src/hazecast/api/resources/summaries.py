"""Summaries of the days ahead: index, worst and best hours, advice, highs, and the trend in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

import numpy as np
import polars as pl
from fastapi import APIRouter, Query

from hazecast.air.arrays import Floats
from hazecast.air.clock import HOUR, floor_hour, hours_between
from hazecast.air.indices import Index, IndexResult, find_index
from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.status import served_status
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, ApiContext, Context, IndexQuery, PagingQuery
from hazecast.api.errors import problem_responses
from hazecast.api.repository import SIMULATED, IssuedForecasts, Repository, depends_on
from hazecast.api.resources.forecasts import forecast_pollutant
from hazecast.api.resources.indices import band_level, index_by_hour, index_name, render_index
from hazecast.api.resources.stations import (
    RequestedStation,
    StationFilterQuery,
    StationLimit,
    list_stations,
    select_stations,
)

# A day's mean within 15 % of the day before is steady; hours as close to each other are alike.
STEADY_RATIO = 1.15
# Worst and best hours are named as windows of this length: to the hour no forecast is certain.
WINDOW_OF_HOURS = 3
# Three quarters of a day: fewer hours do not make a daily mean.
MIN_HOURS_OF_DAY, DAY_BEFORE = 18, timedelta(hours=24)

router = APIRouter(prefix=PREFIX, tags=["forecasts"])


@router.get("/summaries", responses=problem_responses(404, 422, 503))
def summaries(
    context: Context,
    where: StationFilterQuery,
    paging: PagingQuery,
    limit: StationLimit = 100,
    index: Annotated[str | None, Query(description="A name from /api/v1/indices; default: the place's own")] = None,
) -> schemas.Summaries:
    """The days ahead at many stations: index, worst and best hours, advice, day means and highs, trend in words."""
    issued = context.repository.newest_forecasts()
    stations = [one for one in list_stations(context.repository) if one.station_id in issued.pollutants]
    stations, next_cursor, total = select_stations(stations, where, limit=limit)
    paging.headers(total, cursor=next_cursor)
    found = [summarize_station(context, station, index) for station in stations]
    return schemas.Summaries(simulated=any(one.simulated for one in found), summaries=found, next_cursor=next_cursor)


@router.get("/stations/{station_id:path}/summary", responses=problem_responses(404, 422, 503))
def summary(context: Context, station: RequestedStation, index: IndexQuery = None) -> schemas.Summary:
    """The days ahead at one station: index, worst and best hours, advice, day means and highs, trend in words."""
    forecast_pollutant(context, station)  # raises NoData without a forecast
    return summarize_station(context, station, index)


def summarize_station(context: ApiContext, station: schemas.Station, requested_index: str | None) -> schemas.Summary:
    """The days ahead at a station that has a forecast, by the requested index or the place's own.

    Raises:
        NotKnown: there is no such index.
    """
    index = find_index(requested_index or context.index)
    now, issued = context.clock(), context.repository.newest_forecasts()
    issue = issued.station(station.station_id).with_columns(
        local=pl.col("valid_at").dt.convert_time_zone(station.timezone)
    )
    issued_at = issue["issued_at"][0]
    before = means_before(context.repository, issued, station.station_id)
    values = index_by_hour(context.repository, issued, station.station_id, index)
    age_hours = hours_between(issued_at, now)
    status = served_status(issue["status"], age_hours=age_hours, stale_after_hours=context.stale_after_hours)
    depends_on(status, floor_hour(now))
    return schemas.Summary(
        **station.model_dump(include={"station_id", "name", "latitude", "longitude", "timezone", "attribution"}),
        distance_km=station.distance_km,
        issued_at=issued_at,
        now=now,
        status=status,
        simulated=issue["source"][0] == SIMULATED,
        index=index_name(index),
        days=days_ahead(issue, before, values, index=index, now=now),
    )


def means_before(repository: Repository, forecasts: IssuedForecasts, station_id: str) -> Mapping[str, float]:
    """Means of the 24 hours before a station's newest issue by pollutant [µg/m³]; read once for each issue."""
    if station_id not in forecasts.means_before:
        issued_at = forecasts.station(station_id)["issued_at"][0]
        observed = repository.ok_observations(station_id, since=issued_at - DAY_BEFORE, until=issued_at)
        forecasts.means_before[station_id] = _daily_means(observed)
    return forecasts.means_before[station_id]


def days_ahead(
    issue: pl.DataFrame,
    before: Mapping[str, float],
    values: Mapping[datetime, IndexResult],
    *,
    index: Index,
    now: datetime,
) -> list[schemas.Day]:
    """The local days from the current hour on.

    Args:
        issue: rows of `air.tables.Forecasts` of one station and issue, with `local`, valid_at in the station's zone.
        before: means of the 24 hours before the issue by pollutant [µg/m³], for the trend of the first day.
        values: the index by hour.
        index: the index.
        now: earlier hours are past.
    """
    ahead = issue.filter(pl.col("valid_at") >= floor_hour(now)).with_columns(day=pl.col("local").dt.date())
    means = dict(before)
    days = []
    for (day,), rows in ahead.sort("valid_at").group_by("day", maintain_order=True):
        pollutants = [_pollutant_day(rows, one, means) for one in POLLUTANTS if one in rows["pollutant"]]
        means |= {one.pollutant: one.mean_ugm3 for one in pollutants}
        by_hour = {hour: values[hour] for hour in rows["valid_at"].unique().sort()}
        assert isinstance(day, date)
        days.append(_render_day(day, pollutants, by_hour, _severity(rows, list(by_hour), index), index))
    return days


@dataclass(frozen=True)
class Windows:
    """The worst and the best hours of a day.

    Attributes:
        worst, best: start and end of a window of WINDOW_OF_HOURS, or of all hours if there are fewer; None when all
            hours are alike or nothing is known.
        alike: the worst window is less than STEADY_RATIO times as bad as the best, or there is only one window.
    """

    worst: tuple[datetime, datetime] | None
    best: tuple[datetime, datetime] | None
    alike: bool


def worst_and_best(severity: Mapping[datetime, float]) -> Windows:
    """The windows of consecutive hours with the highest and the lowest mean severity; the earliest of equal ones."""
    hours = sorted(severity)
    length = min(WINDOW_OF_HOURS, len(hours))
    means = {
        some[0]: float(np.mean([severity[hour] for hour in some]))
        for some in (hours[first : first + length] for first in range(len(hours) - length + 1))
        if length and some[-1] - some[0] == (length - 1) * HOUR
    }
    known = {start: mean for start, mean in means.items() if not np.isnan(mean)}
    if not known:
        return Windows(None, None, alike=False)
    worst, best = max(known, key=lambda start: known[start]), min(known, key=lambda start: known[start])
    if known[worst] <= STEADY_RATIO * known[best]:
        return Windows(None, None, alike=True)
    return Windows((worst, worst + length * HOUR), (best, best + length * HOUR), alike=False)


def _severity(rows: pl.DataFrame, hours: list[datetime], index: Index) -> dict[datetime, float]:
    """How bad each hour is by the medians of its pollutants; see `Index.severity`."""
    place = {hour: k for k, hour in enumerate(hours)}
    medians: dict[str, Floats] = {}
    for pollutant, hour, median in rows.select("pollutant", "valid_at", "q50").iter_rows():
        medians.setdefault(pollutant, np.full(len(hours), np.nan))[place[hour]] = median
    return dict(zip(hours, index.severity(medians).tolist(), strict=True))


def trend(mean_ugm3: float, before_ugm3: float | None) -> schemas.Trend | None:
    """The trend of a day's mean compared with the day before; None without a mean of that day."""
    if before_ugm3 is None or before_ugm3 <= 0:
        return None
    ratio = mean_ugm3 / before_ugm3
    if ratio >= STEADY_RATIO:
        return "rising"
    return "falling" if ratio <= 1 / STEADY_RATIO else "steady"


def _render_day(
    day: date,
    pollutants: list[schemas.PollutantDay],
    by_hour: Mapping[datetime, IndexResult],
    severity: Mapping[datetime, float],
    index: Index,
) -> schemas.Day:
    rated = {hour: (band_level(index, one) or 0, one.value or 0) for hour, one in by_hour.items() if one.band}
    worst_hour = max(rated, key=lambda hour: (*rated[hour], severity[hour]), default=None)
    value = by_hour[worst_hour] if worst_hour else next(iter(by_hour.values()))
    windows = worst_and_best(severity if rated else {})
    return schemas.Day(
        day=day,
        n_hours=len(by_hour),
        index=render_index(index, value),
        worst_at=windows.worst and windows.worst[0],
        worst_until=windows.worst and windows.worst[1],
        best_at=windows.best and windows.best[0],
        best_until=windows.best and windows.best[1],
        hours_alike=windows.alike,
        advice=value.advice.everyone,
        advice_sensitive=value.advice.sensitive,
        pollutants=pollutants,
    )


def _pollutant_day(rows: pl.DataFrame, pollutant: str, means: dict[str, float]) -> schemas.PollutantDay:
    hours = rows.filter(pl.col("pollutant") == pollutant)
    highest = hours.row(int(hours["q50"].arg_max() or 0), named=True)
    mean: float = hours.select(pl.col("mean").mean()).item()
    direction = trend(mean, means.get(pollutant))
    return schemas.PollutantDay(
        pollutant=Pollutant(pollutant),
        mean_ugm3=mean,
        max_ugm3=highest["q50"],
        max_at=highest["valid_at"],
        max_q10_ugm3=highest["q10"],
        max_q90_ugm3=highest["q90"],
        **hours.select(pl.col(f"p_exceed_{key}").max() for key in LIMIT_KEYS).row(0, named=True),
        trend=direction,
        words=_in_words(pollutant, direction, mean, means.get(pollutant), highest_at=highest["local"]),
    )


def _in_words(
    pollutant: str, direction: schemas.Trend | None, mean: float, before: float | None, *, highest_at: datetime
) -> str:
    label, highest = Pollutant(pollutant).label, f"highest around {highest_at:%H:%M}"
    if direction == "rising" or direction == "falling":
        verb = "rises" if direction == "rising" else "falls"
        return f"{label} {verb} from {before:.0f} to {mean:.0f} µg/m³; {highest}"
    return f"{label} {'stays near' if direction else 'is near'} {mean:.0f} µg/m³; {highest}"


def _daily_means(observed: pl.DataFrame) -> dict[str, float]:
    means = observed.group_by("pollutant").agg(pl.col("concentration_ugm3").mean(), n=pl.len())
    complete = means.filter(pl.col("n") >= MIN_HOURS_OF_DAY)
    return {str(pollutant): mean for pollutant, mean in complete.select("pollutant", "concentration_ugm3").iter_rows()}
