"""The steps in which stations report, and the median of a station that reports in coarse ones.

Many instruments round: CO to 100 µg/m³, SO2 to whole µg/m³. Where that is coarse beside the concentrations themselves,
only a few values ever come true, and the median of what will be reported is one of them.
"""

import numpy as np
import numpy.typing as npt

from hazecast.air.spec import DAY_HOURS, QUANTILE_LEVELS
from hazecast.features import Panel

Floats = npt.NDArray[np.float32]

_FEWEST_VALUES = 200
_COMMON = 0.002  # share of the values; rarer ones are corrections and slips
_MULTIPLES, _NEARLY_WHOLE = 0.98, 0.05
_COARSE = 0.05  # of the station's median; a finer step changes no forecast
_YEAR_DAYS = 365
_MEDIAN = int(np.searchsorted(QUANTILE_LEVELS, 0.5))


def reporting_steps(panel: Panel, until: int) -> dict[str, dict[str, float]]:
    """Step [µg/m³] per pollutant and station id, of the stations that were seen to report in coarse steps.

    Args:
        panel: everything.
        until: panel hour; what was not available by then is not looked at.
    """
    return panel.by_station(until, coarse_step)


def belief_by_level(panel: Panel, until: int, steps: dict[str, dict[str, float]]) -> dict[str, float]:
    """How far to believe that errors go with the level, 0…1 per pollutant.

    Hardly before a year has been seen, for a month of smoke is no rule; and not at all where most stations report in
    coarse steps, for then they do so by rounding.
    """
    known = panel.truth_by(until)
    days = known.any(axis=1).sum(axis=1) / DAY_HOURS
    coarse = [
        2 * len(steps.get(p, {})) > n for p, n in zip(panel.pollutants, known.any(axis=2).sum(axis=1), strict=True)
    ]
    believed = np.where(coarse, 0, np.minimum(days / _YEAR_DAYS, 1) ** 2)
    return dict(zip(panel.pollutants, believed.tolist(), strict=True))


def coarse_step(values: Floats) -> float:
    """The step of which nearly all values are multiples, if it is coarse beside their median; else 0."""
    if len(values) < _FEWEST_VALUES:
        return 0.0
    distinct, count = np.unique(values.round(3), return_counts=True)
    common = distinct[count >= _COMMON * len(values)]
    if len(common) < 2:  # noqa: PLR2004
        return 0.0
    step = float(np.diff(common).min())
    whole = np.abs(values / step - np.rint(values / step)) < _NEARLY_WHOLE
    return step if whole.mean() >= _MULTIPLES and step >= _COARSE * np.median(values) else 0.0


def report_median(quantiles: Floats, step: Floats) -> None:
    """Move the median onto the nearest value the station can report, in place; no quantile crosses it.

    Args:
        quantiles: (case, lead, q05 … q95) [µg/m³].
        step: (case,) [µg/m³], 0 where the station reports in fine steps.
    """
    coarse = step > 0
    some = quantiles[coarse]
    median = np.rint(some[..., _MEDIAN] / step[coarse, None]) * step[coarse, None]
    some[..., :_MEDIAN] = np.minimum(some[..., :_MEDIAN], median[..., None])
    some[..., _MEDIAN] = median
    some[..., _MEDIAN + 1 :] = np.maximum(some[..., _MEDIAN + 1 :], median[..., None])
    quantiles[coarse] = some
