"""Errors as HTTP responses: one table from exception classes to RFC 9457 problem details."""

import logging
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from hazecast.api.schemas import Problem
from hazecast.errors import ContractError, HazecastError, NotKnown, StoreError

MEDIA_TYPE = "application/problem+json"
# `known` is a courtesy for people; the list endpoints return everything, page by page.
MAX_KNOWN = 100
BUSY_RETRY_SECONDS, STORE_RETRY_SECONDS = 5, 10
UNAUTHORIZED, FORBIDDEN, BODY_TOO_LARGE = 401, 403, 413

log = logging.getLogger(__name__)


class InvalidRequest(HazecastError):
    """A parameter is unknown, or parameters contradict each other or exceed a limit.

    Args:
        message: what is wrong.
        known: the valid words, if there is a list of them.
    """

    def __init__(self, message: str, *, known: Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.known = known


class NoData(HazecastError):
    """Nothing of the kind has been stored there yet; the message names the remedy."""


class NotReady(HazecastError):
    """The API is alive but has no recent forecast to serve."""


class ModelUnavailable(HazecastError):
    """There is no champion to forecast with."""


class Busy(HazecastError):
    """The concurrency limit is reached; retry in a moment."""


class NotAcceptable(HazecastError):
    """None of the requested formats is available at this endpoint."""


class Unauthorized(HazecastError):
    """The API key is missing or unknown."""


class Forbidden(HazecastError):
    """The API key lacks the scope."""


class BodyTooLarge(HazecastError):
    """The body of the request is larger than allowed."""


class NoTables(StoreError):
    """No table was ever stored, or their storage is not mounted; the message names the remedy."""


class RateLimited(HazecastError):
    """The client has used up its requests.

    Args:
        message: what is wrong.
        retry_after_seconds: when to retry [s].
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ProblemType(NamedTuple):
    """How one class of errors is reported; `detail` None: the error's own message."""

    status: int
    slug: str
    title: str
    detail: str | None = None


# The nearest base class counts.
PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    NotKnown: ProblemType(404, "not-known", "Not found"),
    NoData: ProblemType(404, "nothing-yet", "No data yet"),
    InvalidRequest: ProblemType(422, "not-answerable", "Invalid request"),
    NotReady: ProblemType(503, "not-ready", "Not ready"),
    NotAcceptable: ProblemType(406, "not-acceptable", "Not acceptable"),
    ModelUnavailable: ProblemType(503, "no-model", "Model unavailable"),
    Busy: ProblemType(503, "busy", "Server busy"),
    Unauthorized: ProblemType(UNAUTHORIZED, "refused", "Unauthorized"),
    Forbidden: ProblemType(FORBIDDEN, "refused", "Forbidden"),
    RateLimited: ProblemType(429, "too-many", "Too many requests"),
    BodyTooLarge: ProblemType(BODY_TOO_LARGE, "too-large", "Request body too large"),
    NoTables: ProblemType(503, "store-unavailable", "No stored tables"),
    # These messages may contain paths and bucket names, so they are logged and not sent.
    StoreError: ProblemType(
        503, "store-unavailable", "Store unavailable", "The stored tables cannot be read now; see the log of the API."
    ),
    ContractError: ProblemType(
        500, "contract-broken", "Invalid stored data", "Stored rows violate the contract of their table."
    ),
    Exception: ProblemType(500, "internal", "Internal server error", "The API failed; see its log."),
}
ENUMERATIONS = ("enum", "literal_error")
# A body of 20,000 rows may have as many faults.
MAX_FAULTS = 20
MALFORMED = ProblemType(422, "malformed", "Malformed request")

DESCRIPTIONS = {
    400: "The body cannot be read",
    401: "API key required",
    403: "The API key lacks the scope",
    404: "Not found, or no data yet; `known` lists the valid values",
    406: "None of the accepted formats is available here",
    422: "Invalid request",
    413: "The body of the request is too large",
    429: "Rate limit exceeded; see Retry-After",
    503: "Temporarily unavailable",
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the error responses of an endpoint for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": DESCRIPTIONS[status], "content": content} for status in statuses}


def add_error_handlers(app: FastAPI) -> None:
    """Return every error of `app` as a problem."""
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(HazecastError, _handle_error)


class UnhandledErrorMiddleware:
    """Logs unhandled exceptions of `app` with the request id and returns them as a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            log.error("unhandled exception [%s]", scope["state"]["request_id"], exc_info=error)
            await problem_response(error)(scope, receive, send)


def problem_response(error: Exception) -> JSONResponse:
    """The response for `error`."""
    kind = _problem_type(error)
    if isinstance(error, NotKnown):
        return _response(kind, f"unknown {error.kind} {error.requested!r}", known=error.known[:MAX_KNOWN])
    known = list(error.known) if isinstance(error, InvalidRequest) and error.known else None
    response = _response(kind, kind.detail or str(error), known=known)
    if (seconds := _retry_after_seconds(error)) is not None:
        response.headers["Retry-After"] = str(seconds)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _retry_after_seconds(error: Exception) -> int | None:
    if isinstance(error, RateLimited):
        return error.retry_after_seconds
    if isinstance(error, Busy):
        return BUSY_RETRY_SECONDS
    return STORE_RETRY_SECONDS if isinstance(error, StoreError) else None


def _handle_error(request: Request, error: Exception) -> JSONResponse:
    if _problem_type(error).detail is not None:
        log.error("%s %s [%s]: %s", request.method, request.url.path, request.state.request_id, error)
    return problem_response(error)


def _handle_validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    reasons = (f"{fault['loc'][-1]}: {fault['msg'].removeprefix('Value error, ')}" for fault in faults[:MAX_FAULTS])
    # Pydantic writes the words of an enumeration as 'a', 'b' or 'c'.
    words = [re.findall(r"'([^']*)'", fault["ctx"]["expected"]) for fault in faults if fault["type"] in ENUMERATIONS]
    return _response(MALFORMED, "; ".join(reasons), known=words[0] if words else None)


def _handle_http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == BODY_TOO_LARGE:
        response = problem_response(BodyTooLarge(error.detail))
        response.headers.update(error.headers or {})
        return response
    kind = ProblemType(error.status_code, "http", error.detail)
    response = _response(kind, f"{error.detail}; the endpoints are listed in /api/v1/openapi.json")
    response.headers.update(error.headers or {})
    return response


def _problem_type(error: Exception) -> ProblemType:
    return next(PROBLEM_TYPES[cls] for cls in type(error).__mro__ if cls in PROBLEM_TYPES)


def _response(kind: ProblemType, detail: str, *, known: list[str] | None = None) -> JSONResponse:
    problem = Problem(
        type=f"urn:hazecast:problem:{kind.slug}", title=kind.title, status=kind.status, detail=detail, known=known
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status_code=kind.status, media_type=MEDIA_TYPE)
