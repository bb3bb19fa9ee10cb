"""Runs one step of the pipeline again and again, an hour later each time, until it is killed: `loop.py STEP FROM`.

Prints the hour of each run that it finished: what is stored for that hour must not be lost by a later kill.
"""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from hazecast.logs import configure_logs
from hazecast.pipeline import Pipeline
from hazecast.settings import load_settings
from hazecast.wiring import Wiring

STEPS: dict[str, Callable[[Pipeline], object]] = {
    "collect, check": lambda pipeline: pipeline.check(pipeline.collect()),
    "train, validate": lambda pipeline: pipeline.validate(pipeline.train()),
    "forecast": Pipeline.forecast,
    "verify": Pipeline.verify,
    "monitor": Pipeline.monitor,
    "alert": Pipeline.alert,
}


def main() -> None:
    step, now = STEPS[sys.argv[1]], datetime.fromisoformat(sys.argv[2])
    settings = load_settings()
    configure_logs(settings.log_format)
    parts = Wiring(settings)
    print("ready", flush=True)
    while True:
        step(Pipeline(parts, now=now))
        print(now.isoformat(), flush=True)
        now += timedelta(hours=1)


if __name__ == "__main__":
    main()
