"""Client-side rate limiting: request budgets in sliding windows, and pauses requested by the service."""

import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hazecast.errors import SourceRefused, SourceUnavailable
from hazecast.sources.http.service import Budget, Service

log = logging.getLogger(__name__)

_NEVER_CLOSED = datetime.min.replace(tzinfo=UTC)


class RateLimiter:
    """Delays requests to one service to stay within its budgets and outside its pauses.

    Args:
        service: the service to limit.
        max_wait_seconds: the longest wait it sits out; longer ones are errors [s].
        clock: the present, UTC.
        sleep: waits [s].
    """

    def __init__(
        self,
        service: Service,
        *,
        max_wait_seconds: float,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._service, self._clock, self._sleep = service, clock, sleep
        self._longest = timedelta(seconds=max_wait_seconds)
        self._spent: deque[tuple[datetime, float]] = deque()
        self._retry_at, self._because = _NEVER_CLOSED, ""

    def close(self, until: datetime, because: str) -> None:
        """Send nothing before `until`."""
        if until > self._retry_at:
            self._retry_at, self._because = until, because

    def wait_for(self, weight: float) -> None:
        """Wait until a request of `weight` may be sent, and count it.

        Raises:
            SourceUnavailable: that would take too long; the message names the time.
            SourceRefused: no wait would make it fit.
        """
        now = self._clock()
        ready_at = max([now, self._retry_at, *(self._fits_at(weight, budget) for budget in self._service.budgets)])
        because = self._because if self._retry_at > now else "its request budget is spent"
        if ready_at - now > self._longest:
            raise SourceUnavailable(
                f"{self._service.name}: {because}; try again after {ready_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        if ready_at > now:
            pause_seconds = (ready_at - now).total_seconds()
            log.warning("%s: %s; waiting %.0f s", self._service.name, because, pause_seconds)
            self._sleep(pause_seconds)
        self._count(weight, ready_at)

    def _fits_at(self, weight: float, budget: Budget) -> datetime:
        """The earliest time at which the window that ends then has room for `weight`."""
        if weight > budget.weight:
            raise SourceRefused(
                f"{self._service.name}: a request that costs {weight:g} exceeds the {budget.weight:g} allowed in "
                f"{budget.seconds:g} s; request fewer stations, variables or days at once"
            )
        total = weight
        for moment, spent in reversed(self._spent):
            total += spent
            if total > budget.weight:
                return moment + timedelta(seconds=budget.seconds)
        return _NEVER_CLOSED

    def _count(self, weight: float, moment: datetime) -> None:
        self._spent.append((moment, weight))
        longest = timedelta(seconds=max((budget.seconds for budget in self._service.budgets), default=0))
        while self._spent[0][0] < moment - longest:
            self._spent.popleft()
