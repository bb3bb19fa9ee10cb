"""Headers of every answer: an id to find it in the log by, and how long it may be kept."""

import re
import uuid

from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "X-Request-ID"
SANE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
KEEP_SECONDS = 60
NOT_KEPT = ("/api/v1/health", "/api/v1/ready", "/api/v1/status")
OK = 200


class Headers:
    """Adds X-Request-ID (the caller's own when it is sane) and Cache-Control to every answer of `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = RequestHeaders(scope=scope).get(REQUEST_ID, "")
        request_id = asked if SANE_ID.fullmatch(asked) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers["Cache-Control"] = _cache_control(scope["path"], message["status"])
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _cache_control(path: str, status: int) -> str:
    kept = status == OK and path not in NOT_KEPT
    return f"public, max-age={KEEP_SECONDS}" if kept else "no-store"
