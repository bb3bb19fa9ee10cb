"""Small nets for tests that judge what becomes of forecasts, not how good they are.

As a script it is `hazecast` with small nets, for tests that compare what a process of its own made with their own.
"""

from collections.abc import Callable
from typing import Any

from hazecast.features import FutureWeather
from hazecast.models import forecaster, path_net


def shrink(set_value: Callable[[object, str, Any], None]) -> None:
    """One net per fold, trained briefly; `set_value` is `setattr` or the one of a monkeypatch."""
    set_value(forecaster, "FULL", forecaster.Effort(forecaster.FULL.cases, 1))
    set_value(forecaster, "_PACE", dict.fromkeys(FutureWeather, path_net.Pace(1, 9e-3)))
    set_value(path_net, "_FEWEST_STEPS", 40)


if __name__ == "__main__":
    from hazecast.cli import app

    shrink(setattr)
    app()
