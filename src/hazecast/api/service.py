"""What every endpoint works with, and the questions that many of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from hazecast.api import schemas
from hazecast.api.models import Models
from hazecast.api.reader import Reader
from hazecast.api.shelf import Shelf
from hazecast.store import Store

PREFIX = "/api/v1"
MOST_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Service:
    """What every endpoint works with.

    Attributes:
        store: the tables themselves, for what is not held.
        reader: the stored tables as of the clock.
        models: what the registry says.
        shelf: when the next forecast is due.
        clock: tells the time; ages are counted to it.
        clock_replayed: whether that is a replay of the past.
        stale_after_hours: an older forecast is stale [h].
        place: label of the metrics.
        index: name of the place's own index.
    """

    store: Store
    reader: Reader
    models: Models
    shelf: Shelf
    clock: Callable[[], datetime]
    clock_replayed: bool
    stale_after_hours: float
    place: str
    index: str


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
AskedIndex = Annotated[str | None, Query(description="A name from /api/v1/indices", examples=["us-epa"])]
AskedQuantiles = Annotated[
    str | None, Query(description="Comma-separated; without it all seven", examples=["q10,q50,q90"])
]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before", max_length=1000)]
Limit = Annotated[int, Query(description="Most to answer with at once", ge=1, le=MOST_AT_ONCE)]
AskedSince = Annotated[schemas.UtcTime | None, Query(description="First hour, ISO 8601 with its zone")]
AskedUntil = Annotated[schemas.UtcTime | None, Query(description="End, not included")]
Before = Annotated[schemas.UtcTime | None, Query(description="Only issues before this time; `next_before` of a page")]
