"""Every request gets an id, a line in the access log and a place in the metrics."""

import re
import secrets
import time

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SANE_ID = re.compile(rb"[\w.:-]{1,128}")
_HEADER = b"x-request-id"
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0)


class Requests:
    """Names, times, counts and logs the requests to `app`.

    `X-Request-ID` is the caller's own when it is sane. The log line is structured (method, path, status, milliseconds,
    request_id, client, key); it is at level info, which HAZECAST_LOG_FORMAT=json shows.

    Args:
        app: what answers.
        registry: where the histogram of durations is registered.
    """

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self.app = app
        self._seconds = Histogram(
            "hazecast_api_request_seconds",
            "Time to answer [s]",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )
        # Looked up and bound once: both are asked for at every request.
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

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id)]
            await send(message)

        try:
            await self.app(scope, receive, send_named)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        state = scope["state"]
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
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


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == _HEADER and SANE_ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(16).encode()
