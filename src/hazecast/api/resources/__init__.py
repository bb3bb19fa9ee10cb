"""The resources under /api/v1, one module each."""

from fastapi import APIRouter

from hazecast.api.resources import (
    evidence,
    forecasts,
    indices,
    models,
    state,
    stations,
    summaries,
)

router = APIRouter()
# Station ids may contain /, so `/stations/{station_id}` comes after the longer paths.
for resource in (state, forecasts, summaries, stations, indices, evidence, models):
    router.include_router(resource.router)
