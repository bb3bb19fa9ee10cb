"""The steps of the pipeline. They exchange data only through stored tables."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a line for people and the share of the step that is done, 0…1."""


def silent(_line: str, _share: float) -> None:
    """Discards progress."""
