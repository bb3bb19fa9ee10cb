"""Hazecast: self-hosted air-pollution forecasting, calibrated and verified.

The functions of `hazecast.library` and `Client` are imported on first use, so that `import hazecast` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hazecast.client import Client
    from hazecast.library import backtest, fit, load, plot, read_dataset, score, simulate

__version__ = "0.1.0"

__all__ = ["Client", "__version__", "backtest", "fit", "load", "plot", "read_dataset", "score", "simulate"]

_CLIENT, _LIBRARY = "hazecast.client", "hazecast.library"


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(_CLIENT if name == "Client" else _LIBRARY), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
