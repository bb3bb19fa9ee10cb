"""Middleware around every request: request id, access log, metrics, and CORS."""

import re
import secrets
import time

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VALID_REQUEST_ID = re.compile(rb"[\w.:-]{1,128}")
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_HEADER = b"x-request-id"
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0)


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
