"""HTTP caching: finished responses kept as bytes, ETags, compression and `Cache-Control`."""

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from typing import Any

import orjson
from cachetools import LRUCache
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_etags

import hazecast
from hazecast.air.clock import floor_hour
from hazecast.api import repository
from hazecast.api.background import BackgroundCache
from hazecast.api.errors import NotAcceptable, problem_response
from hazecast.api.repository import Provenance, provenance
from hazecast.schedule import FULL, PREDICTION

OK, NOT_MODIFIED = 200, 304
UNCACHED_PATHS = ("/api/v1/health", "/api/v1/ready", "/api/v1/status", "/api/v1/models", "/metrics")
# About 1,500 forecasts with an index, of 34 kB each and 6 kB compressed.
MAX_CACHED_BYTES = 64_000_000
# Objects of Python for one response: key, headers, entry of the dictionary.
BYTES_PER_RESPONSE = 1500
# Longer requests are answered, and not kept.
MAX_KEY_BYTES = 2000
# How long one request waits for the comparison with the stored tables that it starts; others do not wait [s].
MAX_CHECK_SECONDS = 2.0
# Below one TCP segment compression saves no packet.
MIN_COMPRESSED_BYTES = 1000
GZIP_LEVEL = 5
COMPRESSIBLE = (b"json", b"csv", b"text", b"geo")
NEGOTIATION_HEADERS = (b"accept", b"accept-encoding", b"if-none-match")
HELD_WARNING = (b"warning", b'110 hazecast "The stored tables cannot be read; the rows read last are served"')
MIN_AGE_SECONDS, MAX_AGE_SECONDS = 60, 600
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
    """A complete response and the request that it answers.

    Attributes:
        key: path, query and `Accept` of the request.
        route: path of the route.
        status: HTTP status.
        headers: headers, with the ETag of a successful response.
        body: body as it is.
        compressed: body with gzip encoding; None: it is not worth compressing.
        etag: the weak ETag; None: it has none.
    """

    key: Key
    route: str
    status: int
    headers: RawHeaders
    body: bytes
    compressed: bytes | None
    etag: str | None

    @cached_property
    def n_bytes(self) -> int:
        """Memory that the response and its key take."""
        text = sum(len(part) for part in self.key) + sum(len(name) + len(value) for name, value in self.headers)
        return text + len(self.body) + len(self.compressed or b"") + BYTES_PER_RESPONSE

    def encoded(self, acceptable: Sequence[str]) -> tuple[RawHeaders, bytes]:
        """Headers and body with the first acceptable content encoding that is worth its cost."""
        is_worth = self.compressed is not None or "identity" not in acceptable
        return self._gzipped if acceptable[0] == "gzip" and is_worth else (self.headers, self.body)

    @cached_property
    def _gzipped(self) -> tuple[RawHeaders, bytes]:
        body = self.compressed or gzip.compress(self.body, GZIP_LEVEL)
        kept = [(name, value) for name, value in self.headers if name != b"content-length"]
        return [*kept, (b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())], body


