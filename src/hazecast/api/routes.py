"""The addresses under /api/v1: each asks the reader and words the answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

import hazecast
from hazecast.air.clock import hours_between
from hazecast.air.tables import Forecasts, Observations, Quality, Runs, Scores, Stations, Weather
from hazecast.api import answers, lookup, schemas
from hazecast.api.problems import NotReady, problem_responses
from hazecast.api.reader import Reader

TABLES = (Stations, Observations, Weather, Forecasts, Quality, Scores, Runs)


@dataclass(frozen=True)
class Service:
    """What every endpoint works with."""

    reader: Reader
    clock: Callable[[], datetime]
    clock_replayed: bool
    stale_after_hours: float


def service(request: Request) -> Service:
    """The service that `create_app` put into the application."""
    found: Service = request.app.state.service
    return found


Serving = Annotated[Service, Depends(service)]
StationId = Annotated[str, Path(description="May contain /", examples=["beijing/dongsi"])]
AskedPollutant = Annotated[
    str | None, Query(description="pm25 pm10 no2 o3 so2 co; without it the first available", examples=["pm25"])
]
AskedTime = Annotated[
    schemas.UtcTime | None, Query(description="ISO 8601 with its zone", examples=["2026-11-23T06:00:00Z"])
]

router = APIRouter(prefix="/api/v1")


@router.get("/health", tags=["probes"])
def health(serving: Serving) -> schemas.Health:
    """The process is alive; touches no stored table."""
    return schemas.Health(version=hazecast.__version__, now=serving.clock(), clock_replayed=serving.clock_replayed)


@router.get("/ready", tags=["probes"], responses=problem_responses(503))
def ready(serving: Serving) -> schemas.Readiness:
    """Forecasts exist and the newest is recent enough."""
    issued_at = serving.reader.newest_issues().issued_at
    remedy = "Make one with `hazecast forecast`, or see why the worker does not."
    if issued_at is None:
        raise NotReady(f"There is no forecast yet. {remedy}")
    age_hours = hours_between(issued_at, serving.clock())
    if age_hours > serving.stale_after_hours:
        allowed = f"{serving.stale_after_hours:g} h"
        raise NotReady(f"The newest forecast is {age_hours:.0f} h old, more than the {allowed} allowed. {remedy}")
    return schemas.Readiness(issued_at=issued_at, forecast_age_hours=age_hours)


@router.get("/stations", tags=["stations"], responses=problem_responses(503))
def stations(serving: Serving) -> schemas.Stations:
    """Every station with the pollutants it has."""
    listed = lookup.list_stations(serving.reader)
    return schemas.Stations(simulated=any(station.simulated for station in listed), stations=listed)


@router.get("/stations/{station_id:path}/forecast", tags=["stations"], responses=problem_responses(404, 422, 503))
def forecast(
    serving: Serving, station_id: StationId, pollutant: AskedPollutant = None, issued_at: AskedTime = None
) -> schemas.Forecast:
    """The newest forecast, or the one issued at `issued_at`, hour by hour."""
    reader, station = serving.reader, lookup.find_station(serving.reader, station_id)
    pollutant = lookup.choose_forecast_pollutant(reader, station, pollutant)
    if issued_at is None:
        rows = reader.newest_issues().of(station_id, pollutant)
    else:
        rows = reader.issue(station_id, pollutant, issued_at)
    if rows.is_empty() and issued_at is not None:
        raise lookup.unknown_issue_time(reader, station_id, pollutant, issued_at)
    return answers.forecast_answer(rows, station, now=serving.clock(), stale_after_hours=serving.stale_after_hours)


@router.get("/stations/{station_id:path}/observations", tags=["stations"], responses=problem_responses(404, 422, 503))
def observations(
    serving: Serving,
    station_id: StationId,
    pollutant: AskedPollutant = None,
    since: AskedTime = None,
    until: AskedTime = None,
) -> schemas.Observations:
    """Hourly means that start in [since, until); without them the last 7 days; at most 366 days."""
    reader, now = serving.reader, serving.clock()
    station = lookup.find_station(reader, station_id)
    pollutant = lookup.choose_observed_pollutant(station, pollutant)
    since, until = lookup.choose_span(since, until, now=now)
    return answers.observations_answer(
        reader.observations(station_id, pollutant, since=since, until=until),
        station,
        span={"pollutant": pollutant, "since": since, "until": until},
        newest_observed_at=reader.newest_hours().get((station_id, pollutant)),
        now=now,
    )


@router.get("/status", tags=["status"], responses=problem_responses(503))
def status(serving: Serving) -> schemas.State:
    """How fresh and how good everything is: newest times, versions, the latest check and verification."""
    reader = serving.reader
    all_stations, issues = reader.stations(), reader.newest_issues()
    return schemas.State(
        now=serving.clock(),
        clock_replayed=serving.clock_replayed,
        simulated=answers.SIMULATED in all_stations["source"],
        n_stations=all_stations.height,
        newest_observed_at=max(reader.newest_hours().values(), default=None),
        newest_issued_at=issues.issued_at,
        model_version=issues.model_version,
        tables=[schemas.TableState(table=t.__name__.lower(), version=reader.version(t)) for t in TABLES],
        quality=answers.quality_summary(reader.newest_check()),
        scores=answers.score_answers(reader.newest_scores()),
    )
