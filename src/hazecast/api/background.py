"""Values that a background thread refreshes, for threads and for the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

import structlog

from hazecast.errors import HazecastError

Value = TypeVar("Value")

log = structlog.get_logger()


class BackgroundCache(Generic[Value]):
    """Caches a value and refreshes it in a background thread when it is read and older than `refresh_seconds`.

    Args:
        load: returns the next value, given the cached one (None at first); may be slow or raise a HazecastError.
        name: of the source, for the log.
        refresh_seconds: least time between two refreshes [s].
        timeout_seconds: how long a reader waits for the refresh when a value is cached [s]. In the event loop only the
            reader that starts a refresh waits for it.
        first_timeout_seconds: the same while no value is cached, for all readers [s].
    """

    def __init__(
        self,
        load: Callable[[Value | None], Value],
        *,
        name: str,
        refresh_seconds: float,
        timeout_seconds: float = 0.3,
        first_timeout_seconds: float = 10.0,
    ) -> None:
        self._load, self._name, self._refresh_seconds = load, name, refresh_seconds
        self._timeout_seconds, self._first_timeout_seconds = timeout_seconds, first_timeout_seconds
        self._value: Value | None = None
        self._error: HazecastError | None = None
        self._refresh: Future[None] | None = None
        self._loaded_at = float("-inf")
        self._lock = threading.Lock()

    def get(self) -> tuple[Value | None, HazecastError | None]:
        """The cached value and the error of the last refresh; (None, None) during the first load. Blocks."""
        refresh, _ = self._refreshing()
        wait([refresh], timeout=self._timeout())
        return self._value, self._error

    async def get_async(self) -> tuple[Value | None, HazecastError | None]:
        """Like `get`, without blocking the event loop."""
        refresh, is_new = self._refreshing()
        if not refresh.done() and (is_new or self._value is None):
            await asyncio.wait({asyncio.wrap_future(refresh)}, timeout=self._timeout())
        return self._value, self._error

    def _timeout(self) -> float:
        return self._first_timeout_seconds if self._value is None else self._timeout_seconds

    def _refreshing(self) -> tuple[Future[None], bool]:
        """The running refresh, or the last one if none is due; and whether it was started now."""
        with self._lock:
            is_running = self._refresh is not None and not self._refresh.done()
            is_due = time.monotonic() - self._loaded_at > self._refresh_seconds
            is_new = self._refresh is None or (is_due and not is_running)
            if self._refresh is None or is_new:
                self._refresh = Future()
                threading.Thread(target=self._run, args=(self._refresh,), daemon=True).start()
            return self._refresh, is_new

    def _run(self, done: Future[None]) -> None:
        try:
            self._value, self._error = self._load(self._value), None
        except HazecastError as err:
            self._error = err
            log.warning("refresh failed", source=self._name, reason=str(err))
        finally:
            self._loaded_at = time.monotonic()
            done.set_result(None)
