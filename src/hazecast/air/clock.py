"""Hours: every time is UTC and an hour is named by its start."""

from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)


def floor_hour(moment: datetime) -> datetime:
    """The start of the hour that contains `moment`, UTC.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; write it as {moment.isoformat()}Z or with an offset")
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def parse_utc(text: str) -> datetime:
    """Read an ISO 8601 time with its zone ("2016-06-01T00:00Z") as UTC.

    Raises:
        ValueError: not ISO 8601, or without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        written = f"{moment.isoformat(timespec='minutes')}Z"
        raise ValueError(f"{text!r} has no time zone; write {written} for UTC or add an offset such as +08:00")
    return moment.astimezone(UTC)


def as_iso(moment: datetime) -> str:
    """A UTC time as used in URLs: to the second, with Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def hours_between(earlier: datetime, later: datetime) -> float:
    """Hours from `earlier` to `later`; negative when `later` is earlier."""
    return (later - earlier) / HOUR
