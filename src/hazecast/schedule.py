"""When each pipeline runs: one list for the Prefect deployments and for the replay."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Schedule:
    """Whole hours of the day, on every day or on one day of the week (0 is Sunday, as in cron)."""

    hours: tuple[int, ...]
    weekday: int | None = None

    @property
    def cron(self) -> str:
        """The same for cron."""
        return f"0 {','.join(map(str, self.hours))} * * {'*' if self.weekday is None else self.weekday}"

    def is_due(self, moment: datetime) -> bool:
        """Whether a run starts at `moment`, by the clock that it is written for."""
        on_the_day = self.weekday is None or moment.isoweekday() % 7 == self.weekday
        return on_the_day and moment.hour in self.hours and moment.minute == 0


TRAINING = Schedule((2,), weekday=0)
PREDICTION = Schedule((6,))
MONITORING = Schedule((0, 6, 12, 18))
FULL = Schedule((0,), weekday=6)
