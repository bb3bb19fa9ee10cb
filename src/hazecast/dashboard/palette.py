"""Colours of the charts, told apart by colour-blind eyes too; every one of them is also named in words."""

from typing import NamedTuple


class Palette(NamedTuple):
    """Tints of one blue for the fan, two limits, two other models, doubted values; `series` in the order of SERIES."""

    series: tuple[str, str, str, str, str]
    limits: tuple[str, str]
    others: tuple[str, str]
    doubted: str
    now: str
    background: str


# The backgrounds are those of .streamlit/config.toml.
LIGHT = Palette(
    series=("#1f2430", "#00507d", "#6fb0d6", "#a9cfe6", "#d8e9f4"),
    limits=("#b34700", "#7a3e9d"),
    others=("#00735c", "#8f5b00"),
    doubted="#6b717b",
    now="#5f6570",
    background="#ffffff",
)
DARK = Palette(
    series=("#f2f2f2", "#9adbff", "#2a7aa5", "#1d5675", "#163e54"),
    limits=("#ff9f5a", "#d7a6ff"),
    others=("#5fd6b4", "#e6c35c"),
    doubted="#9aa0aa",
    now="#b8bdc7",
    background="#12151b",
)


def palette(*, dark: bool) -> Palette:
    """The palette of the theme."""
    return DARK if dark else LIGHT
