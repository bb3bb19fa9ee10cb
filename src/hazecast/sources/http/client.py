"""The HTTP client of all sources: every request and every retry goes through it."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar
from weakref import finalize

import httpx
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from hazecast import __version__
from hazecast.errors import SourceRefused, SourceUnavailable
from hazecast.sources.http.cache import ResponseCache, conditions
from hazecast.sources.http.rate_limit import RateLimiter
from hazecast.sources.http.service import MalformedResponse, Request, Response, RetryPolicy, Service

NOT_MODIFIED = 304
_TRY_AGAIN = {408, 425, 429}
_SERVER_ERRORS = range(500, 600)
_MOVED = range(300, 400)
_NO_KEY = {401, 403}
_OUR_FAULT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)

Content = TypeVar("Content")

log = logging.getLogger(__name__)


class _RetryableError(Exception):
    """An attempt failed; a retry may succeed."""


class HttpClient:
    """GET requests with timeouts, retries, rate limits and conditional requests; failures become plain errors.

    Retried with exponential, jittered backoff: connection failures, timeouts, cut or malformed responses and the
    statuses 408, 425, 429 and 5xx; nothing else. A requested pause (Retry-After) applies to all later requests.
    Redirects are not followed: they would leak the key.

    Args:
        retry_policy: timeouts and attempts.
        cache_folder: where responses of services that offer ETag or Last-Modified are kept; None: nowhere.
        clock: the present, UTC.
        sleep: waits [s].
    """

    def __init__(
        self,
        *,
        retry_policy: RetryPolicy | None = None,
        cache_folder: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251 - the default; tests pass another
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._retry_policy, self._clock, self._sleep = retry_policy or RetryPolicy(), clock, sleep
        self._cache_folder = cache_folder
        self._rate_limiters: dict[str, RateLimiter] = {}
        set_on_retry_hooks([_log_retry])
        self._http = httpx.Client(
            headers={"User-Agent": f"hazecast/{__version__}"},
            timeout=httpx.Timeout(self._retry_policy.read_seconds, connect=self._retry_policy.connect_seconds),
        )
        finalize(self, self._http.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def now(self) -> datetime:
        """The present, by its clock, UTC."""
        return self._clock()

    def get(self, service: Service, request: Request, read: Callable[[Response], Content]) -> Content:
        """The parsed response of `service` to `request`.

        Args:
            service: the service to query.
            request: the request.
            read: turns a response into content; may raise MalformedResponse, which is retried.

        Raises:
            SourceUnavailable: no usable response after several tries, or the service wants a longer pause.
            SourceRefused: the service refuses this request; the message names the remedy.
        """
        tries, pause = self._retry_policy.attempts, self._retry_policy.backoff_seconds
        retries = stamina.retry_context(
            on=_RetryableError, attempts=tries, timeout=None, wait_initial=pause, wait_max=60 * pause, wait_jitter=pause
        )
        try:
            for attempt in retries:
                with attempt:
                    return self._try(service, request, read)
        except _RetryableError as err:
            raise SourceUnavailable(
                f"{err}, {tries} times in a row ({request.address}); try again later"
            ) from err.__cause__
        raise AssertionError("unreachable: the last failed try raises")

    def _try(self, service: Service, request: Request, read: Callable[[Response], Content]) -> Content:
        self._rate_limiter(service).wait_for(request.weight)
        cache = ResponseCache(self._cache_folder / service.name) if service.cached and self._cache_folder else None
        kept = cache.find(request) if cache else None
        response = self._exchange(service, request, conditions(kept) if kept else {})
        if kept and response.status == NOT_MODIFIED:
            response = kept
        self._judge(service, request, response)
        try:
            content = read(response)
        except MalformedResponse as err:
            raise _RetryableError(request.without_secrets(f"{service.name}: malformed response: {err}")) from err
        if cache:
            cache.keep(request, response)
        return content

    def _exchange(self, service: Service, request: Request, extra_headers: Mapping[str, str]) -> Response:
        headers = {**request.headers, **extra_headers}
        try:
            with self._http.stream("GET", request.url, params=request.params or None, headers=headers) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status_code, names, self._body(service, request, response))
        except _OUR_FAULT as err:
            problem = request.without_secrets(str(err))
            raise SourceRefused(
                f"{service.name}: cannot request {request.address}: {problem}; {service.remedy}"
            ) from err
        except httpx.RequestError as err:
            raise _RetryableError(f"{service.name}: {_in_words(err)}") from err

    def _body(self, service: Service, request: Request, response: httpx.Response) -> bytes:
        started, body = time.monotonic(), bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > service.max_bytes:
                raise SourceRefused(
                    f"{service.name}: the response exceeds {service.max_bytes} bytes ({request.address}); "
                    "request fewer stations, variables or hours at once"
                )
            if time.monotonic() - started > self._retry_policy.total_seconds:
                limit = f"{self._retry_policy.total_seconds:g} s"
                raise _RetryableError(f"{service.name}: the response was not complete after {limit}")
        return bytes(body)

    def _judge(self, service: Service, request: Request, response: Response) -> None:
        """Apply a requested pause, and raise unless the status is accepted."""
        reason = (
            request.without_secrets(service.reason(response))
            if response.status not in service.accepted_statuses
            else ""
        )
        described = f"HTTP {response.status} {reason}".strip()
        retry_at = service.retry_at(response, self._clock())
        if retry_at is not None:
            self._rate_limiter(service).close(retry_at, f"it requested a pause ({described})")
        if response.status in service.accepted_statuses:
            return
        if response.status in _TRY_AGAIN or response.status in _SERVER_ERRORS:
            raise _RetryableError(f"{service.name}: {described}")
        raise SourceRefused(f"{service.name}: {described} ({request.address}); {_remedy(service, response)}")

    def _rate_limiter(self, service: Service) -> RateLimiter:
        if service.name not in self._rate_limiters:
            self._rate_limiters[service.name] = RateLimiter(
                service, max_wait_seconds=self._retry_policy.max_wait_seconds, clock=self._clock, sleep=self._sleep
            )
        return self._rate_limiters[service.name]


def _log_retry(details: RetryDetails) -> None:
    log.warning("%s; trying again in %.1f s", details.caused_by, details.wait_for)


def _in_words(err: httpx.RequestError) -> str:
    match err:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return f"no response: no connection ({err})"
        case httpx.TimeoutException():
            return "no response in time"
        case httpx.TransportError():
            return "no response: the connection broke off"
    return f"no response: what came cannot be read ({err})"


def _remedy(service: Service, response: Response) -> str:
    if response.status in _MOVED:
        return f"it has moved to {response.headers.get('location', 'an unknown place')}; change the base URL"
    return service.key_remedy if service.key_remedy and response.status in _NO_KEY else service.remedy
