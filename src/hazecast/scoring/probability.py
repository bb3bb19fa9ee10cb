"""The distribution given by quantiles: its quantile function, exceedance probability, CRPS and pinball loss.

Between two quantiles the probability is linear in concentration. Below q05 it falls to level 0 at zero concentration.
Above q95 it decays exponentially with the density between q75 and q95, so that it is never zero.
"""

import numpy as np
import numpy.typing as npt

from hazecast.air.arrays import Floats
from hazecast.air.spec import QUANTILE_LEVELS


def p_exceed(quantiles: npt.ArrayLike, threshold_ugm3: npt.ArrayLike) -> Floats:
    """Probability that the concentration is above a value, from the quantiles.

    Args:
        quantiles: (row, quantile) ordered q05 … q95 [µg/m³].
        threshold_ugm3: one value, or one per row [µg/m³]; NaN: no threshold.

    Returns:
        (row,) probabilities 0…1, never rising with the threshold; NaN without a threshold.
    """
    q = np.asarray(quantiles, np.float64)
    value = np.broadcast_to(np.asarray(threshold_ugm3, np.float64), q.shape[:1])
    levels = np.array(QUANTILE_LEVELS)
    lower, below = _knots(q)
    k = np.clip((lower <= value[:, None]).sum(axis=1) - 1, 0, len(levels) - 1)
    row = np.arange(len(q))
    width = lower[row, k + 1] - lower[row, k]
    # Clipped before the division, which would overflow for a width close to zero.
    share = np.clip(value - lower[row, k], 0, width) / np.where(width > 0, width, 1)
    inside = 1 - (below[k] + share * (below[k + 1] - below[k]))
    tail = (1 - levels[6]) * np.exp(-np.maximum(value - q[:, 6], 0) / _tail_scale(q))
    return np.where(value < lower[:, 0], 1.0, np.where(value >= q[:, 6], tail, inside))


def quantile_function(quantiles: npt.ArrayLike, level: npt.ArrayLike) -> Floats:
    """The concentrations [µg/m³] at these levels: the inverse of 1 - `p_exceed`.

    Args:
        quantiles: (row, quantile) ordered q05 … q95 [µg/m³].
        level: (any, row) in (0, 1).

    Returns:
        (any, row); the quantiles themselves at QUANTILE_LEVELS.
    """
    q, u = np.asarray(quantiles, np.float64), np.asarray(level, np.float64)
    values, levels = _knots(q)
    k = np.clip(np.searchsorted(levels, u, side="right") - 1, 0, len(levels) - 2)
    row = np.arange(len(q))
    lower, upper = values[row, k], values[row, k + 1]
    inside = lower + (u - levels[k]) / (levels[k + 1] - levels[k]) * (upper - lower)
    excess = np.log(np.maximum(1 - u, 1e-12) / (1 - levels[-1]))
    return np.asarray(np.where(u > levels[-1], q[:, -1] - _tail_scale(q) * excess, inside))


def _knots(q: Floats) -> tuple[Floats, Floats]:
    """Concentrations (row, 8) and levels (8,) between which the probability is linear."""
    return np.concatenate([np.minimum(q[:, :1], 0), q], axis=1), np.concatenate([[0.0], QUANTILE_LEVELS])


def _tail_scale(q: Floats) -> Floats:
    """Decay length [µg/m³] above q95, (row,)."""
    levels = np.array(QUANTILE_LEVELS)
    return np.asarray(np.maximum((q[:, 6] - q[:, 4]) / np.log((1 - levels[4]) / (1 - levels[6])), 1e-9))


def crps(observed_ugm3: Floats, quantiles: Floats) -> Floats:
    """CRPS of the quantiles: twice the pinball loss, integrated over levels by trapezoid, 0 at levels 0 and 1."""
    twice = 2 * pinball(observed_ugm3, quantiles)
    edge = np.zeros((len(twice), 1))
    loss = np.concatenate([edge, twice, edge], axis=1)
    width = np.diff(np.concatenate([[0.0], QUANTILE_LEVELS, [1.0]]))
    return np.asarray((loss[:, 1:] + loss[:, :-1]) / 2 @ width)


def pinball(observed_ugm3: Floats, quantiles: Floats) -> Floats:
    """Pinball losses (row, level) of the quantiles [µg/m³]."""
    gap = observed_ugm3[:, None] - quantiles
    levels = np.array(QUANTILE_LEVELS)
    return np.maximum(levels * gap, (levels - 1) * gap)
