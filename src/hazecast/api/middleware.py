"""Middleware around every request: request id, access log, metrics, CORS, API keys, rate limits, largest body."""

import ipaddress
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from cachetools import LRUCache
from prometheus_client import CollectorRegistry, Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazecast.api.errors import (
    BODY_TOO_LARGE,
    BodyTooLarge,
    Forbidden,
    RateLimited,
    Unauthorized,
    problem_response,
)
from hazecast.errors import SettingsError
from hazecast.keys import ApiKey, hash_key, read_keys

VALID_REQUEST_ID = re.compile(rb"[\w.:-]{1,128}")
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
PUBLIC_PATHS = ("/api/v1/health", "/api/v1/ready", "/api/v1/openapi.json", "/docs")
PREDICT_PATH = "/api/v1/predict"
# Every other path needs the scope "read".
SCOPES_BY_PATH = {PREDICT_PATH: "predict", "/metrics": "metrics"}
RELOAD_SECONDS = 2.0
MINUTE_SECONDS = 60.0
MAX_CLIENTS = 10_000
IPV6_CLIENT_PREFIX = 64
# Twice the largest body of /predict: 20,000 observations.
MAX_BODY_BYTES = 4_000_000
_HEADER = b"x-request-id"
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0)

log = structlog.get_logger()


class RequestLogMiddleware:
    """Gives every request an id, an access-log line and an observation in the duration histogram.

    `X-Request-ID` of the client is kept if it is valid. The log line is structured (method, path, status, milliseconds,
    request_id, client, key) and has level info, which HAZECAST_LOG_FORMAT=json shows.

    Args:
        app: the application.
        registry: Prometheus registry of the histogram.
    """

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self.app = app
        self._seconds = Histogram(
            "hazecast_api_request_seconds",
            "Request duration [s]",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )
        # Resolved once: per request the lookup costs a measurable part of a cached response.
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self._log = structlog.get_logger("hazecast.api.access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id)]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        state = scope["state"]
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._child(method, state.get("route", "none"), status).observe(seconds)
        self._log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            milliseconds=round(seconds * 1000, 2),
            request_id=state["request_id"],
            client=scope["client"][0] if scope.get("client") else None,
            key=state.get("key"),
        )

    def _child(self, method: str, route: str, status: int) -> Histogram:
        child = self._children.get((method, route, status))
        if child is None:
            child = self._children[method, route, status] = self._seconds.labels(method, route, str(status))
        return child


