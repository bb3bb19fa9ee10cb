"""Stations and what was measured there."""

from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query, Request, Response

from hazecast.api import answers, lookup, schemas
from hazecast.api.formats import MAPS, TABLES, AskedFormat, Format, choose_format, content_of, write_map, write_table
from hazecast.api.problems import problem_responses
from hazecast.api.service import PREFIX, AskedPollutant, AskedSince, AskedUntil, Serving, StationId
from hazecast.api.where import MOST_STATIONS, Where, choose_stations

router = APIRouter(prefix=PREFIX, tags=["stations"])


class AllStations(Where):
    """Which stations, by default all of them."""

    limit: Annotated[int, Query(ge=1, le=MOST_STATIONS)] = MOST_STATIONS


@router.get(
    "/stations",
    response_model=schemas.Stations,
    responses=content_of(*MAPS) | problem_responses(404, 406, 422, 503),
)
def stations(serving: Serving, request: Request, where: Annotated[AllStations, Query()]) -> schemas.Stations | Response:
    """Stations with the pollutants they have: all, by id, in a box, or nearest to a coordinate."""
    chosen_format = choose_format(request, where.format, MAPS)
    shown, next_cursor = choose_stations(lookup.list_stations(serving.reader), where)
    if chosen_format is Format.JSON:
        simulated = any(station.simulated for station in shown)
        return schemas.Stations(simulated=simulated, stations=shown, next_cursor=next_cursor)
    plain = [station.model_dump(mode="json") for station in shown]
    if chosen_format is Format.GEOJSON:
        return write_map([(one["latitude"], one["longitude"], one) for one in plain])
    return write_table(_station_table(shown), chosen_format)


@router.get(
    "/stations/{station_id:path}/observations",
    response_model=schemas.Observations,
    responses=content_of(*TABLES) | problem_responses(404, 406, 422, 503),
)
def observations(
    serving: Serving,
    request: Request,
    station_id: StationId,
    pollutant: AskedPollutant = None,
    since: AskedSince = None,
    until: AskedUntil = None,
    asked: AskedFormat = None,
) -> schemas.Observations | Response:
    """Hourly means that start in [since, until); without them the last 7 days; at most 366 days."""
    chosen_format = choose_format(request, asked, TABLES)
    reader, now = serving.reader, serving.clock()
    station = lookup.find_station(reader, station_id)
    pollutant = lookup.choose_observed_pollutant(station, pollutant)
    since, until = lookup.choose_span(since, until, now=now)
    rows = reader.observations(station_id, pollutant, since=since, until=until)
    if chosen_format is not Format.JSON:
        return write_table(rows.drop("available_at", "ingested_at"), chosen_format)
    return answers.observations_answer(
        rows,
        station,
        span={"pollutant": pollutant, "since": since, "until": until},
        newest_observed_at=reader.newest_hours().get((station_id, pollutant)),
        now=now,
    )


@router.get("/stations/{station_id:path}", responses=problem_responses(404, 422, 503))
def station(serving: Serving, station_id: StationId) -> schemas.Station:
    """One station."""
    return lookup.find_station(serving.reader, station_id)


def _station_table(shown: list[schemas.Station]) -> pl.DataFrame:
    rows = [{**one.model_dump(mode="json"), "pollutants": ",".join(one.pollutants)} for one in shown]
    columns = [name for name in schemas.Station.model_fields if name != "distance_km"]
    kinds = {"latitude": pl.Float64, "longitude": pl.Float64, "distance_km": pl.Float64, "simulated": pl.Boolean}
    named = [*columns, "distance_km"] if any(one.distance_km is not None for one in shown) else columns
    return pl.DataFrame(rows, schema={name: kinds.get(name, pl.String) for name in named})
