"""Who may ask what, and how often: API keys, where the installation has any."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hazecast.api.problems import Refused, TooMany, problem_answer
from hazecast.errors import SettingsError
from hazecast.keys import ApiKey, hash_key, read_keys

OPEN = ("/api/v1/health", "/api/v1/ready", "/api/v1/openapi.json")
SCOPE_OF = {"/api/v1/predict": "predict", "/metrics": "metrics"}
LOOK_EVERY_SECONDS = 2.0
MINUTE_SECONDS = 60.0

log = structlog.get_logger()


@dataclass
class Bucket:
    """What is left of a key's allowance: it fills evenly and holds at most a minute's worth."""

    per_minute: int
    left: float
    filled_at: float

    def take(self, now: float) -> float:
        """Take one request; how long to wait until there is one [s], 0 when it was granted."""
        per_second = self.per_minute / MINUTE_SECONDS
        self.left = min(self.per_minute, self.left + (now - self.filled_at) * per_second)
        self.filled_at = now
        if self.left < 1:
            return (1 - self.left) / per_second
        self.left -= 1
        return 0.0


class Access:
    """Lets a request pass when its key may do what it asks and has some of its allowance left.

    Keys come as `X-API-Key` or `Authorization: Bearer`. Probes and the description of the API are open. Each process
    counts for itself. Keys added or revoked in the file are noticed within seconds.

    Args:
        app: what is guarded.
        keys_file: see `hazecast.keys`.

    Raises:
        SettingsError: the file cannot be read.
    """

    def __init__(self, app: ASGIApp, *, keys_file: Path) -> None:
        self.app, self._file = app, keys_file
        self._keys: Mapping[str, ApiKey] = read_keys(keys_file)
        self._buckets: dict[str, Bucket] = {}
        self._looked_at = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        try:
            scope["state"]["key"] = self._admit(scope)
        except (Refused, TooMany) as refusal:
            await problem_answer(refusal)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _admit(self, scope: Scope) -> str:
        """Name of the key.

        Raises:
            Refused: no key, an unknown one, or one without the scope.
            TooMany: the allowance is used up.
        """
        given = _given(Headers(scope=scope))
        key = self._current().get(hash_key(given)) if given else None
        if key is None:
            raise Refused("send a valid key as X-API-Key or as Authorization: Bearer …", status=401)
        needed = SCOPE_OF.get(scope["path"], "read")
        if needed not in key.scopes:
            raise Refused(f"this key may {' and '.join(key.scopes)}, not {needed}", status=403)
        now = time.monotonic()
        bucket = self._buckets.setdefault(key.sha256, Bucket(key.per_minute, key.per_minute, now))
        wait_seconds = bucket.take(now)
        if wait_seconds:
            raise TooMany(f"this key allows {key.per_minute} requests in a minute", int(wait_seconds) + 1)
        return key.name

    def _current(self) -> Mapping[str, ApiKey]:
        if time.monotonic() - self._looked_at > LOOK_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            try:
                self._keys = read_keys(self._file)
            except SettingsError as err:
                log.error("keeping the keys as they were", reason=str(err))
        return self._keys


def _given(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
