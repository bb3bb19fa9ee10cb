"""Forecasts: of one station or many, hour by hour or day by day, and the physics models beside them."""

from datetime import datetime
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from hazecast.air.clock import HOUR
from hazecast.air.pollutants import Pollutant
from hazecast.air.tables import HORIZON_HOURS
from hazecast.api import lookup, schemas
from hazecast.api.answers import forecast_answer, forecast_table
from hazecast.api.forecasting import Selection, choose_issues, series_of, shown_for, summary_of
from hazecast.api.formats import MAPS, TABLES, AskedFormat, Format, choose_format, content_of, write_map, write_table
from hazecast.api.problems import problem_responses
from hazecast.api.schemas import UtcTime
from hazecast.api.service import (
    PREFIX,
    AskedIndex,
    AskedPollutant,
    AskedQuantiles,
    AskedTime,
    Before,
    Limit,
    Serving,
    StationId,
)
from hazecast.api.where import Where, choose_stations

router = APIRouter(prefix=PREFIX, tags=["forecasts"])


class ForecastsAsked(Where):
    """Which forecasts, and what of them."""

    pollutant: str | None = Field(default=None, description="Comma-separated; all without", examples=["pm25,no2"])
    issued_at: UtcTime | None = Field(default=None, description="Read the archive: the issue of that hour")
    since: UtcTime | None = Field(default=None, description="First hour forecast")
    until: UtcTime | None = Field(default=None, description="End of the hours forecast, not included")
    quantiles: str | None = Field(default=None, description="Comma-separated; all seven without")
    index: str | None = Field(default=None, description="A name from /api/v1/indices; none without")


class SummariesAsked(Where):
    """Which stations, and by which index."""

    index: str | None = Field(default=None, description="A name from /api/v1/indices; the place's own without")


@router.get(
    "/forecasts",
    response_model=schemas.Forecasts,
    responses=content_of(*MAPS) | problem_responses(404, 406, 422, 503),
)
def forecasts(
    serving: Serving, request: Request, query: Annotated[ForecastsAsked, Query()]
) -> schemas.Forecasts | Response:
    """Forecasts of many stations: by id, in a box, or nearest to a coordinate; `limit` counts stations."""
    chosen_format = choose_format(request, query.format, MAPS)
    selection = Selection.read(query.pollutant, query.quantiles, query.index, query.since, query.until)
    issues = choose_issues(serving.reader, query.issued_at)
    known = [one for one in lookup.list_stations(serving.reader) if one.station_id in issues.pollutants]
    stations, next_cursor = choose_stations(known, query)
    series = [one for station in stations for one in series_of(serving, issues, station, selection)]
    if chosen_format in (Format.JSON, Format.GEOJSON):
        found = [forecast_answer(*one) for one in series]
        if chosen_format is Format.GEOJSON:
            places = [(station.latitude, station.longitude) for _, station, _ in series]
            return write_map([(*place, one.model_dump(mode="json")) for place, one in zip(places, found, strict=True)])
        simulated = any(one.simulated for one in found)
        return schemas.Forecasts(simulated=simulated, forecasts=found, next_cursor=next_cursor)
    return write_table(_tables([forecast_table(*one) for one in series]), chosen_format)


@router.get("/summaries", responses=problem_responses(404, 422, 503))
def summaries(serving: Serving, query: Annotated[SummariesAsked, Query()]) -> schemas.Summaries:
    """The days ahead at many stations: index, worst and best hours, advice, day means and highs, trend in words."""
    issues = serving.reader.newest_issues()
    known = [one for one in lookup.list_stations(serving.reader) if one.station_id in issues.pollutants]
    stations, next_cursor = choose_stations(known, query)
    found = [summary_of(serving, station, query.index) for station in stations]
    return schemas.Summaries(simulated=any(one.simulated for one in found), summaries=found, next_cursor=next_cursor)


