"""One at a time, across all processes of a machine."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hazecast.errors import AlreadyRunning


@contextmanager
def only_one(work: str, folder: Path, place: str) -> Iterator[None]:
    """Hold the lock of `work` for `place` inside the body; the system frees it when the process dies, however it dies.

    Raises:
        AlreadyRunning: another process holds it; the message says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{work}-{place}.lock"
    with path.open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            held.seek(0)
            raise AlreadyRunning(
                f"{work} for {place} is running already in process {held.read().strip() or 'unknown'}; wait for it"
            ) from err
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield
