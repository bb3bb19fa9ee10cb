"""Diebold-Mariano test: whether one forecast is significantly better than another."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from hazecast.air.arrays import Floats
from hazecast.errors import TooLittleHistory

MIN_PAIRS = 7


@dataclass(frozen=True)
class Significance:
    """Outcome of a Diebold-Mariano test.

    Attributes:
        difference: mean of loss minus rival's loss, in the unit of the losses; negative where `loss` is smaller.
        statistic: the corrected test statistic; strongly negative where `loss` is smaller.
        p_value: probability of a statistic as low as this one if both were equally good.
        n: pairs compared.
    """

    difference: float
    statistic: float
    p_value: float
    n: int


def diebold_mariano(loss: npt.ArrayLike, rival_loss: npt.ArrayLike, *, horizon: int = 1) -> Significance:
    """Test whether `loss` is smaller than `rival_loss`, one-sided.

    Consecutive multi-step forecasts overlap, so the variance is the Newey-West estimate over
    max(horizon − 1, ⌊4 (n/100)^(2/9)⌋) lags. The small-sample correction uses Student's t with n − 1 degrees of
    freedom.

    Args:
        loss: one loss per issue, in order of time, e.g. the day's mean absolute error over all stations.
        rival_loss: the rival's losses for the same issues; pairs with a NaN are left out.
        horizon: steps of the series that one forecast spans (daily issues of 72 h forecasts: 3).

    Raises:
        TooLittleHistory: fewer than 7 pairs, or fewer than twice the horizon.

    Source: Diebold and Mariano (1995); Harvey, Leybourne and Newbold (1997).
    """
    gaps = np.asarray(loss, np.float64) - np.asarray(rival_loss, np.float64)
    gaps = gaps[~np.isnan(gaps)]
    n = len(gaps)
    if n < max(MIN_PAIRS, 2 * horizon):
        raise TooLittleHistory(f"{n} pairs of losses are too few to compare: {max(MIN_PAIRS, 2 * horizon)} are needed")
    difference = float(gaps.mean())
    lags = max(horizon - 1, int(4 * (n / 100) ** (2 / 9)))
    variance = newey_west(gaps, lags=lags) / n
    if variance <= np.finfo(float).tiny:
        statistic = 0.0 if difference == 0 else float(np.copysign(np.inf, difference))
        return Significance(difference, statistic, {0.0: 1.0, np.inf: 1.0}.get(statistic, 0.0), n)
    correction = sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = correction * difference / sqrt(variance)
    return Significance(difference, statistic, float(stdtr(n - 1, statistic)), n)


def newey_west(values: Floats, *, lags: int) -> float:
    """Long-run variance of a series: autocovariances up to `lags` with falling (Bartlett) weights; never negative.

    Source: Newey and West (1987).
    """
    centred = values - values.mean()
    n = len(centred)
    found = float(centred @ centred) / n
    for lag in range(1, min(lags, n - 1) + 1):
        weight = 1 - lag / (lags + 1)
        found += 2 * weight * float(centred[lag:] @ centred[:-lag]) / n
    return max(found, 0.0)
