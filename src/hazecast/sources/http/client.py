"""The one place where the network is asked, and asked again."""

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
from hazecast.sources.http.cache import AnswerCache, conditions
from hazecast.sources.http.pace import Pace
from hazecast.sources.http.service import Answer, BrokenAnswer, Patience, Request, Service

NOT_MODIFIED = 304
_TRY_AGAIN = {408, 425, 429}
_SERVER_ERRORS = range(500, 600)
_MOVED = range(300, 400)
_NO_KEY = {401, 403}
_OUR_FAULT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)

Content = TypeVar("Content")

log = logging.getLogger(__name__)


class _Unanswered(Exception):
    """A try failed; another may not."""


class HttpClient:
    """Asks services for what they have, politely and stubbornly, and says plainly when they do not deliver.

    Connection failures, timeouts, cut or broken answers and the statuses 408, 425, 429 and 5xx are tried again with
    growing, jittered pauses; nothing else is. Pauses that a service asks for are kept by all later requests too.
    Redirects are not followed: a key would go with them.

    Args:
        patience: timeouts and tries.
        cache_folder: where answers of services that offer ETag or Last-Modified are kept; None: nowhere.
        clock: the present, UTC.
        sleep: waits [s].
    """

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        cache_folder: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._patience, self._clock, self._sleep = patience or Patience(), clock, sleep
        self._cache_folder = cache_folder
        self._paces: dict[str, Pace] = {}
        set_on_retry_hooks([_tell])
        self._http = httpx.Client(
            headers={"User-Agent": f"hazecast/{__version__}"},
            timeout=httpx.Timeout(self._patience.read_seconds, connect=self._patience.connect_seconds),
        )
        finalize(self, self._http.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back its connections."""
        self._http.close()

    def now(self) -> datetime:
        """The present, by its clock, UTC."""
        return self._clock()

    def get(self, service: Service, request: Request, read: Callable[[Answer], Content]) -> Content:
        """What `read` makes of the answer of `service` to `request`.

        Args:
            service: who is asked.
            request: what is asked.
            read: turns an answer into content; may raise BrokenAnswer, which is worth another try.

        Raises:
            SourceUnavailable: no usable answer after several tries, or the service wants a longer pause.
            SourceRefused: the service will not answer this request; the message says what to change.
        """
        tries, pause = self._patience.attempts, self._patience.backoff_seconds
        retries = stamina.retry_context(
            on=_Unanswered, attempts=tries, timeout=None, wait_initial=pause, wait_max=60 * pause, wait_jitter=pause
        )
        try:
            for attempt in retries:
                with attempt:
                    return self._try(service, request, read)
        except _Unanswered as err:
            raise SourceUnavailable(
                f"{err}, {tries} times in a row ({request.address}); try again later"
            ) from err.__cause__
        raise AssertionError("unreachable: the last failed try raises")

    def _try(self, service: Service, request: Request, read: Callable[[Answer], Content]) -> Content:
        self._pace(service).wait_for(request.weight)
        cache = AnswerCache(self._cache_folder / service.name) if service.cached and self._cache_folder else None
        kept = cache.find(request) if cache else None
        answer = self._exchange(service, request, conditions(kept) if kept else {})
        if kept and answer.status == NOT_MODIFIED:
            answer = kept
        self._judge(service, request, answer)
        try:
            content = read(answer)
        except BrokenAnswer as err:
            raise _Unanswered(request.without_secrets(f"{service.name}: broken answer: {err}")) from err
        if cache:
            cache.keep(request, answer)
        return content

    def _exchange(self, service: Service, request: Request, extra_headers: Mapping[str, str]) -> Answer:
        headers = {**request.headers, **extra_headers}
        try:
            with self._http.stream("GET", request.url, params=request.params or None, headers=headers) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, names, self._body(service, request, response))
        except _OUR_FAULT as err:
            problem = request.without_secrets(str(err))
            raise SourceRefused(f"{service.name}: cannot ask {request.address}: {problem}; {service.remedy}") from err
        except httpx.RequestError as err:
            raise _Unanswered(f"{service.name}: {_in_words(err)}") from err

    def _body(self, service: Service, request: Request, response: httpx.Response) -> bytes:
        started, body = time.monotonic(), bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > service.max_bytes:
                raise SourceRefused(
                    f"{service.name}: the answer exceeds {service.max_bytes} bytes ({request.address}); "
                    "ask for fewer stations, variables or hours at once"
                )
            if time.monotonic() - started > self._patience.answer_seconds:
                limit = f"{self._patience.answer_seconds:g} s"
                raise _Unanswered(f"{service.name}: the answer was not complete after {limit}")
        return bytes(body)

    def _judge(self, service: Service, request: Request, answer: Answer) -> None:
        """Keep the pause the service asks for, and raise unless `answer` is one."""
        reason = request.without_secrets(service.reason(answer)) if answer.status not in service.answers else ""
        said = f"HTTP {answer.status} {reason}".strip()
        reopens_at = service.reopens(answer, self._clock())
        if reopens_at is not None:
            self._pace(service).close(reopens_at, f"it asks for a pause ({said})")
        if answer.status in service.answers:
            return
        if answer.status in _TRY_AGAIN or answer.status in _SERVER_ERRORS:
            raise _Unanswered(f"{service.name}: {said}")
        raise SourceRefused(f"{service.name}: {said} ({request.address}); {_remedy(service, answer)}")

    def _pace(self, service: Service) -> Pace:
        if service.name not in self._paces:
            self._paces[service.name] = Pace(
                service, longest_seconds=self._patience.reopening_seconds, clock=self._clock, sleep=self._sleep
            )
        return self._paces[service.name]


def _tell(details: RetryDetails) -> None:
    log.warning("%s; trying again in %.1f s", details.caused_by, details.wait_for)


def _in_words(err: httpx.RequestError) -> str:
    match err:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return f"no answer: no connection ({err})"
        case httpx.TimeoutException():
            return "no answer in time"
        case httpx.TransportError():
            return "no answer: the connection broke off"
    return f"no answer: what came cannot be read ({err})"


def _remedy(service: Service, answer: Answer) -> str:
    if answer.status in _MOVED:
        return f"it has moved to {answer.headers.get('location', 'an unknown place')}; change the base URL"
    return service.key_remedy if service.key_remedy and answer.status in _NO_KEY else service.remedy
