"""Requests, responses, and the limits and error format of a web service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

import httpx
import orjson

MEBIBYTE = 1024 * 1024
OK = 200
_SECRET_NAMES = {"apikey", "api_key", "x-api-key", "key", "token"}
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Budget:
    """At most `weight` within any `seconds` [s]; a sliding window, so wall-clock windows are covered too."""

    weight: float
    seconds: float


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts and retries of the client.

    Args:
        connect_seconds: for a connection [s].
        read_seconds: for the next bytes of a response [s].
        total_seconds: for a whole response [s].
        attempts: tries of one request, the first included.
        backoff_seconds: pause before the second try, doubled for each next one, with up to as much jitter again [s].
        max_wait_seconds: longest wait for a rate limit; longer ones are errors [s].
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    total_seconds: float = 300.0
    attempts: int = 5
    backoff_seconds: float = 1.0
    max_wait_seconds: float = 120.0


@dataclass(frozen=True)
class Request:
    """One GET; a parameter with several values is repeated. `weight` is what it costs of the service's budgets."""

    url: str
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0

    @property
    def address(self) -> str:
        """The full URL, fit to be shown: secrets are replaced."""
        shown = {name: "***" if name.lower() in _SECRET_NAMES else value for name, value in self.params.items()}
        return unquote(str(httpx.URL(self.url, params=shown))) if shown else self.url

    def without_secrets(self, text: str) -> str:
        """`text` with this request's secrets replaced, should a service repeat them."""
        for name, value in {**self.params, **self.headers}.items():
            if name.lower() in _SECRET_NAMES and isinstance(value, str) and value:
                text = text.replace(value, "***")
        return text


@dataclass(frozen=True)
class Response:
    """A complete response; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def beginning(self) -> str:
        """The first words of the body, on one line."""
        return " ".join(self.body[: 4 * _SHOWN_CHARACTERS].decode(errors="replace").split())[:_SHOWN_CHARACTERS]


class MalformedResponse(Exception):
    """A response that is not what it should be, as after a failure in mid-stream; worth another try."""


def retry_after(response: Response, now: datetime) -> datetime | None:
    """Time of the Retry-After header; None without one."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdigit():
        return now + timedelta(seconds=int(value))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _beginning(response: Response) -> str:
    return response.beginning


@dataclass(frozen=True)
class Service:
    """A web service, its limits and its error format.

    Args:
        name: as messages call it.
        budgets: the request budgets it allows.
        retry_at: reads from any response and the present time when to retry; None: no pause requested.
        reason: the service's own words in a response that is an error.
        accepted_statuses: statuses that are accepted_statuses, not errors.
        cached: whether it offers ETag or Last-Modified, so that unchanged responses need not be sent again.
        max_bytes: larger responses are refused [bytes].
        remedy: what to do when it refuses a request.
        key_remedy: what to do when it refuses the key; empty: it takes none.
    """

    name: str
    budgets: tuple[Budget, ...] = ()
    retry_at: Callable[[Response, datetime], datetime | None] = retry_after
    reason: Callable[[Response], str] = _beginning
    accepted_statuses: frozenset[int] = frozenset({OK})
    cached: bool = False
    max_bytes: int = 64 * MEBIBYTE
    remedy: str = "check the configuration of this source"
    key_remedy: str = ""


def read_json(response: Response) -> Any:
    """The body as JSON.

    Raises:
        MalformedResponse: it is not JSON.
    """
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError as err:
        tail = response.body[-120:].decode(errors="replace")
        raise MalformedResponse(f"not JSON, it ends in {tail!r}") from err
