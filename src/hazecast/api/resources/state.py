"""Liveness, readiness, status and metrics of the installation."""

from dataclasses import asdict

import polars as pl
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import generate_latest

import hazecast
from hazecast.air.clock import hours_between
from hazecast.air.tables import Forecasts, Observations, Quality, Runs, Scores, Stations, Weather
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, Context
from hazecast.api.errors import NotReady, problem_responses
from hazecast.api.resources.stations import SIMULATED
from hazecast.metrics import exposition

TABLES = (Stations, Observations, Weather, Forecasts, Quality, Scores, Runs)
METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["probes"])


@router.get(f"{PREFIX}/health")
def health(context: Context) -> schemas.Health:
    """Liveness of the process; reads no stored table."""
    return schemas.Health(version=hazecast.__version__, now=context.clock(), clock_replayed=context.clock_replayed)


@router.get(f"{PREFIX}/ready", responses=problem_responses(503))
def ready(context: Context) -> schemas.Readiness:
    """Readiness: forecasts exist and the newest is recent enough."""
    issued_at = context.repository.newest_forecasts().issued_at
    remedy = "Make one with `hazecast forecast`, or check that the worker runs."
    if issued_at is None:
        raise NotReady(f"There is no forecast yet. {remedy}")
    age_hours = hours_between(issued_at, context.clock())
    if age_hours > context.stale_after_hours:
        allowed = f"{context.stale_after_hours:g} h"
        raise NotReady(f"The newest forecast is {age_hours:.0f} h old, more than the {allowed} allowed. {remedy}")
    return schemas.Readiness(issued_at=issued_at, forecast_age_hours=age_hours)


@router.get(f"{PREFIX}/status", responses=problem_responses(503))
def status(context: Context) -> schemas.State:
    """Freshness and skill: newest times, versions, the latest check and verification."""
    repository, training = context.repository, context.training()
    stations, issued = repository.stations(), repository.newest_forecasts()
    return schemas.State(
        now=context.clock(),
        clock_replayed=context.clock_replayed,
        simulated=SIMULATED in stations["source"],
        n_stations=stations.height,
        newest_observed_at=max(repository.newest_observed_at().values(), default=None),
        newest_issued_at=issued.issued_at,
        next_issue_at=context.cache_policy.next_issue(context.clock()),
        model_version=issued.model_version,
        index=context.index,
        training=schemas.TrainingProgress(**asdict(training)) if training else None,
        tables=[schemas.TableState(table=t.__name__.lower(), version=repository.version(t)) for t in TABLES],
        quality=_quality_summary(repository.newest_check()),
        scores=[schemas.Score.model_validate(row) for row in repository.newest_scores().iter_rows(named=True)],
    )


@router.get("/metrics", include_in_schema=False)
def metrics(context: Context, request: Request) -> PlainTextResponse:
    """Metrics of the place from its stored tables, and request durations of this process, in Prometheus format."""
    stored = exposition(context.store, place=context.place, now=context.clock())
    own = generate_latest(request.app.state.metrics).decode()
    return PlainTextResponse(stored + own, media_type=METRICS_MEDIA_TYPE)


def _quality_summary(check: pl.DataFrame) -> schemas.QualitySummary | None:
    """Totals of one check of all series (`air.tables.Quality`); None when nothing was checked."""
    if check.is_empty():
        return None
    worst = check.sort("completeness", "station_id", "pollutant").row(0, named=True)
    n_observed, n_suspicious, n_invalid = check.select(pl.sum("n_observed", "n_suspicious", "n_invalid")).row(0)
    return schemas.QualitySummary(
        checked_at=worst["checked_at"],
        share_suspicious=n_suspicious / max(n_observed, 1),
        share_invalid=n_invalid / max(n_observed, 1),
        worst_completeness=worst["completeness"],
        worst_station_id=worst["station_id"],
        worst_pollutant=worst["pollutant"],
    )
