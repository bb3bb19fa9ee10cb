"""How errors become answers: one table from Hazecast's errors to HTTP, all as RFC 9457 problem details."""

import logging
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

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
    # These messages may name paths and buckets: they belong in the log, not in an answer.
    StoreError: Kind(
        503, "store-unavailable", "Store unavailable", "The stored tables cannot be read now; the API's log says why."
    ),
    ContractError: Kind(500, "contract-broken", "Stored rows are wrong", "Stored rows break their table's contract."),
    Exception: Kind(500, "internal", "Internal error", "The API failed; its log says why."),
}

DESCRIPTIONS = {404: "Not known; `known` lists what is", 422: "Malformed request", 503: "Nothing to serve now"}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of the problems an endpoint answers with."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": DESCRIPTIONS[status], "content": content} for status in statuses}


def answer_errors(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(HazecastError, _of_error)
    app.add_exception_handler(Exception, _of_error)


def _of_error(request: Request, error: Exception) -> JSONResponse:
    kind = next(KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)
    if kind.detail is not None:
        log.error("%s %s [%s]: %s", request.method, request.url.path, request.state.request_id, error)
    if isinstance(error, NotKnown):
        return _answer(kind, f"unknown {error.kind} {error.asked!r}", known=error.known[:MOST_KNOWN])
    return _answer(kind, kind.detail or str(error))


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
