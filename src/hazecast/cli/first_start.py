"""The first start of `hazecast up`: a forecast by a small model within seconds, then the full training behind it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from hazecast.cli.base import console
from hazecast.pipeline import FIRST, FULL, PREDICTION, Pipeline, Sequence

STOP_SECONDS = 10.0
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_NICE = 10


def outstanding(pipeline: Pipeline) -> tuple[Sequence, bool]:
    """What to run before anything is served, and whether the full training follows in the background.

    A champion that cannot forecast here is replaced in the background. Nothing is trained twice: a later start only
    forecasts, and trains in full if an earlier one was stopped before.
    """
    if pipeline.champion_problem() is not None:
        return replace(PREDICTION, replaces=False), True
    if pipeline.champion_version is not None or pipeline.is_issued:
        return PREDICTION, pipeline.has_first_models_only
    if pipeline.parts.settings.light_training:
        return FULL, False
    return FIRST, True


@contextmanager
def full_training(environment: Mapping[str, str]) -> Iterator[None]:
    """Run the full pipeline in a process of its own, with its progress on this terminal; it ends with the body.

    It has a lower priority than the services, and is stopped by a supervisor if this process is killed.
    """
    console.print(
        "\nThe forecast is by a first model, trained in seconds, or by none. The full training runs now; its model is "
        "promoted if it passes the same test."
    )
    command = (sys.executable, "-m", "hazecast.cli", "run", "full")
    child = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
    supervisor = subprocess.Popen(
        [sys.executable, str(_SUPERVISOR)], stdin=subprocess.PIPE, start_new_session=True, text=True
    )
    assert supervisor.stdin is not None
    supervisor.stdin.write(f"{child.pid}\n")
    supervisor.stdin.flush()
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, child.pid, _NICE)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        supervisor.communicate()