class VaryingCorsMiddleware(CORSMiddleware):
    """Starlette's CORS middleware that is skipped for requests without `Origin`, except for the `Vary` header."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
            return

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"vary", b"Origin")]
            await send(message)

        await self.app(scope, receive, send_varying)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == _HEADER and VALID_REQUEST_ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(16).encode()


@dataclass
class TokenBucket:
    """A token bucket that refills evenly; its capacity is one minute of requests.

    Attributes:
        per_minute: tokens added in a minute, and the capacity.
        tokens: tokens left.
        refilled_at: when `tokens` was computed, by a monotonic clock [s].
    """

    per_minute: int
    tokens: float
    refilled_at: float

    def take(self, now: float) -> float:
        """Take one token; returns 0, or the wait until there is one [s]."""
        per_second = self.per_minute / MINUTE_SECONDS
        self.tokens = min(self.per_minute, self.tokens + (now - self.refilled_at) * per_second)
        self.refilled_at = now
        if self.tokens < 1:
            return (1 - self.tokens) / per_second
        self.tokens -= 1
        return 0.0


class AuthMiddleware:
    """Requires a key with the scope of the endpoint, and enforces the key's rate limit.

    The key is sent as `X-API-Key` or `Authorization: Bearer`. Probes and the OpenAPI document are public. Rate limits
    are counted per process. Changes of the file take effect within seconds.

    Args:
        app: the application.
        keys_file: see `hazecast.keys`.

    Raises:
        SettingsError: the file cannot be read.
    """

    def __init__(self, app: ASGIApp, *, keys_file: Path) -> None:
        self.app, self._file = app, keys_file
        self._keys: Mapping[str, ApiKey] = read_keys(keys_file)
        self._buckets: dict[str, TokenBucket] = {}
        self._loaded_at = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http" or scope["path"] in PUBLIC_PATHS or scope["path"].startswith("/docs/"):
            await self.app(scope, receive, send)
            return
        try:
            scope["state"]["key"] = self._authorize(scope)
        except (Unauthorized, Forbidden, RateLimited) as error:
            await problem_response(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _authorize(self, scope: Scope) -> str:
        """Return the name of the key.

        Raises:
            Unauthorized: no key, or an unknown one.
            Forbidden: the key lacks the scope.
            RateLimited: the key has used up its requests.
        """
        token = _token(Headers(scope=scope))
        key = self._current_keys().get(hash_key(token)) if token else None
        if key is None:
            raise Unauthorized("send a valid key as X-API-Key or as Authorization: Bearer …")
        required = SCOPES_BY_PATH.get(scope["path"], "read")
        if required not in key.scopes:
            raise Forbidden(f"this key has the scope {' and '.join(key.scopes)}, not {required}")
        now = time.monotonic()
        bucket = self._buckets.setdefault(key.sha256, TokenBucket(key.per_minute, key.per_minute, now))
        wait_seconds = bucket.take(now)
        if wait_seconds:
            raise RateLimited(f"this key allows {key.per_minute} requests in a minute", int(wait_seconds) + 1)
        return key.name

    def _current_keys(self) -> Mapping[str, ApiKey]:
        if time.monotonic() - self._loaded_at > RELOAD_SECONDS:
            self._loaded_at = time.monotonic()
            try:
                self._keys = read_keys(self._file)
            except SettingsError as err:
                log.error("API keys not reloaded", reason=str(err))
        return self._keys


def _token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")


class ClientLimitMiddleware:
    """Limits the predictions of each client in a minute, where no API key identifies it.

    A client is an IPv4 address or an IPv6 /64 network. Behind a reverse proxy uvicorn takes the address from
    X-Forwarded-For, if the proxy is trusted (HAZECAST_TRUSTED_PROXIES).

    Args:
        app: the application.
        per_minute: predictions of one client in a minute; 0: no limit.
    """

    def __init__(self, app: ASGIApp, *, per_minute: int) -> None:
        self.app, self._per_minute = app, per_minute
        self._buckets: LRUCache[str, TokenBucket] = LRUCache(MAX_CLIENTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] == "http" and scope["path"] == PREDICT_PATH and self._per_minute and not _has_key(scope):
            now = time.monotonic()
            bucket = self._buckets.setdefault(_client(scope), TokenBucket(self._per_minute, self._per_minute, now))
            wait_seconds = bucket.take(now)
            if wait_seconds:
                error = RateLimited(f"{self._per_minute} predictions in a minute are allowed", int(wait_seconds) + 1)
                await problem_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BodyLimitMiddleware:
    """Refuses request bodies above MAX_BODY_BYTES, before they are read or as soon as they exceed it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reason = f"the body may have at most {MAX_BODY_BYTES:,} bytes"
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            await problem_response(BodyTooLarge(reason))(scope, receive, send)
            return
        n_bytes = 0

        async def receive_limited() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > MAX_BODY_BYTES:
                # FastAPI passes an HTTPException on; any other exception would become status 400.
                # The connection is closed, as the rest of such a body may never end.
                raise HTTPException(BODY_TOO_LARGE, reason, headers={"Connection": "close"})
            return message

        await self.app(scope, receive_limited, send)


def _has_key(scope: Scope) -> bool:
    return "key" in scope["state"]


def _client(scope: Scope) -> str:
    """The client's address; of an IPv6 address its /64 network, which one client usually has whole."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    # A socket for both families writes IPv4 addresses as ::ffff:192.0.2.1.
    mapped = address.ipv4_mapped
    return str(mapped or ipaddress.ip_network((address, IPV6_CLIENT_PREFIX), strict=False))
