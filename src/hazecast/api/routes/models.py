"""The models behind the forecasts."""

from dataclasses import asdict

from fastapi import APIRouter

from hazecast.api import schemas
from hazecast.api.problems import problem_responses
from hazecast.api.service import PREFIX, Serving

router = APIRouter(prefix=PREFIX, tags=["models"])


@router.get("/models", responses=problem_responses(503))
def models(serving: Serving) -> schemas.Models:
    """Registered versions, champion and challenger, and the audit trail; held while the registry is silent."""
    registry, told = serving.models.tell()
    serving_version = serving.reader.newest_issues().model_version
    if told is None:
        return schemas.Models(
            registry=registry,
            asked_at=None,
            champion=None,
            challenger=None,
            serving=serving_version,
            versions=[],
            changes=[],
        )
    return schemas.Models(
        registry=registry,
        asked_at=told.asked_at,
        champion=told.champion,
        challenger=told.challenger,
        serving=serving_version,
        versions=[schemas.ModelVersion.model_validate(asdict(version)) for version in told.versions],
        changes=[schemas.ModelChange.model_validate(asdict(change)) for change in told.changes],
    )
