"""HTTP caching: finished responses kept as bytes, ETags, compression and `Cache-Control`."""

import asyncio
import gzip
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazecast.air.clock import floor_hour
from hazecast.api import repository
from hazecast.schedule import FULL, PREDICTION

OK, NOT_MODIFIED = 200, 304
UNCACHED_PATHS = ("/api/v1/health", "/api/v1/ready", "/api/v1/status", "/api/v1/models", "/metrics")
# About 2,000 forecasts with an index, of 34 kB each.
MAX_CACHED_BYTES = 64_000_000
# Below one TCP segment compression saves no packet.
MIN_COMPRESSED_BYTES = 1000
GZIP_LEVEL = 5
COMPRESSIBLE = (b"json", b"csv", b"text", b"geo")
NEGOTIATION_HEADERS = (b"accept", b"accept-encoding", b"if-none-match")
# Fields of JSON responses that follow the clock; they do not change the ETag.
VOLATILE_FIELDS = ("now", "data_age_hours", "forecast_age_hours")
MIN_AGE_SECONDS, MAX_AGE_SECONDS = 60, 600
_VOLATILE = re.compile(rf'"({"|".join(VOLATILE_FIELDS)})":[^,}}]*'.encode())
_STEP = timedelta(minutes=15)  # offsets of time zones are multiples of it
_STEPS_PER_WEEK = 7 * 24 * 4

RawHeaders = list[tuple[bytes, bytes]]
RequestHeaders = dict[bytes, bytes]
Key = tuple[str, bytes, bytes]


@dataclass(frozen=True)
class CachePolicy:
    """How long clients may cache a response: until the next forecast is due.

    Attributes:
        zone: time zone of the schedules; None: this installation has no schedule.
        clock_replayed: whether the clock replays the past, where nothing is scheduled.
    """

    zone: tzinfo | None
    clock_replayed: bool

    def next_issue(self, now: datetime) -> datetime | None:
        """When the next forecast is scheduled, UTC; None: no schedule."""
        if self.zone is None or self.clock_replayed:
            return None
        ahead = (floor_hour(now) + k * _STEP for k in range(1, _STEPS_PER_WEEK + 1))
        due = (moment for moment in ahead if moment > now and _is_due(moment.astimezone(self.zone)))
        return next(due, None)

    def max_age_seconds(self, now: datetime) -> int:
        """Seconds until the next issue, between one and ten minutes.

        The upper bound makes an unscheduled forecast visible; the lower one covers the minutes in which one is made.
        """
        due = self.next_issue(now)
        if due is None:
            return MIN_AGE_SECONDS
        return int(min(max((due - now).total_seconds(), MIN_AGE_SECONDS), MAX_AGE_SECONDS))


@dataclass(frozen=True)
class CachedResponse:
    """A complete response and the route that made it."""

    status: int
    headers: RawHeaders
    body: bytes
    route: str

    @cached_property
    def etag(self) -> bytes:
        """A weak ETag of the content without its volatile fields."""
        content = _VOLATILE.sub(b"", self.body)
        return f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'.encode()

    @cached_property
    def tagged_headers(self) -> RawHeaders:
        """Headers with the ETag."""
        return [*self.headers, (b"etag", self.etag)]

    @cached_property
    def compressed(self) -> tuple[RawHeaders, bytes]:
        """Headers and body with gzip encoding."""
        body = gzip.compress(self.body, GZIP_LEVEL)
        kept = [(name, value) for name, value in self.tagged_headers if name != b"content-length"]
        return [*kept, (b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())], body

    @cached_property
    def is_compressible(self) -> bool:
        """Whether gzip saves anything."""
        media_type = next((value for name, value in self.headers if name == b"content-type"), b"")
        return len(self.body) >= MIN_COMPRESSED_BYTES and any(kind in media_type for kind in COMPRESSIBLE)


