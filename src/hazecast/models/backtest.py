"""The past, replayed: when forecasts would have been issued, and what their forecaster could have learned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import count, groupby, takewhile
from zoneinfo import ZoneInfo

from hazecast.air.clock import floor_hour


@dataclass(frozen=True)
class Period:
    """One training and the issue times it serves, none of them before `trained_until`; all UTC."""

    trained_until: datetime
    issues: tuple[datetime, ...]


def issue_times(since: datetime, until: datetime, *, every: timedelta, hour: int, timezone: str) -> list[datetime]:
    """Every issue in [since, until) by a clock on the wall, so that daylight saving does not move it.

    Args:
        since: the first issue is at or after it.
        until: issues stop before it.
        every: time between issues, as the clock shows it.
        hour: of the first issue, 0…23 by the clock of `timezone`.
        timezone: IANA name. Where its hours are not UTC hours, an issue moves back to the start of the UTC hour.

    Returns:
        Whole hours, UTC, in order; empty when there is none.
    """
    zone = ZoneInfo(timezone)
    first, last = floor_hour(since), floor_hour(until)
    today = datetime.combine(first.astimezone(zone).date(), time(hour))
    start = today if floor_hour(today.replace(tzinfo=zone)) >= first else today + timedelta(days=1)
    wall = (start + k * every for k in count())
    moments = (floor_hour(clock.replace(tzinfo=zone)) for clock in wall)
    return sorted(set(takewhile(lambda moment: moment < last, moments)))


def periods(issues: Sequence[datetime], *, train_until: datetime, retrain_every: timedelta | None) -> list[Period]:
    """Divide issues among trainings, each on everything up to its time (an expanding window).

    Args:
        issues: in order.
        train_until: end of the first training, not after the first issue.
        retrain_every: the next training comes this long after the first issue, and so on; None: trained once.

    Raises:
        ValueError: the first training would know what came after the first issue.
    """
    if issues and train_until > issues[0]:
        raise ValueError(f"trained until {train_until.isoformat()}, after the first issue {issues[0].isoformat()}")
    if retrain_every is None:
        return [Period(train_until, tuple(issues))] if issues else []
    grouped = groupby(issues, key=lambda issue: (issue - issues[0]) // retrain_every)
    return [Period(issues[0] + k * retrain_every if k else train_until, tuple(group)) for k, group in grouped]
