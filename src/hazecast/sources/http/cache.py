"""Responses kept on disk for conditional requests (ETag, Last-Modified)."""

import contextlib
import hashlib
import os
from pathlib import Path

import orjson

from hazecast.sources.http.service import OK, Request, Response

_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


class ResponseCache:
    """The last response to each request, one file each; a folder that may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, request: Request) -> Response | None:
        """The kept response to `request`; None when there is none."""
        try:
            described, _, body = self._path(request).read_bytes().partition(b"\n")
            return Response(OK, orjson.loads(described), body)
        except (OSError, orjson.JSONDecodeError):
            return None

    def keep(self, request: Request, response: Response) -> None:
        """Keep `response` if it has a validator; a folder that cannot be written keeps nothing."""
        validators = {name: response.headers[name] for name in _VALIDATORS if name in response.headers}
        if response.status != OK or not validators:
            return
        path = self._path(request)
        partial = path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(orjson.dumps(validators) + b"\n" + response.body)
            partial.replace(path)

    def _path(self, request: Request) -> Path:
        return self._folder / hashlib.sha256(request.address.encode()).hexdigest()


def conditions(kept: Response) -> dict[str, str]:
    """Headers of the conditional request for `kept`."""
    return {_VALIDATORS[name]: value for name, value in kept.headers.items()}
