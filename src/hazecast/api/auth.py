"""API keys: authentication, scopes and rate limits, where the installation has a file of keys."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hazecast.api.errors import Forbidden, RateLimited, Unauthorized, problem_response
from hazecast.errors import SettingsError
from hazecast.keys import ApiKey, hash_key, read_keys

PUBLIC_PATHS = ("/api/v1/health", "/api/v1/ready", "/api/v1/openapi.json")
# Every other path needs the scope "read".
SCOPES_BY_PATH = {"/api/v1/predict": "predict", "/metrics": "metrics"}
RELOAD_SECONDS = 2.0
MINUTE_SECONDS = 60.0

log = structlog.get_logger()


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
        if scope["type"] != "http" or scope["path"] in PUBLIC_PATHS:
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
