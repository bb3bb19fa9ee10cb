"""What the endpoints share: the context of the application, common parameters, lists and cursors."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import QUANTILES
from hazecast.api import schemas
from hazecast.api.background import BackgroundCache
from hazecast.api.cache import CachePolicy
from hazecast.api.errors import InvalidRequest
from hazecast.api.registry_cache import RegistryCache
from hazecast.api.repository import Repository, ServedStore, Snapshot
from hazecast.errors import NotKnown
from hazecast.steps.ongoing import Ongoing
from hazecast.store import Store

PREFIX = "/api/v1"
MAX_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class ApiContext:
    """What the endpoints work with.

    Attributes:
        store: the tables, for metrics.
        tables: the tables, for queries that are not cached.
        repository: the stored tables as of the clock.
        snapshots: the newest rows of the tables in brief, for probes.
        registry: the model registry.
        cache_policy: when the next forecast is due.
        clock: returns the current time; ages are counted to it.
        clock_replayed: whether the clock replays the past.
        stale_after_hours: an older forecast is stale [h].
        place: label of the metrics.
        index: name of the place's own index.
        training: the training that is running.
    """

    store: Store
    tables: ServedStore
    repository: Repository
    snapshots: BackgroundCache[Snapshot]
    registry: RegistryCache
    cache_policy: CachePolicy
    clock: Callable[[], datetime]
    clock_replayed: bool
    stale_after_hours: float
    place: str
    index: str
    training: Callable[[], Ongoing | None]


async def get_context(request: Request) -> ApiContext:
    """Dependency: the context that `create_app` attached to the application."""
    context: ApiContext = request.app.state.context
    return context


Context = Annotated[ApiContext, Depends(get_context)]
StationId = Annotated[str, Path(description="May contain /", examples=["beijing/dongsi"])]
PollutantQuery = Annotated[
    str | None, Query(description=f"{' '.join(POLLUTANTS)}; default: the first available", examples=["pm25"])
]
PollutantsQuery = Annotated[str | None, Query(description="Comma-separated; default: all", examples=["pm25,no2"])]
IssuedAtQuery = Annotated[
    schemas.UtcTime | None, Query(description="ISO 8601 with its zone", examples=["2026-11-23T06:00:00Z"])
]
IndexQuery = Annotated[str | None, Query(description="A name from /api/v1/indices", examples=["us-epa"])]
QuantilesQuery = Annotated[
    str | None,
    Query(description=f"Comma-separated, of {', '.join(QUANTILES)}; default: all", examples=["q10,q50,q90"]),
]
CursorQuery = Annotated[str | None, Query(description="`next_cursor` of the previous page", max_length=1000)]
LimitQuery = Annotated[int, Query(description="Largest number of items in the response", ge=1, le=MAX_PAGE)]
SinceQuery = Annotated[schemas.UtcTime | None, Query(description="First hour, ISO 8601 with its zone")]
UntilQuery = Annotated[schemas.UtcTime | None, Query(description="End of the span, excluded")]
BeforeQuery = Annotated[
    schemas.UtcTime | None, Query(description="Only issues before this time: `next_before` of the previous page")
]


def parse_list(kind: str, text: str, valid: Sequence[str]) -> tuple[str, ...]:
    """Split comma-separated words and check each.

    Raises:
        NotKnown: a word is not valid; the error lists those that are.
    """
    words = tuple(word.strip() for word in text.split(","))
    for word in words:
        if word not in valid:
            raise NotKnown(kind, word, list(valid))
    return words


def encode_cursor(last: str) -> str:
    """An opaque cursor for the page after `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def decode_cursor(cursor: str) -> str:
    """The argument of `encode_cursor`.

    Raises:
        InvalidRequest: the cursor is not one of this API.
    """
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as err:
        raise InvalidRequest("invalid cursor; use `next_cursor` of the previous page") from err
