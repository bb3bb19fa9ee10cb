"""Liveness, readiness, status and metrics of the installation."""

from dataclasses import asdict, replace

import polars as pl
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import generate_latest

import hazecast
from hazecast.air.clock import hours_between
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, ApiContext, Context
from hazecast.api.errors import NotReady, problem_responses
from hazecast.api.repository import Snapshot
from hazecast.metrics import exposition

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["probes"])


@router.get(f"{PREFIX}/health")
async def health(context: Context) -> schemas.Health:
    """Liveness of the process; reads no stored table."""
    return schemas.Health(version=hazecast.__version__, now=context.clock(), clock_replayed=context.clock_replayed)


@router.get(f"{PREFIX}/ready", responses=problem_responses(503))
async def ready(context: Context) -> schemas.Readiness:
    """Readiness: forecasts exist and the newest is recent enough."""
    issued_at = (await _snapshot(context)).issued_at
    remedy = "Make one with `hazecast forecast`, or check that the worker runs."
    if issued_at is None:
        raise NotReady(f"There is no forecast yet. {remedy}")
    age_hours = hours_between(issued_at, context.clock())
    if age_hours > context.stale_after_hours:
        allowed = f"{context.stale_after_hours:g} h"
        raise NotReady(f"The newest forecast is {age_hours:.0f} h old, more than the {allowed} allowed. {remedy}")
    return schemas.Readiness(issued_at=issued_at, forecast_age_hours=age_hours)


@router.get(f"{PREFIX}/status", responses=problem_responses(503))
async def status(context: Context) -> schemas.State:
    """Freshness and skill: newest times, versions, the latest check and verification."""
    snapshot, training = await _snapshot(context), context.training()
    return schemas.State(
        now=context.clock(),
        clock_replayed=context.clock_replayed,
        simulated=snapshot.simulated,
        n_stations=snapshot.n_stations,
        newest_observed_at=snapshot.newest_observed_at,
        newest_issued_at=snapshot.issued_at,
        next_issue_at=context.cache_policy.next_issue(context.clock()),
        model_version=snapshot.model_version,
        index=context.index,
        training=schemas.TrainingProgress(**asdict(training)) if training else None,
        store=_store_state(snapshot),
        tables=[schemas.TableState(table=name, version=version) for name, version in snapshot.versions.items()],
        quality=_quality_summary(snapshot.check),
        scores=[schemas.Score.model_validate(row) for row in snapshot.scores.iter_rows(named=True)],
    )


@router.get("/metrics", include_in_schema=False)
def metrics(context: Context, request: Request) -> PlainTextResponse:
    """Metrics of the place from its stored tables, and request durations of this process, in Prometheus format."""
    stored = exposition(context.store, place=context.place, now=context.clock())
    own = generate_latest(request.app.state.metrics).decode()
    return PlainTextResponse(stored + own, media_type=METRICS_MEDIA_TYPE)


async def _snapshot(context: ApiContext) -> Snapshot:
    """The newest rows of the tables, refreshed in the background; waits only while nothing was read yet.

    Raises:
        StoreError: the tables cannot be read and never were.
        NotReady: the first read has not ended yet.
    """
    snapshot, error = await context.snapshots.get_async()
    if snapshot is None:
        raise error or NotReady("The stored tables are still being read; retry in a few seconds.")
    return snapshot if error is None else replace(snapshot, is_held=True)


def _store_state(snapshot: Snapshot) -> schemas.StoreState:
    if snapshot.is_held:
        return "held"
    return "ok" if snapshot.n_stations else "empty"


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