@router.get(
    "/stations/{station_id:path}/forecast",
    response_model=schemas.Forecast,
    responses=content_of(*TABLES) | problem_responses(404, 406, 422, 503),
)
def forecast(
    serving: Serving,
    request: Request,
    station_id: StationId,
    pollutant: AskedPollutant = None,
    issued_at: AskedTime = None,
    quantiles: AskedQuantiles = None,
    index: AskedIndex = None,
    asked: AskedFormat = None,
) -> schemas.Forecast | Response:
    """The newest forecast, or the one issued at `issued_at`, hour by hour."""
    chosen_format = choose_format(request, asked, TABLES)
    reader, station = serving.reader, lookup.find_station(serving.reader, station_id)
    pollutant = lookup.choose_forecast_pollutant(reader, station, pollutant)
    selection = Selection.read(pollutant, quantiles, index, None, None)
    issues = lookup.find_issues(reader, station_id, pollutant, issued_at)
    rows = issues.of(station_id, pollutant)
    shown = shown_for(serving, issues, station, selection)
    if chosen_format is Format.JSON:
        return forecast_answer(rows, station, shown)
    return write_table(forecast_table(rows, station, shown), chosen_format)


@router.get("/stations/{station_id:path}/issues", responses=problem_responses(404, 422, 503))
def issues(
    serving: Serving,
    station_id: StationId,
    pollutant: AskedPollutant = None,
    before: Before = None,
    limit: Limit = 100,
) -> schemas.Issues:
    """Archived forecasts of one pollutant, newest first."""
    reader, station = serving.reader, lookup.find_station(serving.reader, station_id)
    pollutant = lookup.choose_forecast_pollutant(reader, station, pollutant)
    rows = reader.issues_before(station_id, pollutant, before)
    page = [schemas.Issue.model_validate(row) for row in rows.head(limit).iter_rows(named=True)]
    return schemas.Issues(
        station_id=station_id,
        pollutant=Pollutant(pollutant),
        issues=page,
        next_before=page[-1].issued_at if rows.height > limit else None,
    )


@router.get("/stations/{station_id:path}/summary", responses=problem_responses(404, 422, 503))
def summary(serving: Serving, station_id: StationId, index: AskedIndex = None) -> schemas.Summary:
    """The days ahead at one station: index, worst and best hours, advice, day means and highs, trend in words."""
    station = lookup.find_station(serving.reader, station_id)
    lookup.choose_forecast_pollutant(serving.reader, station, None)
    return summary_of(serving, station, index)


@router.get("/stations/{station_id:path}/background", responses=problem_responses(404, 422, 503))
def background(serving: Serving, station_id: StationId, pollutant: AskedPollutant = None) -> schemas.Background:
    """What physics models (CAMS, SILAM) say of the hours of the newest forecast: raw, to be shown beside ours."""
    reader, station = serving.reader, lookup.find_station(serving.reader, station_id)
    pollutant = lookup.choose_forecast_pollutant(reader, station, pollutant)
    issued_at: datetime = reader.newest_issues().of(station_id, pollutant)["issued_at"][0]
    until = issued_at + HORIZON_HOURS * HOUR
    rows = reader.background(station_id, pollutant, since=issued_at, until=until)
    runs = [
        schemas.BackgroundRun(
            source=str(source),
            issued_at=hours["issued_at"][0],
            available_at=hours["available_at"][0],
            hours=[schemas.BackgroundHour.model_validate(row) for row in hours.iter_rows(named=True)],
        )
        for (source,), hours in rows.group_by("source", maintain_order=True)
    ]
    return schemas.Background(station_id=station_id, pollutant=Pollutant(pollutant), runs=runs)


@router.get("/stations/{station_id:path}/drivers", responses=problem_responses(404, 422, 503))
def drivers(
    serving: Serving, station_id: StationId, pollutant: AskedPollutant = None, issued_at: AskedTime = None
) -> schemas.Drivers:
    """What moved the newest forecast, or the one issued at `issued_at`: recent levels, neighbours, weather ahead."""
    reader, station = serving.reader, lookup.find_station(serving.reader, station_id)
    pollutant = lookup.choose_forecast_pollutant(reader, station, pollutant)
    issues = lookup.find_issues(reader, station_id, pollutant, issued_at)
    issue = issues.of(station_id, pollutant).row(0, named=True)
    rows = reader.drivers(station_id, pollutant, issue["issued_at"])
    hours = [
        schemas.DriversHour.model_validate({"valid_at": valid_at, "drivers": moved.to_dicts()})
        for (valid_at,), moved in rows.group_by("valid_at", maintain_order=True)
    ]
    return schemas.Drivers(
        station_id=station_id,
        pollutant=Pollutant(pollutant),
        issued_at=issue["issued_at"],
        model_version=issue["model_version"],
        hours=hours,
    )


def _tables(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(parts) if parts else pl.DataFrame()
