"""Answers as bytes: made once, kept while nothing changes, named by ETag, compressed, and sent again as they are."""

import asyncio
import gzip
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazecast.api import reader

OK, NOT_MODIFIED, BAD = 200, 304, 400
NOT_KEPT = ("/api/v1/health", "/api/v1/ready", "/api/v1/status", "/api/v1/models", "/metrics")
MOST_KEPT_BYTES = 64_000_000
SMALLEST_TO_COMPRESS = 1000
GZIP_LEVEL = 5
OF_DELIVERY = (b"accept", b"accept-encoding", b"if-none-match")
COMPRESSIBLE = (b"json", b"csv", b"text", b"geo")
# What a clock changes in an answer does not make it another one.
CLOCKED = re.compile(rb'"(now|data_age_hours|forecast_age_hours)":[^,}]*')

RawHeaders = list[tuple[bytes, bytes]]
Key = tuple[str, bytes, bytes]
Asked = dict[bytes, bytes]


@dataclass(frozen=True)
class Made:
    """A complete answer."""

    status: int
    headers: RawHeaders
    body: bytes
    route: str

    @cached_property
    def etag(self) -> bytes:
        """Weak: the same content at another time of the clock is the same answer."""
        bare = CLOCKED.sub(b"", self.body)
        return f'W/"{hashlib.blake2b(bare, digest_size=12).hexdigest()}"'.encode()

    @cached_property
    def named(self) -> RawHeaders:
        """Headers with the ETag."""
        return [*self.headers, (b"etag", self.etag)]

    @cached_property
    def compressed(self) -> tuple[RawHeaders, bytes]:
        """Headers and body under gzip."""
        body = gzip.compress(self.body, GZIP_LEVEL)
        kept = [(name, value) for name, value in self.named if name != b"content-length"]
        return [*kept, (b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())], body

    @cached_property
    def is_compressible(self) -> bool:
        """Whether gzip pays."""
        kind = next((value for name, value in self.headers if name == b"content-type"), b"")
        return len(self.body) >= SMALLEST_TO_COMPRESS and any(word in kind for word in COMPRESSIBLE)


class Delivery:
    """Delivers the answers of `app`.

    Answers to GET are kept until a table behind them has a new version (looked up at most once a second) or the
    minute ends: ages are right to the minute.

    Args:
        app: makes the answers.
        generation: changes with the tables; may take a moment.
        clock: whose minutes count.
        keep_seconds: how long clients may keep an answer.
        is_private: whether answers are for the holders of keys only.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        generation: Callable[[], Any],
        clock: Callable[[], datetime],
        keep_seconds: Callable[[datetime], int],
        is_private: bool = False,
    ) -> None:
        self.app = app
        self._ask_generation, self._clock, self._keep_seconds = generation, clock, keep_seconds
        self._audience = "private" if is_private else "public"
        self._kept: dict[Key, Made] = {}
        self._n_bytes = 0
        self._generation: Any = None
        self._asked_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            made = await self._make(scope, receive)
            await _send(send, made.status, made.headers, made.body)
            return
        headers = _asked(scope)
        await self._refresh()
        made = await self._find(scope, receive, headers)
        scope["state"]["route"] = made.route
        await self._deliver(made, headers, send, with_body=scope["method"] == "GET")

    async def _refresh(self) -> None:
        """Empty the shelf when the tables or the minute changed; one request a second looks, the others go on."""
        if time.monotonic() - self._asked_at >= reader.VERSION_CHECK_SECONDS:
            self._asked_at = time.monotonic()
            tables = await asyncio.to_thread(self._ask_generation)
        else:
            tables = self._generation and self._generation[0]
        generation = (tables, self._clock().replace(second=0, microsecond=0))
        if generation != self._generation:
            self._generation, self._n_bytes = generation, 0
            self._kept.clear()

    async def _find(self, scope: Scope, receive: Receive, headers: Asked) -> Made:
        key = scope["path"], scope["query_string"], headers.get(b"accept", b"")
        made = self._kept.get(key)
        if made is not None:
            return made
        generation = self._generation
        made = await self._make({**scope, "method": "GET"}, receive)
        if made.status == OK and scope["path"] not in NOT_KEPT and generation == self._generation:
            self._keep(key, made)
        return made

    def _keep(self, key: Key, made: Made) -> None:
        if self._n_bytes + len(made.body) > MOST_KEPT_BYTES:
            self._kept.clear()
            self._n_bytes = 0
        if len(made.body) <= MOST_KEPT_BYTES:
            self._kept[key] = made
            self._n_bytes += len(made.body)

    async def _make(self, scope: Scope, receive: Receive) -> Made:
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
        headers = [*start["headers"], (b"vary", b"Accept, Accept-Encoding"), self._cache_control(scope, start)]
        return Made(start["status"], headers, b"".join(parts), route)

    def _cache_control(self, scope: Scope, start: Message) -> tuple[bytes, bytes]:
        kept = start["status"] == OK and scope["method"] == "GET" and scope["path"] not in NOT_KEPT
        value = f"{self._audience}, max-age={self._keep_seconds(self._clock())}" if kept else "no-store"
        return b"cache-control", value.encode()

    async def _deliver(self, made: Made, headers: Asked, send: Send, *, with_body: bool) -> None:
        if made.status != OK:
            await _send(send, made.status, made.headers, made.body if with_body else b"")
        elif _matches(headers.get(b"if-none-match"), made.etag):
            bodiless = [pair for pair in made.named if not pair[0].startswith(b"content-")]
            await _send(send, NOT_MODIFIED, bodiless, b"")
        else:
            is_small = not made.is_compressible or b"gzip" not in headers.get(b"accept-encoding", b"")
            named, body = (made.named, made.body) if is_small else made.compressed
            await _send(send, OK, named, body if with_body else b"")


def _asked(scope: Scope) -> Asked:
    """What the client said of the answer it wants; several lines of one header are one list (RFC 9110, 5.3)."""
    headers: Asked = {}
    for name, value in scope["headers"]:
        if name in OF_DELIVERY:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def _matches(asked: bytes | None, etag: bytes) -> bool:
    """Weak comparison (RFC 9110, 13.1.2)."""
    if asked is None:
        return False
    return asked.strip() == b"*" or etag.removeprefix(b"W/") in (
        one.strip().removeprefix(b"W/") for one in asked.split(b",")
    )


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
