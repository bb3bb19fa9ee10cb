"""A clock for the client under test."""

from datetime import datetime, timedelta


class Clock:
    """Moves only on sleep; `slept` lists how long [s]."""

    def __init__(self, now: datetime) -> None:
        self.start = self.now = now
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