class ResponseCache:
    """Caches successful responses to GET as bytes, by path, query and `Accept`; one request computes, others wait.

    The cache is emptied when a table has a new version (checked at most once a second, in the background) or the minute
    changes, so that ages are right to the minute. It is bounded by the bytes that keys and responses take; the least
    recently used ones are dropped.

    Args:
        app: the application.
        generation: changes with the tables; may block.
        clock: returns the current time.
        max_age_seconds: how long clients may cache a response [s], given the current time.
        is_private: whether responses are restricted to holders of a key.
        salt: identifies the installation in ETags: what changes responses besides tables and clock.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        generation: Callable[[], Any],
        clock: Callable[[], datetime],
        max_age_seconds: Callable[[datetime], int],
        is_private: bool = False,
        salt: str = "",
    ) -> None:
        self.app = app
        self._clock, self._max_age_seconds = clock, max_age_seconds
        self._visibility = "private" if is_private else "public"
        self._salt = f"{hazecast.__version__} {salt}"
        self._tables: BackgroundCache[Any] = BackgroundCache(
            lambda _: generation(),
            name="stored tables",
            refresh_seconds=repository.VERSION_CHECK_SECONDS,
            timeout_seconds=MAX_CHECK_SECONDS,
        )
        self._responses: LRUCache[Key, CachedResponse] = LRUCache(MAX_CACHED_BYTES, lambda response: response.n_bytes)
        self._running: dict[tuple[Any, Key], asyncio.Task[CachedResponse]] = {}
        self._generation: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = _request_headers(scope)
        encodings = acceptable_encodings(headers.get(b"accept-encoding", b"").decode("latin-1"))
        if not encodings:
            refusal = NotAcceptable("available content encodings: gzip, identity")
            await problem_response(refusal)(scope, receive, send)
            return
        is_read = scope["method"] in ("GET", "HEAD")
        response = await self._get(scope, receive) if is_read else await self._call_app(scope, receive)
        scope["state"]["route"] = response.route
        await _respond(response, headers, encodings, send, with_body=scope["method"] != "HEAD")

    async def _get(self, scope: Scope, receive: Receive) -> CachedResponse:
        scope = {**scope, "method": "GET"}
        if scope["path"] in UNCACHED_PATHS:
            return await self._call_app(scope, receive)
        generation = await self._current_generation()
        key = _key(scope)
        response = self._responses.get(key)
        return response or await self._compute_once(generation, key, scope, receive)

    async def _current_generation(self) -> Any:
        tables, _ = await self._tables.get_async()
        generation = (tables, self._clock().replace(second=0, microsecond=0))
        if generation != self._generation:
            self._generation = generation
            self._responses.clear()
        return generation

    async def _compute_once(self, generation: Any, key: Key, scope: Scope, receive: Receive) -> CachedResponse:
        """Compute a response, or wait for the request that computes the same one."""
        running = self._running.get((generation, key))
        if running is None:
            running = asyncio.create_task(self._compute(generation, key, scope, receive))
            self._running[generation, key] = running
            running.add_done_callback(lambda _: self._running.pop((generation, key)))
        return await asyncio.shield(running)

    async def _compute(self, generation: Any, key: Key, scope: Scope, receive: Receive) -> CachedResponse:
        response = await self._call_app(scope, receive)
        is_small = sum(len(part) for part in key) <= MAX_KEY_BYTES and response.n_bytes <= MAX_CACHED_BYTES
        if response.status == OK and is_small and generation == self._generation:
            self._responses[key] = response
        return response

    async def _call_app(self, scope: Scope, receive: Receive) -> CachedResponse:
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        made_from = Provenance()
        token = provenance.set(made_from)
        try:
            await self.app(scope, receive, collect)
        finally:
            provenance.reset(token)
        route = getattr(scope.get("route"), "path", "none")
        return await self._finish(scope, route, start, b"".join(parts), made_from)

    async def _finish(
        self, scope: Scope, route: str, start: Message, body: bytes, made_from: Provenance
    ) -> CachedResponse:
        """The response with the headers of caching."""
        status, headers = start["status"], list(start["headers"])
        is_cacheable = scope["method"] == "GET" and status == OK and scope["path"] not in UNCACHED_PATHS
        visibility = f"{self._visibility}, max-age={self._max_age_seconds(self._clock())}"
        is_fresh = is_cacheable and not made_from.is_held
        headers += [
            (b"vary", b"Accept, Accept-Encoding"),
            (b"cache-control", visibility.encode() if is_fresh else b"no-store"),
        ]
        if made_from.is_held:
            headers.append(HELD_WARNING)
        etag = self._etag(scope, headers, made_from) if is_cacheable else None
        if etag is not None:
            headers.append((b"etag", f'W/"{etag}"'.encode()))
        compressed = (
            await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL) if _is_compressible(headers, body) else None
        )
        return CachedResponse(_key(scope), route, status, headers, body, compressed, etag)

    def _etag(self, scope: Scope, headers: RawHeaders, made_from: Provenance) -> str:
        """Identifies what the content was computed from, without ages."""
        media_type = dict(headers).get(b"content-type", b"").decode()
        query = scope["query_string"].decode("latin-1")
        parts = [self._salt, scope["path"], query, media_type, made_from.versions, made_from.values]
        return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


async def _respond(
    response: CachedResponse, headers: RequestHeaders, encodings: Sequence[str], send: Send, *, with_body: bool
) -> None:
    if _is_unchanged(headers.get(b"if-none-match"), response.etag):
        bodiless = [pair for pair in response.headers if not pair[0].startswith(b"content-")]
        await _send(send, NOT_MODIFIED, bodiless, b"")
        return
    named, body = response.encoded(encodings)
    await _send(send, response.status, named, body if with_body else b"")


@lru_cache(maxsize=200)
def acceptable_encodings(accept_encoding: str) -> tuple[str, ...]:
    """The content encodings gzip and identity as far as they are acceptable, the preferred one first.

    identity is acceptable unless it is excluded, by its name or by `*;q=0` (RFC 9110, 12.5.3).
    """
    accept = parse_accept_header(accept_encoding, Accept)
    gzip_quality = accept.quality("gzip")
    identity_quality = accept.quality("identity") if accept.find("identity") >= 0 else None
    if gzip_quality == 0:
        return () if identity_quality == 0 else ("identity",)
    if identity_quality == 0:
        return ("gzip",)
    return ("gzip", "identity") if gzip_quality >= (identity_quality or 0) else ("identity", "gzip")


def _is_unchanged(if_none_match: bytes | None, etag: str | None) -> bool:
    """Weak comparison (RFC 9110, 13.1.2)."""
    if if_none_match is None or etag is None:
        return False
    return parse_etags(if_none_match.decode("latin-1")).contains_weak(etag)


def _is_compressible(headers: RawHeaders, body: bytes) -> bool:
    media_type = dict(headers).get(b"content-type", b"")
    return len(body) >= MIN_COMPRESSED_BYTES and any(kind in media_type for kind in COMPRESSIBLE)


def _is_due(local: datetime) -> bool:
    return PREDICTION.is_due(local) or FULL.is_due(local)


def _key(scope: Scope) -> Key:
    return scope["path"], scope["query_string"], _request_headers(scope).get(b"accept", b"")


def _request_headers(scope: Scope) -> RequestHeaders:
    """The headers that select the representation; several lines of one header are one list (RFC 9110, 5.3)."""
    headers: RequestHeaders = {}
    for name, value in scope["headers"]:
        if name in NEGOTIATION_HEADERS:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
