"""The addresses under /api/v1, by subject."""

from fastapi import APIRouter

from hazecast.api.routes import air, evidence, forecasts, metrics, models, predict, probes, stations

router = APIRouter()
# Station ids may contain /, so what is more special comes first.
for part in (probes, forecasts, stations, air, evidence, models, predict):
    router.include_router(part.router)
router.include_router(metrics.router)