class ResponseCache:
    """Caches successful responses to GET as bytes, by path, query and `Accept`.

    The cache is emptied when a table has a new version (checked at most once a second) or the minute changes, so that
    ages are right to the minute.

    Args:
        app: the application.
        generation: changes with the tables; may block for a moment.
        clock: returns the current time.
        max_age_seconds: how long clients may cache a response [s], given the current time.
        is_private: whether responses are restricted to holders of a key.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        generation: Callable[[], Any],
        clock: Callable[[], datetime],
        max_age_seconds: Callable[[datetime], int],
        is_private: bool = False,
    ) -> None:
        self.app = app
        self._read_generation, self._clock, self._max_age_seconds = generation, clock, max_age_seconds
        self._visibility = "private" if is_private else "public"
        self._responses: dict[Key, CachedResponse] = {}
        self._n_bytes = 0
        self._generation: Any = None
        self._checked_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            response = await self._call_app(scope, receive)
            await _send(send, response.status, response.headers, response.body)
            return
        headers = _request_headers(scope)
        await self._invalidate()
        response = await self._get(scope, receive, headers)
        scope["state"]["route"] = response.route
        await self._respond(response, headers, send, with_body=scope["method"] == "GET")

    async def _invalidate(self) -> None:
        """Empty the cache if the tables or the minute changed; one request a second checks, the others do not wait."""
        if time.monotonic() - self._checked_at >= repository.VERSION_CHECK_SECONDS:
            self._checked_at = time.monotonic()
            tables = await asyncio.to_thread(self._read_generation)
        else:
            tables = self._generation and self._generation[0]
        generation = (tables, self._clock().replace(second=0, microsecond=0))
        if generation != self._generation:
            self._generation, self._n_bytes = generation, 0
            self._responses.clear()

    async def _get(self, scope: Scope, receive: Receive, headers: RequestHeaders) -> CachedResponse:
        key = scope["path"], scope["query_string"], headers.get(b"accept", b"")
        response = self._responses.get(key)
        if response is not None:
            return response
        generation = self._generation
        response = await self._call_app({**scope, "method": "GET"}, receive)
        if _is_cacheable(scope, response.status) and generation == self._generation:
            self._put(key, response)
        return response

    def _put(self, key: Key, response: CachedResponse) -> None:
        if self._n_bytes + len(response.body) > MAX_CACHED_BYTES:
            self._responses.clear()
            self._n_bytes = 0
        if len(response.body) <= MAX_CACHED_BYTES:
            self._responses[key] = response
            self._n_bytes += len(response.body)

    async def _call_app(self, scope: Scope, receive: Receive) -> CachedResponse:
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(scope, receive, collect)
        route = getattr(scope.get("route"), "path", "none")
        scope["state"]["route"] = route
        headers = [
            *start["headers"],
            (b"vary", b"Accept, Accept-Encoding"),
            self._cache_control(scope, start["status"]),
        ]
        return CachedResponse(start["status"], headers, b"".join(parts), route)

    def _cache_control(self, scope: Scope, status: int) -> tuple[bytes, bytes]:
        is_cacheable = scope["method"] == "GET" and _is_cacheable(scope, status)
        value = f"{self._visibility}, max-age={self._max_age_seconds(self._clock())}" if is_cacheable else "no-store"
        return b"cache-control", value.encode()

    async def _respond(self, response: CachedResponse, headers: RequestHeaders, send: Send, *, with_body: bool) -> None:
        if response.status != OK:
            await _send(send, response.status, response.headers, response.body if with_body else b"")
        elif _matches(headers.get(b"if-none-match"), response.etag):
            bodiless = [pair for pair in response.tagged_headers if not pair[0].startswith(b"content-")]
            await _send(send, NOT_MODIFIED, bodiless, b"")
        else:
            is_plain = not response.is_compressible or b"gzip" not in headers.get(b"accept-encoding", b"")
            named, body = (response.tagged_headers, response.body) if is_plain else response.compressed
            await _send(send, OK, named, body if with_body else b"")


def _is_due(local: datetime) -> bool:
    return PREDICTION.is_due(local) or FULL.is_due(local)


def _is_cacheable(scope: Scope, status: int) -> bool:
    return status == OK and scope["path"] not in UNCACHED_PATHS


def _request_headers(scope: Scope) -> RequestHeaders:
    """The headers that select the representation; several lines of one header are one list (RFC 9110, 5.3)."""
    headers: RequestHeaders = {}
    for name, value in scope["headers"]:
        if name in NEGOTIATION_HEADERS:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def _matches(if_none_match: bytes | None, etag: bytes) -> bool:
    """Weak comparison (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == b"*" or etag.removeprefix(b"W/") in (
        one.strip().removeprefix(b"W/") for one in if_none_match.split(b",")
    )


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
