"""What the endpoints share: the context of the application, common parameters, lists and cursors."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Path, Query, Request, Response

from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import QUANTILES
from hazecast.api import schemas
from hazecast.api.background import BackgroundCache
from hazecast.api.cache import CachePolicy
from hazecast.api.errors import InvalidRequest
from hazecast.api.registry_cache import RegistryCache
from hazecast.api.repository import Repository, ServedStore, Snapshot
from hazecast.errors import NotKnown
from hazecast.monitoring import Rules
from hazecast.steps.ongoing import Ongoing
from hazecast.store import Store

PREFIX = "/api/v1"
MAX_PAGE = 1000
SEVERAL = "Several: comma-separated, or the parameter repeated"


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
        title: name of the place for people.
        index: name of the place's own index.
        alert_rules: conditions for warnings to the public.
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
    title: str
    index: str
    alert_rules: Rules
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
PollutantsQuery = Annotated[
    list[str], Query(default_factory=list, description=f"Of {', '.join(POLLUTANTS)}; default: all. {SEVERAL}")
]
StationsQuery = Annotated[list[str], Query(default_factory=list, description=f"Default: all. {SEVERAL}")]
IssuedAtQuery = Annotated[
    schemas.UtcTime | None, Query(description="ISO 8601 with its zone", examples=["2026-11-23T06:00:00Z"])
]
IndexQuery = Annotated[str | None, Query(description="A name from /api/v1/indices", examples=["us-epa"])]
QuantilesQuery = Annotated[
    list[str], Query(default_factory=list, description=f"Of {', '.join(QUANTILES)}; default: all. {SEVERAL}")
]
CursorQuery = Annotated[str | None, Query(description="`next_cursor` of the previous page", max_length=1000)]
LimitQuery = Annotated[int, Query(description="Largest number of items in the response", ge=1, le=MAX_PAGE)]
SinceQuery = Annotated[schemas.UtcTime | None, Query(description="First hour, ISO 8601 with its zone")]
UntilQuery = Annotated[schemas.UtcTime | None, Query(description="End of the span, excluded")]
BeforeQuery = Annotated[
    schemas.UtcTime | None, Query(description="Only issues before this time: `next_before` of the previous page")
]


def parse_list(kind: str, given: Sequence[str], valid: Sequence[str]) -> tuple[str, ...]:
    """Words of a parameter that takes several: comma-separated, repeated or both; each once, in the order given.

    A valid word that contains commas has to be given as one value.

    Raises:
        NotKnown: a word is not valid; the error lists those that are.
    """
    allowed = set(valid)
    parts = [[value] if value in allowed else value.split(",") for value in given]
    words = tuple(dict.fromkeys(word.strip() for words in parts for word in words))
    for word in words:
        if word not in allowed:
            raise NotKnown(kind, word, list(valid))
    return words


def require_word(name: str, value: str | None, valid: Sequence[str]) -> None:
    """Check the value of an optional parameter against a fixed list.

    Raises:
        InvalidRequest: it is not in the list.
    """
    if value is not None and value not in valid:
        raise InvalidRequest(f"unknown {name} {value!r}; known: {', '.join(valid)}", known=valid)


class Paging:
    """Dependency: describes the position of a page in the headers, the same way in every format."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request, self._response = request, response

    def headers(self, total: int, **following: str | None) -> dict[str, str]:
        """Headers of this page, which are also set for responses that FastAPI renders.

        Args:
            total: number of items on all pages.
            following: the parameter that requests the next page; None: this is the last one.
        """
        headers = {"X-Total-Count": str(total)}
        changed = {name: value for name, value in following.items() if value is not None}
        if changed:
            kept = [pair for pair in self._request.query_params.multi_items() if pair[0] not in changed]
            # Relative to the requested address, so that it is right behind any proxy.
            headers["Link"] = f'<?{urlencode([*kept, *changed.items()])}>; rel="next"'
        self._response.headers.update(headers)
        return headers


PagingQuery = Annotated[Paging, Depends(Paging)]


def encode_cursor(kind: str, last: str) -> str:
    """An opaque cursor for the page of a list of this kind after `last`."""
    return base64.urlsafe_b64encode(f"{kind}:{last}".encode()).decode()


def decode_cursor(kind: str, cursor: str) -> str:
    """The argument `last` of `encode_cursor`.

    Raises:
        InvalidRequest: the cursor is not one of a list of this kind.
    """
    try:
        found, separator, last = (
            base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode().partition(":")
        )
    except ValueError:
        found, separator, last = "", "", ""
    if found != kind or not separator:
        raise InvalidRequest("invalid cursor; use `next_cursor` of the previous page of the same list")
    return last
