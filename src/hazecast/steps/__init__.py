"""The steps of the pipeline, each a short story of the rooms below; they meet only through stored tables."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a line for people and the share of the step that is done, 0…1."""


def silent(_line: str, _share: float) -> None:
    """Progress that nobody watches."""
