"""How long an answer may be kept: until the next forecast is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from hazecast.air.clock import floor_hour
from hazecast.schedule import FULL, PREDICTION

_STEP = timedelta(minutes=15)  # zones differ from UTC by multiples of it
_STEPS_OF_A_WEEK = 7 * 24 * 4
SHORTEST_SECONDS, LONGEST_SECONDS = 60, 600


@dataclass(frozen=True)
class Shelf:
    """The shelf life of forecasts.

    Args:
        zone: the schedules' time zone; None: nothing is scheduled here.
        clock_replayed: whether the clock replays the past; nothing comes due by it.
    """

    zone: tzinfo | None
    clock_replayed: bool

    def next_issue(self, now: datetime) -> datetime | None:
        """When the next forecast is scheduled, UTC; None: none is."""
        if self.zone is None or self.clock_replayed:
            return None
        ahead = (floor_hour(now) + k * _STEP for k in range(1, _STEPS_OF_A_WEEK + 1))
        due = (moment for moment in ahead if moment > now and _is_due(moment.astimezone(self.zone)))
        return next(due, None)

    def keep_seconds(self, now: datetime) -> int:
        """Seconds an answer may be kept: to the next issue, at most 10 minutes, at least one.

        The bound lets a forecast issued out of turn be seen, the floor covers the minutes in which one is being made.
        """
        due = self.next_issue(now)
        if due is None:
            return SHORTEST_SECONDS
        return int(min(max((due - now).total_seconds(), SHORTEST_SECONDS), LONGEST_SECONDS))


def _is_due(local: datetime) -> bool:
    return PREDICTION.is_due(local) or FULL.is_due(local)
