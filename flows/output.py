"""A run's output that outlives its reader: a worker that dies takes with it the pipe that it read from."""

import atexit
import os
from contextlib import suppress
from threading import Thread

_STDOUT, _STDERR = 1, 2
_FLUSH_SECONDS = 2.0


def outlive_reader() -> None:
    """Put a pipe of our own before stdout and stderr; what nobody reads any more is dropped.

    Else the first line after the worker's death ends the run: Prefect's console turns a broken pipe into an exit.
    """
    reader = os.dup(_STDERR)
    source, sink = os.pipe()
    _point_output_to(sink)
    os.close(sink)
    passing = Thread(target=_pass_on, args=(source, reader), daemon=True)
    passing.start()
    atexit.register(lambda: (_point_output_to(reader), passing.join(_FLUSH_SECONDS)))


def _pass_on(source: int, reader: int) -> None:
    while lines := os.read(source, 65_536):
        with suppress(OSError):
            os.write(reader, lines)


def _point_output_to(descriptor: int) -> None:
    for own in (_STDOUT, _STDERR):
        os.dup2(descriptor, own)
