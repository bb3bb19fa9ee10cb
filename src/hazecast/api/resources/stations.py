"""Stations (all, by id, in a box, or nearest to a coordinate) and their observations."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

import polars as pl
from fastapi import APIRouter, Depends, Query, Response

from hazecast.air.clock import HOUR, as_iso, floor_hour, hours_between
from hazecast.air.distance import distance_km
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.api import schemas
from hazecast.api.dependencies import (
    MAX_PAGE,
    PREFIX,
    Context,
    CursorQuery,
    PagingQuery,
    PollutantQuery,
    SinceQuery,
    StationId,
    StationsQuery,
    UntilQuery,
    decode_cursor,
    encode_cursor,
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
from hazecast.api.repository import SIMULATED, Repository, depends_on
from hazecast.errors import NotKnown

MAX_LATITUDE, MAX_LONGITUDE = 90, 180
# Half the circumference of the Earth [km], rounded up.
MAX_DISTANCE_KM = 20_100
DEFAULT_OBSERVED_SPAN, MAX_OBSERVED_SPAN = timedelta(days=7), timedelta(days=366)

router = APIRouter(prefix=PREFIX, tags=["stations"])

StationLimit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Largest number of stations in the response")]


@dataclass(frozen=True, kw_only=True)
class StationFilter:
    """Parameters that select stations; without any all stations are selected."""

    station_id: list[str]
    bbox: str | None
    latitude: float | None
    longitude: float | None
    nearest: int
    within_km: float | None
    cursor: str | None


class StationPage(NamedTuple):
    """Stations of one page, the cursor of the next one (None: last page), and the number on all pages."""

    stations: list[schemas.Station]
    next_cursor: str | None
    total: int


async def station_filter(
    station_id: StationsQuery,
    bbox: Annotated[
        str | None,
        Query(
            description="west,south,east,north [degrees]; west > east crosses the date line",
            examples=["24.5,60.0,25.5,60.5"],
        ),
    ] = None,
    latitude: Annotated[
        float | None, Query(ge=-MAX_LATITUDE, le=MAX_LATITUDE, description="WGS84 [degrees], with `longitude`")
    ] = None,
    longitude: Annotated[float | None, Query(ge=-MAX_LONGITUDE, le=MAX_LONGITUDE)] = None,
    nearest: Annotated[int, Query(ge=1, le=100, description="Number of stations nearest to the coordinate")] = 3,
    within_km: Annotated[
        float | None, Query(gt=0, le=MAX_DISTANCE_KM, description="Largest distance to the coordinate [km]")
    ] = None,
    cursor: CursorQuery = None,
) -> StationFilter:
    """Dependency: the parameters that select stations."""
    return StationFilter(
        station_id=station_id,
        bbox=bbox,
        latitude=latitude,
        longitude=longitude,
        nearest=nearest,
        within_km=within_km,
        cursor=cursor,
    )


def requested_station(context: Context, station_id: StationId) -> schemas.Station:
    """Dependency: the station in the path.

    Raises:
        NotKnown: there is no such station.
    """
    repository = context.repository
    known = repository.stations()
    found = known.filter(pl.col("station_id") == station_id)
    if found.is_empty():
        raise NotKnown("station", station_id, known["station_id"].to_list())
    observed = {pollutant for station, pollutant in repository.newest_observed_at() if station == station_id}
    forecast = repository.newest_forecasts().pollutants.get(station_id, set())
    return _render(found.row(0, named=True), observed | forecast)


RequestedStation = Annotated[schemas.Station, Depends(requested_station)]
StationFilterQuery = Annotated[StationFilter, Depends(station_filter)]


@router.get(
    "/stations",
    response_model=schemas.Stations,
    responses=describe_formats(*MAP_FORMATS) | problem_responses(404, 406, 422, 503),
)
def stations(
    context: Context,
    where: StationFilterQuery,
    output_format: Annotated[Format, Depends(negotiate_map)],
    paging: PagingQuery,
    limit: StationLimit = MAX_PAGE,
) -> schemas.Stations | Response:
    """Stations with their pollutants: all, by id, in a box, or nearest to a coordinate."""
    selected, next_cursor, total = select_stations(list_stations(context.repository), where, limit=limit)
    headers = paging.headers(total, cursor=next_cursor)
    if output_format is Format.JSON:
        simulated = any(station.simulated for station in selected)
        return schemas.Stations(simulated=simulated, stations=selected, next_cursor=next_cursor)
    if output_format is Format.GEOJSON:
        properties = [station.model_dump(mode="json") for station in selected]
        return render_geojson([(one["latitude"], one["longitude"], one) for one in properties], headers)
    return render_table(_table(selected), output_format, headers)


def observed_pollutant(station: RequestedStation, pollutant: PollutantQuery = None) -> str:
    """Dependency: the requested pollutant, or the first one available at the station.

    Raises:
        NotKnown: it is not available there; the error lists those that are.
        NoData: none is.
    """
    if not station.pollutants:
        raise NoData(f"There are no observations of {station.station_id} yet. Get them with `hazecast collect`.")
    if pollutant is not None and pollutant not in station.pollutants:
        raise NotKnown("pollutant", pollutant, [str(one) for one in station.pollutants])
    return pollutant or str(station.pollutants[0])


def observed_span(context: Context, since: SinceQuery = None, until: UntilQuery = None) -> tuple[datetime, datetime]:
    """Dependency: hours [since, until); until defaults to now, since to DEFAULT_OBSERVED_SPAN before it.

    Raises:
        InvalidRequest: the span is empty or longer than MAX_OBSERVED_SPAN.
    """
    if until is None:
        until = context.clock()
        depends_on(floor_hour(until))
    since = since or until - DEFAULT_OBSERVED_SPAN
    if since >= until:
        raise InvalidRequest(f"since ({as_iso(since)}) must be before until ({as_iso(until)})")
    if until - since > MAX_OBSERVED_SPAN:
        raise InvalidRequest(f"a span may have at most {MAX_OBSERVED_SPAN.days} days; request it in parts")
    return since, until


@router.get(
    "/stations/{station_id:path}/observations",
    response_model=schemas.Observations,
    responses=describe_formats(*TABLE_FORMATS) | problem_responses(404, 406, 422, 503),
)
def observations(
    context: Context,
    station: RequestedStation,
    pollutant: Annotated[str, Depends(observed_pollutant)],
    span: Annotated[tuple[datetime, datetime], Depends(observed_span)],
    output_format: Annotated[Format, Depends(negotiate_table)],
) -> schemas.Observations | Response:
    """Hourly means that start in [since, until); by default the last 7 days; at most 366 days."""
    since, until = span
    rows = context.repository.observations(station.station_id, pollutant, since=since, until=until)
    newest = context.repository.newest_observed_at().get((station.station_id, pollutant))
    data_age_hours = None if newest is None else hours_between(newest + HOUR, context.clock())
    depends_on(newest)
    if output_format is not Format.JSON:
        return render_table(_observation_table(rows, station, newest, data_age_hours), output_format)
    return schemas.Observations(
        station_id=station.station_id,
        pollutant=Pollutant(pollutant),
        since=since,
        until=until,
        source=station.source,
        simulated=station.simulated,
        attribution=station.attribution,
        newest_observed_at=newest,
        data_age_hours=data_age_hours,
        hours=[_render_observation(row) for row in rows.iter_rows(named=True)],
    )


@router.get("/stations/{station_id:path}", responses=problem_responses(404, 422, 503))
def station(station: RequestedStation) -> schemas.Station:
    """One station."""
    return station


def list_stations(repository: Repository) -> list[schemas.Station]:
    """Every station with the pollutants that are forecast or observed there."""
    pollutants = {one: set(forecast) for one, forecast in repository.newest_forecasts().pollutants.items()}
    for station_id, pollutant in repository.newest_observed_at():
        pollutants.setdefault(station_id, set()).add(pollutant)
    rows = repository.stations().iter_rows(named=True)
    return [_render(row, pollutants.get(row["station_id"], set())) for row in rows]


def select_stations(stations: list[schemas.Station], where: StationFilter, *, limit: int) -> StationPage:
    """Apply a filter.

    Args:
        stations: to choose from.
        where: the filter.
        limit: largest number of stations in a page.

    Returns:
        The stations by id, or by distance if the filter has a coordinate.

    Raises:
        NotKnown: a station id does not exist.
        InvalidRequest: half a coordinate, or a malformed box or cursor.
    """
    known = {station.station_id: station for station in stations}
    requested = parse_list("station", where.station_id, list(known))
    selected = [known[one] for one in requested] if requested else stations
    if where.bbox is not None:
        selected = _inside(selected, _parse_box(where.bbox))
    if (where.latitude is None) is not (where.longitude is None):
        raise InvalidRequest("a coordinate needs both latitude and longitude")
    if where.latitude is not None and where.longitude is not None:
        found = _nearest(selected, where, (where.latitude, where.longitude))
        return StationPage(found, None, len(found))
    return _page(sorted(selected, key=lambda station: station.station_id), where.cursor, limit)


def _page(stations: list[schemas.Station], cursor: str | None, limit: int) -> StationPage:
    total = len(stations)
    if cursor is not None:
        last = decode_cursor("stations", cursor)
        stations = [station for station in stations if station.station_id > last]
    page = stations[:limit]
    has_more = len(stations) > limit
    return StationPage(page, encode_cursor("stations", page[-1].station_id) if has_more else None, total)


def _nearest(
    stations: list[schemas.Station], where: StationFilter, coordinate: tuple[float, float]
) -> list[schemas.Station]:
    located = [
        station.model_copy(update={"distance_km": distance_km(coordinate, (station.latitude, station.longitude))})
        for station in stations
        if station.latitude is not None and station.longitude is not None
    ]
    close = [one for one in located if where.within_km is None or (one.distance_km or 0) <= where.within_km]
    return sorted(close, key=lambda station: station.distance_km or 0)[: where.nearest]


def _inside(stations: list[schemas.Station], box: tuple[float, float, float, float]) -> list[schemas.Station]:
    west, south, east, north = box

    def is_inside(station: schemas.Station) -> bool:
        if station.latitude is None or station.longitude is None or not south <= station.latitude <= north:
            return False
        if west <= east:
            return west <= station.longitude <= east
        return station.longitude >= west or station.longitude <= east

    return [station for station in stations if is_inside(station)]


def _parse_box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as err:
        raise InvalidRequest(f"bbox {text!r} is not west,south,east,north in degrees") from err
    is_on_earth = abs(west) <= MAX_LONGITUDE and abs(east) <= MAX_LONGITUDE and abs(south) <= MAX_LATITUDE
    if not (is_on_earth and south <= north <= MAX_LATITUDE):
        raise InvalidRequest(f"bbox {text!r} is not west,south,east,north in degrees with south ≤ north")
    return west, south, east, north


def _render(row: dict[str, Any], pollutants: Iterable[str]) -> schemas.Station:
    """A station from its stored row, its pollutants in the order of `Pollutant`."""
    available = set(pollutants)
    ordered = [pollutant for pollutant in POLLUTANTS if pollutant in available]
    return schemas.Station.model_validate({**row, "simulated": row["source"] == SIMULATED, "pollutants": ordered})


def _table(stations: list[schemas.Station]) -> pl.DataFrame:
    rows = [{**one.model_dump(mode="json"), "pollutants": ",".join(one.pollutants)} for one in stations]
    columns = [name for name in schemas.Station.model_fields if name != "distance_km"]
    kinds = {"latitude": pl.Float64, "longitude": pl.Float64, "distance_km": pl.Float64, "simulated": pl.Boolean}
    named = [*columns, "distance_km"] if any(one.distance_km is not None for one in stations) else columns
    return pl.DataFrame(rows, schema={name: kinds.get(name, pl.String) for name in named})


def _render_observation(row: dict[str, Any]) -> schemas.ObservationHour:
    reasons = [reason for reason in row["flag_reasons"].split(",") if reason]
    return schemas.ObservationHour.model_validate({**row, "flag_reasons": reasons})


def _observation_table(
    rows: pl.DataFrame, station: schemas.Station, newest: datetime | None, data_age_hours: float | None
) -> pl.DataFrame:
    """Observed hours as a table, with what JSON has for all hours in columns of its own."""
    return rows.drop("available_at", "ingested_at").with_columns(
        pl.lit(station.simulated).alias("simulated"),
        pl.lit(station.attribution).alias("attribution"),
        pl.lit(newest, pl.Datetime("us", "UTC")).alias("newest_observed_at"),
        pl.lit(data_age_hours, pl.Float64).alias("data_age_hours"),
    )
