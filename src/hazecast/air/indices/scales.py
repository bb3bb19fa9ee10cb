"""How a concentration becomes a sub-index: steps of bands, a broken line, or a share of a health risk.

Arithmetic is exact (fractions), so that values on a boundary fall where the official table puts them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, expm1, floor
from typing import Protocol

import numpy as np

from hazecast.air.arrays import Floats
from hazecast.air.units import Unit

_SIGNIFICANT_DECIMALS = 9  # below any instrument's resolution, above float rounding


class Scale(Protocol):
    """One pollutant's rule at one averaging time."""

    @property
    def unit(self) -> Unit:
        """Unit the rule is written in."""
        ...

    @property
    def top(self) -> float:
        """The last concentration of the official table."""
        ...

    def rank(self, concentration: float) -> float | None:
        """The sub-index of `concentration` (≥ 0), None where the rule defines none."""
        ...

    def remark(self, concentration: float) -> str:
        """A note on the sub-index or its absence; empty: none."""
        ...

    def severity(self, concentrations: Floats) -> Floats:
        """The sub-index without rounding, to rank hours of one band; 0 at zero, rising without end. NaN stays NaN."""
        ...


def half_up(value: Fraction | float) -> int:
    """The nearest integer, halves upwards."""
    return floor(Fraction(value) + Fraction(1, 2))


def exact(value: float) -> Fraction:
    """The decimal number a float was meant to be: 9.05, not 9.0500000000000007."""
    return Fraction(repr(round(float(value), _SIGNIFICANT_DECIMALS)))


@dataclass(frozen=True)
class Segment:
    """A straight piece of a broken line, both ends included."""

    lower: Fraction
    upper: Fraction
    index_lower: int
    index_upper: int

    def at(self, concentration: Fraction) -> Fraction:
        """The line at `concentration`, also beyond the end."""
        slope = (self.index_upper - self.index_lower) / (self.upper - self.lower)
        return self.index_lower + slope * (concentration - self.lower)


@dataclass(frozen=True)
class Line:
    """Piecewise linear sub-index; above the table the last piece goes on, up to `highest` if there is one.

    `decimals`: concentrations are truncated to so many first, or rounded where `rounds_concentration` (halves to the
    even digit); None: used as they are.
    """

    unit: Unit
    segments: tuple[Segment, ...]
    rounding: Callable[[Fraction], int] = half_up
    decimals: int | None = None
    rounds_concentration: bool = False
    highest: int | None = None
    beyond: str = ""

    @property
    def top(self) -> float:
        """The last concentration of the official table."""
        return float(self.segments[-1].upper)

    def rank(self, concentration: float) -> int | None:
        """The rounded sub-index; None below the first piece."""
        taken = self._taken(concentration)
        if taken < self.segments[0].lower:
            return None
        piece = next((s for s in self.segments if taken <= s.upper), self.segments[-1])
        value = self.rounding(piece.at(taken))
        return value if self.highest is None else min(value, self.highest)

    def remark(self, concentration: float) -> str:
        """Where the table ends on either side."""
        taken = self._taken(concentration)
        if taken < self.segments[0].lower:
            return f"defined only from {float(self.segments[0].lower):g} {self.unit.label}"
        return self.beyond if taken > self.segments[-1].upper else ""

    def severity(self, concentrations: Floats) -> Floats:
        """Along the line; above it in proportion to its end."""
        ends = [(0.0, 0.0), *((float(s.upper), float(s.index_upper)) for s in self.segments)]
        return _interpolate(concentrations, ends)

    def _taken(self, concentration: float) -> Fraction:
        value = exact(concentration)
        if self.decimals is None:
            return value
        scale = 10**self.decimals
        return Fraction(round(value * scale) if self.rounds_concentration else floor(value * scale), scale)


@dataclass(frozen=True)
class Steps:
    """Bands without interpolation: the rank is the number of the first band with an upper bound not exceeded.

    `rounded`: concentrations are first rounded to integers, halves up. `bounded`: nothing above the last bound counts.
    """

    unit: Unit
    uppers: tuple[float, ...]
    rounded: bool = False
    bounded: bool = False

    @property
    def top(self) -> float:
        """The last upper bound."""
        return self.uppers[-1]

    def rank(self, concentration: float) -> int | None:
        """1 for the best band; None above the last bound of a bounded scale."""
        value = half_up(exact(concentration)) if self.rounded else exact(concentration)
        number = 1 + sum(value > exact(upper) for upper in self.uppers)
        return None if self.bounded and number > len(self.uppers) else number

    def remark(self, concentration: float) -> str:
        """Why a bounded scale has no answer."""
        return "" if self.rank(concentration) else f"above {self.top:g} {self.unit.label} counts as an erroneous value"

    def severity(self, concentrations: Floats) -> Floats:
        """Bands below, and the share of the band; above the table in proportion to its end."""
        return _interpolate(concentrations, [(0.0, 0.0), *((upper, n + 1.0) for n, upper in enumerate(self.uppers))])


@dataclass(frozen=True)
class Risk:
    """Percent excess risk of one pollutant, exponential in its concentration, as a share of the index."""

    unit: Unit
    slope: float
    factor: float
    top: float = float("inf")

    def rank(self, concentration: float) -> float:
        """The share, not rounded."""
        return self.factor * expm1(self.slope * concentration)

    def remark(self, concentration: float) -> str:  # noqa: ARG002 - a risk has no end of table
        """Empty."""
        return ""

    def severity(self, concentrations: Floats) -> Floats:
        """The share."""
        return np.asarray(self.factor * np.expm1(self.slope * concentrations))


def pieces_through(nodes: str, index: tuple[int, ...]) -> tuple[Segment, ...]:
    """A continuous line through concentrations ("0 35 75") at the index values; the line ends with its last node."""
    concentrations = [Fraction(node) for node in nodes.split()]
    pairs = zip(pairwise(concentrations), pairwise(index), strict=False)
    return tuple(Segment(*ends, *values) for ends, values in pairs)


def round_up(value: Fraction) -> int:
    """The next integer, as China's rule has it."""
    return ceil(value)


def _interpolate(concentrations: Floats, ends: list[tuple[float, float]]) -> Floats:
    at, severities = np.array(ends).T
    beyond = concentrations / at[-1] * severities[-1]
    return np.asarray(np.where(concentrations > at[-1], beyond, np.interp(concentrations, at, severities)))
