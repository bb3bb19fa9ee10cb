"""Stops the services of `hazecast up` when `up` itself is killed: a process that waits for the end of its parent.

It reads process groups from its standard input, one number a line. The end of that input means that the parent has
ended, for whatever reason. Then every group gets SIGTERM and, after a grace period, SIGKILL.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 10.0


def stop(groups: list[int]) -> None:
    """Terminate all groups, and kill those that are still alive after the grace period."""
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
