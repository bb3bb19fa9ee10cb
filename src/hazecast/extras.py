"""The optional extras of the package: which one brings a module that is missing."""

import re
from importlib.metadata import PackageNotFoundError, requires

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra == ['\"]([^'\"]+)['\"]")


def remedy_for(module: str) -> str | None:
    """How to install the extra that brings `module`; None if it is in no extra."""
    try:
        lines = requires("hazecast") or []
    except PackageNotFoundError:
        return None
    wanted = _normalized(module.partition(".")[0])
    found = [
        extra[1]
        for line in lines
        if (extra := _EXTRA.search(line)) and _normalized(_NAME.match(line)[0]) == wanted  # type: ignore[index]
    ]
    # `dev` includes the others.
    named = next((extra for extra in found if extra != "dev"), None)
    return f"pip install 'hazecast[{named}]'" if named else None


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
