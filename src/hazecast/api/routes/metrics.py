"""Metrics as Prometheus reads them."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import generate_latest

from hazecast.api.service import Serving
from hazecast.metrics import exposition

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def metrics(serving: Serving, request: Request) -> PlainTextResponse:
    """The place's metrics from its stored tables, and this process's own times to answer."""
    stored = exposition(serving.store, place=serving.place, now=serving.clock())
    own = generate_latest(request.app.state.metrics).decode()
    return PlainTextResponse(stored + own, media_type=TEXT_FORMAT)
