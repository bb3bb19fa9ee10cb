"""What a web service is asked, what it answers and which manners it wants."""

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
    """At most `weight` within any `seconds` [s]; a sliding window, so it also holds for wall-clock windows."""

    weight: float
    seconds: float


@dataclass(frozen=True)
class Patience:
    """How long the client waits and how often it tries.

    Args:
        connect_seconds: for a connection [s].
        read_seconds: for the next bytes of an answer [s].
        answer_seconds: for a whole answer [s].
        attempts: tries of one request, the first included.
        backoff_seconds: pause before the second try, doubled for each next one, with up to as much jitter again [s].
        reopening_seconds: longest pause it sits out when a service or a budget says when to come back [s].
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    answer_seconds: float = 300.0
    attempts: int = 5
    backoff_seconds: float = 1.0
    reopening_seconds: float = 120.0


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
class Answer:
    """A complete answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def beginning(self) -> str:
        """The first words of the body, on one line."""
        return " ".join(self.body[: 4 * _SHOWN_CHARACTERS].decode(errors="replace").split())[:_SHOWN_CHARACTERS]


class BrokenAnswer(Exception):
    """An answer that is not what it should be, as after a failure in mid-stream; worth another try."""


def retry_after(answer: Answer, now: datetime) -> datetime | None:
    """When the service wants to be asked again, as its Retry-After says; None: it does not say."""
    said = answer.headers.get("retry-after", "").strip()
    if not said:
        return None
    if said.isdigit():
        return now + timedelta(seconds=int(said))
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _beginning(answer: Answer) -> str:
    return answer.beginning


@dataclass(frozen=True)
class Service:
    """A web service and its manners.

    Args:
        name: as messages call it.
        budgets: the most it may be asked.
        reopens: reads from any answer and the present time when to come back; None: no pause wanted.
        reason: the service's own words in an answer that is an error.
        answers: statuses that are answers, not errors.
        cached: whether it offers ETag or Last-Modified, so that unchanged answers need not be sent again.
        max_bytes: larger answers are refused [bytes].
        remedy: what to do when it refuses a request.
        key_remedy: what to do when it refuses the key; empty: it takes none.
    """

    name: str
    budgets: tuple[Budget, ...] = ()
    reopens: Callable[[Answer, datetime], datetime | None] = retry_after
    reason: Callable[[Answer], str] = _beginning
    answers: frozenset[int] = frozenset({OK})
    cached: bool = False
    max_bytes: int = 64 * MEBIBYTE
    remedy: str = "check the configuration of this source"
    key_remedy: str = ""


def read_json(answer: Answer) -> Any:
    """The body as JSON.

    Raises:
        BrokenAnswer: it is not JSON.
    """
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as err:
        tail = answer.body[-120:].decode(errors="replace")
        raise BrokenAnswer(f"not JSON, it ends in {tail!r}") from err
