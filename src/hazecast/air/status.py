"""The status of a forecast: what it was made from, and whether it is still current."""

from collections.abc import Iterable
from typing import Literal, get_args

Status = Literal["ok", "degraded", "stale", "baseline"]
# From good to bad.
STATUSES: tuple[Status, ...] = get_args(Status)


def served_status(statuses: Iterable[Status], *, age_hours: float, stale_after_hours: float) -> Status:
    """Stale if issued too long ago, else the worst of the stored statuses, of which there is at least one."""
    return "stale" if age_hours > stale_after_hours else max(statuses, key=STATUSES.index)
