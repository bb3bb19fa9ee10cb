"""Whether the API lives, whether it has something fresh to serve, and how everything is."""

from fastapi import APIRouter

import hazecast
from hazecast.air.clock import hours_between
from hazecast.air.tables import Forecasts, Observations, Quality, Runs, Scores, Stations, Weather
from hazecast.api import answers, schemas
from hazecast.api.problems import NotReady, problem_responses
from hazecast.api.service import PREFIX, Serving

TABLES = (Stations, Observations, Weather, Forecasts, Quality, Scores, Runs)

router = APIRouter(prefix=PREFIX)


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


@router.get("/status", tags=["probes"], responses=problem_responses(503))
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
        next_issue_at=serving.shelf.next_issue(serving.clock()),
        model_version=issues.model_version,
        index=serving.index,
        tables=[schemas.TableState(table=t.__name__.lower(), version=reader.version(t)) for t in TABLES],
        quality=answers.quality_summary(reader.newest_check()),
        scores=answers.score_answers(reader.newest_scores()),
    )
