"""Stops what `hazecast up` started even when `up` itself is killed: a process that only waits for its parent's end.

It is told process groups on its standard input, one number a line. The end of that input means that the parent is gone,
however it went; then every group is asked to end and, after a while, made to.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 10.0


def stop(groups: list[int]) -> None:
    """Ask all groups to end, wait, and kill those that are still there."""
    _signal(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_is_alive(group) for group in groups):
        time.sleep(0.1)
    _signal(groups, signal.SIGKILL)


def _signal(groups: list[int], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, number)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    stop([int(line) for line in sys.stdin])
