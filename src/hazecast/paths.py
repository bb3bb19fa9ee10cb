"""Where the files shipped with the package lie: inside the package in a wheel, at the root of a checkout."""

from pathlib import Path

_PACKAGE, _ROOT = Path(__file__).parent, Path(__file__).parents[2]


def _shipped(folder: str) -> Path:
    installed = _PACKAGE / folder
    return installed if installed.is_dir() else _ROOT / folder


SHIPPED = _shipped("config")
FLOWS = _shipped("flows")
