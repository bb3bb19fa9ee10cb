"""How errors become answers: one table from Hazecast's errors to HTTP, all as RFC 9457 problem details."""

import logging
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from hazecast.api.schemas import Problem
from hazecast.errors import ContractError, HazecastError, NotKnown, StoreError

MEDIA_TYPE = "application/problem+json"
MOST_KNOWN = 100

log = logging.getLogger(__name__)


class NotAnswerable(HazecastError):
    """The question contradicts itself or asks for too much."""


class NothingYet(HazecastError):
    """Nothing of the kind has been stored there so far; the message says how to change that."""


class NotReady(HazecastError):
    """The API is alive but has nothing recent to serve."""


class NoModel(HazecastError):
    """No champion can be had to make a forecast with."""


class Busy(HazecastError):
    """As much is being computed as this machine should; ask again in a moment."""


class NotAcceptable(HazecastError):
    """No format that the client accepts."""


class Refused(HazecastError):
    """A key is missing, unknown or not meant for this.

    Args:
        message: what is wrong.
        status: 401 or 403.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class TooMany(HazecastError):
    """More requests than the key allows.

    Args:
        message: what is wrong.
        retry_after_seconds: when to come again [s].
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Kind(NamedTuple):
    """What a client is told about one class of errors; `detail` None: the error's own message."""

    status: int
    word: str
    title: str
    detail: str | None = None


# The nearest class in an error's line of descent counts.
KINDS: dict[type[Exception], Kind] = {
    NotKnown: Kind(404, "not-known", "Not known"),
    NothingYet: Kind(404, "nothing-yet", "Nothing there yet"),
    NotAnswerable: Kind(422, "not-answerable", "The request cannot be answered as it stands"),
    NotReady: Kind(503, "not-ready", "Not ready"),
    NotAcceptable: Kind(406, "not-acceptable", "No such format"),
    NoModel: Kind(503, "no-model", "No model to ask"),
    Busy: Kind(503, "busy", "Busy"),
    Refused: Kind(401, "refused", "Not allowed"),
    TooMany: Kind(429, "too-many", "Too many requests"),
    # These messages may name paths and buckets: they belong in the log, not in an answer.
    StoreError: Kind(
        503, "store-unavailable", "Store unavailable", "The stored tables cannot be read now; the API's log says why."
    ),
    ContractError: Kind(500, "contract-broken", "Stored rows are wrong", "Stored rows break their table's contract."),
    Exception: Kind(500, "internal", "Internal error", "The API failed; its log says why."),
}

DESCRIPTIONS = {
    401: "A key is needed",
    403: "The key is not meant for this",
    404: "Not known; `known` lists what is",
    406: "None of the accepted formats is served here",
    422: "Malformed request",
    429: "More requests than the key allows; see Retry-After",
    503: "Nothing to serve now",
}
BUSY_SECONDS = 5
UNAUTHORIZED = 401


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of the problems an endpoint answers with."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": DESCRIPTIONS[status], "content": content} for status in statuses}


def answer_errors(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(HazecastError, _of_error)


class Defects:
    """Answers a defect of `app` as a problem and logs where it happened; inside of what names and logs requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            log.error("defect [%s]", scope["state"]["request_id"], exc_info=error)
            await problem_answer(error)(scope, receive, send)


def problem_answer(error: Exception) -> JSONResponse:
    """`error` as a problem."""
    kind = _kind_of(error)
    if isinstance(error, NotKnown):
        return _answer(kind, f"unknown {error.kind} {error.asked!r}", known=error.known[:MOST_KNOWN])
    if isinstance(error, Refused):
        kind = kind._replace(status=error.status)
    answer = _answer(kind, kind.detail or str(error))
    if isinstance(error, Busy):
        answer.headers["Retry-After"] = str(BUSY_SECONDS)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Refused) and error.status == UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _of_error(request: Request, error: Exception) -> JSONResponse:
    if _kind_of(error).detail is not None:
        log.error("%s %s [%s]: %s", request.method, request.url.path, request.state.request_id, error)
    return problem_answer(error)


def _kind_of(error: Exception) -> Kind:
    return next(KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)


def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = (f"{fault['loc'][-1]}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors())
    return _answer(Kind(422, "malformed", "Malformed request"), "; ".join(faults))


def _of_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = Kind(error.status_code, "http", error.detail)
    answer = _answer(kind, f"{error.detail}; the addresses are listed in /api/v1/openapi.json")
    answer.headers.update(error.headers or {})
    return answer


def _answer(kind: Kind, detail: str, *, known: list[str] | None = None) -> JSONResponse:
    problem = Problem(
        type=f"urn:hazecast:problem:{kind.word}", title=kind.title, status=kind.status, detail=detail, known=known
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status_code=kind.status, media_type=MEDIA_TYPE)
