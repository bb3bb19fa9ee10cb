"""Where the files shipped with the package lie."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "config"
# A wheel carries the folder inside the package, a checkout has it at its root.
SHIPPED = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "config"
