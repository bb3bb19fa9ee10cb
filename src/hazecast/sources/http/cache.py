"""Answers kept on disk, so that a service need only say that nothing has changed."""

import contextlib
import hashlib
import os
from pathlib import Path

import orjson

from hazecast.sources.http.service import OK, Answer, Request

_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


class AnswerCache:
    """The last answer to each request, one file each; a folder that may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, request: Request) -> Answer | None:
        """The kept answer to `request`; None when there is none."""
        try:
            described, _, body = self._path(request).read_bytes().partition(b"\n")
            return Answer(OK, orjson.loads(described), body)
        except (OSError, orjson.JSONDecodeError):
            return None

    def keep(self, request: Request, answer: Answer) -> None:
        """Keep `answer` if it can be asked for conditionally; a folder that cannot be written keeps nothing."""
        validators = {name: answer.headers[name] for name in _VALIDATORS if name in answer.headers}
        if answer.status != OK or not validators:
            return
        path = self._path(request)
        partial = path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(orjson.dumps(validators) + b"\n" + answer.body)
            partial.replace(path)

    def _path(self, request: Request) -> Path:
        return self._folder / hashlib.sha256(request.address.encode()).hexdigest()


def conditions(kept: Answer) -> dict[str, str]:
    """The headers that ask whether `kept` is still current."""
    return {_VALIDATORS[name]: value for name, value in kept.headers.items()}
