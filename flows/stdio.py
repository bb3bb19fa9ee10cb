"""Output of a run that survives the death of its worker, and with it the end of the pipe that the worker read."""

import atexit
import os
from contextlib import suppress
from threading import Thread

_STDOUT, _STDERR = 1, 2
_FLUSH_SECONDS = 2.0


def detach_stdio() -> None:
    """Forward stdout and stderr through a pipe of this process; output without a reader is dropped.

    Otherwise the first line after the worker's death ends the run: Prefect's console exits on a broken pipe.
    """
    reader = os.dup(_STDERR)
    source, sink = os.pipe()
    _redirect_output(sink)
    os.close(sink)
    forwarding = Thread(target=_forward, args=(source, reader), daemon=True)
    forwarding.start()
    atexit.register(lambda: (_redirect_output(reader), forwarding.join(_FLUSH_SECONDS)))


def _forward(source: int, reader: int) -> None:
    while lines := os.read(source, 65_536):
        with suppress(OSError):
            os.write(reader, lines)


def _redirect_output(descriptor: int) -> None:
    for own in (_STDOUT, _STDERR):
        os.dup2(descriptor, own)
