"""Registered models, the champion and its audit trail."""

from dataclasses import asdict

from fastapi import APIRouter

from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, Context
from hazecast.api.errors import problem_responses

router = APIRouter(prefix=PREFIX, tags=["models"])


@router.get("/models", responses=problem_responses(503))
def models(context: Context) -> schemas.Models:
    """Registered versions, champion, challenger and audit trail; cached while the registry is unreachable."""
    registry, snapshot = context.registry.snapshot()
    serving = context.repository.newest_forecasts().model_version
    if snapshot is None:
        return schemas.Models(
            registry=registry,
            asked_at=None,
            champion=None,
            challenger=None,
            serving=serving,
            versions=[],
            changes=[],
        )
    return schemas.Models(
        registry=registry,
        asked_at=snapshot.read_at,
        champion=snapshot.champion,
        challenger=snapshot.challenger,
        serving=serving,
        versions=[schemas.ModelVersion.model_validate(asdict(version)) for version in snapshot.versions],
        changes=[schemas.ModelChange.model_validate(asdict(change)) for change in snapshot.changes],
    )
