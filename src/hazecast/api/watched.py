"""Something asked of a slow service in a thread of its own: the last answer is held, and nobody waits long."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from hazecast.errors import HazecastError

Told = TypeVar("Told")

log = structlog.get_logger()


class Watched(Generic[Told]):
    """The newest answer of `ask`, asked again when somebody wants it and the last question is `every_seconds` old.

    Args:
        ask: given the answer held (None at first), gives the next one; may take long or raise a HazecastError.
        every_seconds: least time between two questions [s].
        patience_seconds: how long `get` waits for a question under way when something is held [s].
        first_patience_seconds: the same while nothing is held [s].
    """

    def __init__(
        self,
        ask: Callable[[Told | None], Told],
        *,
        every_seconds: float = 5.0,
        patience_seconds: float = 0.3,
        first_patience_seconds: float = 10.0,
    ) -> None:
        self._ask, self._every_seconds = ask, every_seconds
        self._patience_seconds, self._first_patience_seconds = patience_seconds, first_patience_seconds
        self._held: Told | None = None
        self._error: HazecastError | None = None
        self._thread: threading.Thread | None = None
        self._asked_at = float("-inf")
        self._lock = threading.Lock()

    def get(self) -> tuple[Told | None, HazecastError | None]:
        """What is held, and why it is not fresh; (None, None) while the first answer is still under way."""
        thread = self._asking()
        if thread is not None:
            thread.join(self._first_patience_seconds if self._held is None else self._patience_seconds)
        return self._held, self._error

    def _asking(self) -> threading.Thread | None:
        with self._lock:
            alive = self._thread is not None and self._thread.is_alive()
            if not alive and time.monotonic() - self._asked_at > self._every_seconds:
                self._asked_at = time.monotonic()
                self._thread = threading.Thread(target=self._answer, daemon=True)
                self._thread.start()
            return self._thread

    def _answer(self) -> None:
        try:
            self._held, self._error = self._ask(self._held), None
        except HazecastError as err:
            self._error = err
            log.warning("the registry does not answer", reason=str(err))
        finally:
            self._asked_at = time.monotonic()
