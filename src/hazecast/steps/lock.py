"""Mutual exclusion across the processes of a machine."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hazecast.errors import AlreadyRunning


@contextmanager
def only_one(work: str, folder: Path, place: str) -> Iterator[None]:
    """Acquire the lock of `work` for `place` for the body; the operating system releases it when the process ends.

    Raises:
        AlreadyRunning: another process has it; the message has its id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{work}-{place}.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            lock.seek(0)
            raise AlreadyRunning(
                f"{work} for {place} is running already in process {lock.read().strip() or 'unknown'}; wait for it"
            ) from err
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
