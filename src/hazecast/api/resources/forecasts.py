"""Forecasts of one station or many, their archive, drivers, and physics models for comparison."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import polars as pl
from fastapi import APIRouter, Depends, Query, Response

from hazecast.air.clock import HOUR, as_iso, hours_between
from hazecast.air.indices import Index, IndexResult, find_index
from hazecast.air.limits import LIMIT_KEYS, limits_of
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.air.status import served_status
from hazecast.air.tables import Forecasts as StoredForecasts
from hazecast.api import schemas
from hazecast.api.dependencies import (
    PREFIX,
    ApiContext,
    BeforeQuery,
    Context,
    IndexQuery,
    IssuedAtQuery,
    LimitQuery,
    PagingQuery,
    PollutantQuery,
    PollutantsQuery,
    QuantilesQuery,
    parse_list,
)
from hazecast.api.errors import InvalidRequest, NoData, problem_responses
from hazecast.api.render import (
    MAP_FORMATS,
    TABLE_FORMATS,
    Format,
    describe_formats,
    negotiate_map,
    negotiate_table,
    render_geojson,
    render_table,
)
from hazecast.api.repository import SIMULATED, IssuedForecasts, Repository, depends_on
from hazecast.api.resources.indices import index_by_hour, index_name, render_index
from hazecast.api.resources.stations import (
    RequestedStation,
    StationFilterQuery,
    StationLimit,
    list_stations,
    select_stations,
)
from hazecast.errors import NotKnown

router = APIRouter(prefix=PREFIX, tags=["forecasts"])


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The requested part of a forecast; without an index: None."""

    pollutants: tuple[str, ...] = POLLUTANTS
    quantiles: tuple[str, ...] = QUANTILES
    index: Index | None = None
    since: datetime | None = None
    until: datetime | None = None

    def hours(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of hours that start in [since, until)."""
        if self.since is not None:
            rows = rows.filter(pl.col("valid_at") >= self.since)
        return rows if self.until is None else rows.filter(pl.col("valid_at") < self.until)


async def series_selection(quantiles: QuantilesQuery, index: IndexQuery = None) -> Selection:
    """Dependency: quantiles and index of one series.

    Raises:
        NotKnown: a quantile or index does not exist.
    """
    return Selection(
        quantiles=parse_list("quantile", quantiles, QUANTILES) or QUANTILES,
        index=None if index is None else find_index(index),
    )


async def selection(
    one: Annotated[Selection, Depends(series_selection)],
    pollutant: PollutantsQuery,
    since: Annotated[schemas.UtcTime | None, Query(description="First forecast hour")] = None,
    until: Annotated[schemas.UtcTime | None, Query(description="End of the forecast hours, excluded")] = None,
) -> Selection:
    """Dependency: pollutants, quantiles, index and hours of several series.

    Raises:
        NotKnown: a pollutant, quantile or index does not exist.
        InvalidRequest: the span is empty.
    """
    if since and until and since >= until:
        raise InvalidRequest("since must be before until")
    pollutants = parse_list("pollutant", pollutant, POLLUTANTS) or POLLUTANTS
    return Selection(pollutants=pollutants, quantiles=one.quantiles, index=one.index, since=since, until=until)


def forecast_pollutant(context: Context, station: RequestedStation, pollutant: PollutantQuery = None) -> str:
    """Dependency: the requested pollutant, or the first one with a forecast at the station.

    Raises:
        NotKnown: it has no forecast there; the error lists those that have.
        NoData: none has.
    """
    forecast = context.repository.newest_forecasts().pollutants.get(station.station_id, set())
    if not forecast:
        raise NoData(f"There is no forecast for {station.station_id} yet. Make one with `hazecast forecast`.")
    available = [one for one in POLLUTANTS if one in forecast]
    if pollutant is not None and pollutant not in available:
        raise NotKnown("pollutant", pollutant, available)
    return pollutant or available[0]


ForecastPollutant = Annotated[str, Depends(forecast_pollutant)]


@router.get(
    "/forecasts",
    response_model=schemas.Forecasts,
    responses=describe_formats(*MAP_FORMATS) | problem_responses(404, 406, 422, 503),
)
def forecasts(
    context: Context,
    where: StationFilterQuery,
    selection: Annotated[Selection, Depends(selection)],
    output_format: Annotated[Format, Depends(negotiate_map)],
    paging: PagingQuery,
    limit: StationLimit = 100,
    issued_at: Annotated[
        schemas.UtcTime | None, Query(description="Issue time of an archived forecast; default: the newest")
    ] = None,
) -> schemas.Forecasts | Response:
    """Forecasts of many stations: by id, in a box, or nearest to a coordinate; `limit` counts stations."""
    issued = find_forecasts(context.repository, issued_at)
    stations = [one for one in list_stations(context.repository) if one.station_id in issued.pollutants]
    stations, next_cursor, total = select_stations(stations, where, limit=limit)
    headers = paging.headers(total, cursor=next_cursor)
    series = [one for station in stations for one in read_series(context, issued, station, selection)]
    if output_format not in (Format.JSON, Format.GEOJSON):
        tables = [forecast_table(*one) for one in series]
        return render_table(pl.concat(tables) if tables else StoredForecasts.create_empty(), output_format, headers)
    found = [render_forecast(*one) for one in series]
    if output_format is Format.GEOJSON:
        points = [(station.latitude, station.longitude) for _, station, _ in series]
        features = [(*point, one.model_dump(mode="json")) for point, one in zip(points, found, strict=True)]
        return render_geojson(features, headers)
    simulated = any(one.simulated for one in found)
    return schemas.Forecasts(simulated=simulated, forecasts=found, next_cursor=next_cursor)


@router.get(
    "/stations/{station_id:path}/forecast",
    response_model=schemas.Forecast,
    responses=describe_formats(*TABLE_FORMATS) | problem_responses(404, 406, 422, 503),
)
def forecast(
    context: Context,
    station: RequestedStation,
    pollutant: ForecastPollutant,
    selection: Annotated[Selection, Depends(series_selection)],
    output_format: Annotated[Format, Depends(negotiate_table)],
    issued_at: IssuedAtQuery = None,
) -> schemas.Forecast | Response:
    """The newest forecast, or the one issued at `issued_at`, hour by hour."""
    issued = find_station_forecasts(context.repository, station.station_id, pollutant, issued_at)
    rows = issued.series(station.station_id, pollutant)
    options = render_options(context, issued, station, selection)
    if output_format is Format.JSON:
        return render_forecast(rows, station, options)
    return render_table(forecast_table(rows, station, options), output_format)


@router.get("/stations/{station_id:path}/issues", responses=problem_responses(404, 422, 503))
def issues(
    context: Context,
    station: RequestedStation,
    pollutant: ForecastPollutant,
    paging: PagingQuery,
    before: BeforeQuery = None,
    limit: LimitQuery = 100,
) -> schemas.Issues:
    """Archived forecasts of one pollutant, newest first."""
    every = context.repository.issues(station.station_id, pollutant)
    rows = every if before is None else every.filter(pl.col("issued_at") < before)
    page = [schemas.Issue.model_validate(row) for row in rows.head(limit).iter_rows(named=True)]
    next_before = page[-1].issued_at if rows.height > limit else None
    paging.headers(every.height, before=None if next_before is None else as_iso(next_before))
    return schemas.Issues(
        station_id=station.station_id, pollutant=Pollutant(pollutant), issues=page, next_before=next_before
    )


@router.get("/stations/{station_id:path}/background", responses=problem_responses(404, 422, 503))
def background(context: Context, station: RequestedStation, pollutant: ForecastPollutant) -> schemas.Background:
    """Forecasts of physics models (CAMS, SILAM) for the hours of the newest forecast, unadjusted."""
    hours = context.repository.newest_forecasts().series(station.station_id, pollutant)["valid_at"]
    rows = context.repository.background(station.station_id, pollutant, since=hours[0], until=hours[-1] + HOUR)
    runs = [
        schemas.BackgroundRun(
            source=str(source),
            issued_at=run["issued_at"][0],
            available_at=run["available_at"][0],
            hours=[schemas.BackgroundHour.model_validate(row) for row in run.iter_rows(named=True)],
        )
        for (source,), run in rows.group_by("source", maintain_order=True)
    ]
    return schemas.Background(station_id=station.station_id, pollutant=Pollutant(pollutant), runs=runs)


@router.get("/stations/{station_id:path}/drivers", responses=problem_responses(404, 422, 503))
def drivers(
    context: Context, station: RequestedStation, pollutant: ForecastPollutant, issued_at: IssuedAtQuery = None
) -> schemas.Drivers:
    """Drivers of the newest forecast, or of the one issued at `issued_at`: recent levels, neighbours, weather ahead."""
    issued = find_station_forecasts(context.repository, station.station_id, pollutant, issued_at)
    issue = issued.series(station.station_id, pollutant).row(0, named=True)
    rows = context.repository.drivers(station.station_id, pollutant, issue["issued_at"])
    hours = [
        schemas.DriversHour.model_validate({"valid_at": valid_at, "drivers": effects.to_dicts()})
        for (valid_at,), effects in rows.group_by("valid_at", maintain_order=True)
    ]
    return schemas.Drivers(
        station_id=station.station_id,
        pollutant=Pollutant(pollutant),
        issued_at=issue["issued_at"],
        model_version=issue["model_version"],
        hours=hours,
    )


def find_forecasts(repository: Repository, issued_at: datetime | None) -> IssuedForecasts:
    """The newest forecasts of all stations, or those issued at that time.

    Raises:
        NotKnown: none was issued then; the error lists issue times, newest first.
    """
    if issued_at is None:
        return repository.newest_forecasts()
    issued = repository.archived_forecasts(issued_at)
    if not issued.pollutants:
        raise NotKnown("issue time", as_iso(issued_at), [as_iso(time) for time in repository.issue_times()])
    return issued


def find_station_forecasts(
    repository: Repository, station_id: str, pollutant: str, issued_at: datetime | None
) -> IssuedForecasts:
    """The newest forecasts of a station, or those issued at that time; one of `pollutant` is among them.

    Raises:
        NotKnown: none was issued then; the error lists issue times, newest first.
    """
    if issued_at is None:
        return repository.newest_forecasts()
    issued = repository.archived_forecasts(issued_at, station_id)
    if issued.series(station_id, pollutant).is_empty():
        issue_times = repository.issues(station_id, pollutant)["issued_at"]
        raise NotKnown("issue time", as_iso(issued_at), [as_iso(time) for time in issue_times])
    return issued


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How to render a forecast.

    Attributes:
        now: ages are counted to this time.
        stale_after_hours: an older issue is stale, whatever the status of its rows [h].
        next_issue_at: when the next one is scheduled.
        quantiles: the quantiles to include.
        index: the index to include; None: none.
        index_by_hour: its values.
    """

    now: datetime
    stale_after_hours: float
    next_issue_at: datetime | None
    quantiles: tuple[str, ...] = QUANTILES
    index: Index | None = None
    index_by_hour: Mapping[datetime, IndexResult] = field(default_factory=dict)


def render_options(
    context: ApiContext, issued: IssuedForecasts, station: schemas.Station, selection: Selection
) -> RenderOptions:
    """How to render the series of a station."""
    index, now = selection.index, context.clock()
    values = {} if index is None else index_by_hour(context.repository, issued, station.station_id, index)
    return RenderOptions(
        now=now,
        stale_after_hours=context.stale_after_hours,
        next_issue_at=context.cache_policy.next_issue(now),
        quantiles=selection.quantiles,
        index=index,
        index_by_hour=values,
    )


def read_series(
    context: ApiContext, issued: IssuedForecasts, station: schemas.Station, selection: Selection
) -> Iterator[tuple[pl.DataFrame, schemas.Station, RenderOptions]]:
    """Every selected series of a station with the arguments to render it; series without hours are left out."""
    options = render_options(context, issued, station, selection)
    for pollutant in selection.pollutants:
        rows = selection.hours(issued.series(station.station_id, pollutant))
        if not rows.is_empty():
            yield rows, station, options


class ForecastState(NamedTuple):
    """What the clock makes of one issue; the same in every format.

    Attributes:
        status: the worst that applies.
        status_reason: `status` in a sentence for people.
        data_age_hours: age now of the newest observation that the forecast used [h].
        forecast_age_hours: hours since it was issued.
        simulated: whether it was made from simulated observations.
    """

    status: schemas.Status
    status_reason: str
    data_age_hours: float
    forecast_age_hours: float
    simulated: bool


def forecast_state(rows: pl.DataFrame, options: RenderOptions) -> ForecastState:
    """The state of one issue of one series.

    Args:
        rows: the hours of the issue (`air.tables.Forecasts`), at least one.
        options: the current time and what is stale.
    """
    first, allowed_hours = rows.row(0, named=True), options.stale_after_hours
    age_hours = hours_between(first["issued_at"], options.now)
    status = served_status(rows["status"], age_hours=age_hours, stale_after_hours=allowed_hours)
    depends_on(status, options.next_issue_at)
    return ForecastState(
        status=status,
        status_reason=_status_reason(status, rows, age_hours=age_hours, stale_after_hours=allowed_hours),
        data_age_hours=first["data_age_hours"] + age_hours,
        forecast_age_hours=age_hours,
        simulated=first["source"] == SIMULATED,
    )


def render_forecast(rows: pl.DataFrame, station: schemas.Station, options: RenderOptions) -> schemas.Forecast:
    """One issue of one series as a response.

    Args:
        rows: the hours of the issue by valid_at (`air.tables.Forecasts`), at least one.
        station: its station.
        options: how to render it.
    """
    first = rows.row(0, named=True)
    pollutant = Pollutant(first["pollutant"])
    return schemas.Forecast(
        station_id=station.station_id,
        pollutant=pollutant,
        distance_km=station.distance_km,
        issued_at=first["issued_at"],
        next_issue_at=options.next_issue_at,
        now=options.now,
        **forecast_state(rows, options)._asdict(),
        model_version=first["model_version"],
        observations_version=first["observations_version"],
        source=first["source"],
        attribution=station.attribution,
        limits=[schemas.Limit.model_validate(limit, from_attributes=True) for limit in limits_of(pollutant)],
        index=None if options.index is None else index_name(options.index),
        hours=[_render_hour(row, options) for row in rows.iter_rows(named=True)],
    )


def forecast_table(rows: pl.DataFrame, station: schemas.Station, options: RenderOptions) -> pl.DataFrame:
    """One issue of one series as a table: the stored columns with the state of the issue, and what was requested."""
    dropped = [name for name in QUANTILES if name not in options.quantiles]
    place = {"latitude": station.latitude, "longitude": station.longitude, "distance_km": station.distance_km}
    table = rows.drop(dropped).with_columns(
        *(pl.lit(value).alias(name) for name, value in forecast_state(rows, options)._asdict().items()),
        *(pl.lit(value, pl.Float64).alias(name) for name, value in place.items()),
        pl.lit(station.attribution).alias("attribution"),
    )
    if options.index is None:
        return table
    values = [options.index_by_hour[hour] for hour in rows["valid_at"]]
    return table.with_columns(
        pl.lit(options.index.name).alias("index"),
        pl.Series("index_value", [value.value for value in values], pl.Int64),
        pl.Series("index_band", [value.band for value in values], pl.String),
    )


def _render_hour(row: dict[str, Any], options: RenderOptions) -> schemas.ForecastHour:
    values = {name: row[name] for name in ("valid_at", "lead_hours", "mean", *options.quantiles)}
    index = None
    if options.index is not None:
        index = render_index(options.index, options.index_by_hour[row["valid_at"]])
    exceedance = schemas.Exceedance(**{key: row[f"p_exceed_{key}"] for key in LIMIT_KEYS})
    return schemas.ForecastHour(**values, p_exceed=exceedance, index=index)


def _status_reason(status: schemas.Status, rows: pl.DataFrame, *, age_hours: float, stale_after_hours: float) -> str:
    if status == "stale":
        return (
            f"Issued {age_hours:.0f} h ago, more than the {stale_after_hours:g} h allowed: no newer forecast was made. "
            "Check that the worker runs; `hazecast forecast` makes one now."
        )
    hours = f"for {rows.filter(pl.col('status') == status).height} of {rows.height} hours"
    if status == "baseline":
        return f"No trained model could forecast {hours}; climatology is used instead."
    if status == "degraded":
        newest = f"the newest observation was {rows['data_age_hours'][0]:.0f} h old"
        return f"Some inputs of the model were missing {hours} ({newest} at issue); expect larger errors."
    return f"Issued {age_hours:.0f} h ago with all inputs of the model."
