"""Recent forecasts held against what came true: how far the quantiles must move and stretch to be right again.

A model in service is a fixed thing in a changing world. Before it speaks it forecasts the past two weeks anew, from
what was known then, and looks at the errors whose truth is known by now.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.air.tables import LEAD_BLOCKS
from hazecast.features import Panel

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

DAYS = 14
TRIAL_LEADS = np.array([2, 5, 9, 14, 20, 28, 36, 44, 52, 60, 68])
TRIAL_STATIONS = 200
_DOUBT_DAYS = 7  # days of errors as expected that the past two weeks are weighed against
_SURE_ERRORS, _FEWEST_DAYS = 3.0, 4


@dataclass(frozen=True)
class Trials:
    """Standardised errors of repeated forecasts of one pollutant: (origin, TRIAL_LEADS, station).

    `origin` are the hours of issue, `known_from` the hour at which each truth was available; errors are NaN without.
    """

    origin: Ints
    error: Floats
    known_from: Ints


@dataclass(frozen=True)
class Adjustment:
    """What to do to the shape of each lead block, in units of the spread: (issue, block)."""

    shift: Floats
    stretch: Floats


def trial_origins(issued: Ints, *, since: int) -> Ints:
    """The daily origins to forecast anew for these issues; none before `since`, whose truth the model has seen."""
    origins = np.unique(issued[:, None] - 24 * np.arange(1, DAYS + 1))
    return origins[origins >= since]


def trial_stations(panel: Panel) -> Ints:
    """Up to 200 stations, evenly spread over the list."""
    n = len(panel.stations)
    return np.unique(np.linspace(0, n - 1, min(n, TRIAL_STATIONS)).astype(np.int64))


def gather_trials(origin: Ints, n_stations: int, parts: list[tuple[Floats, Ints]]) -> Trials:
    """Trials from (error, known_from) of (TRIAL_LEADS, case), the cases being stations within origins."""
    shape = len(TRIAL_LEADS), len(origin), n_stations
    error, known_from = (
        np.concatenate(column, axis=1).reshape(shape).swapaxes(0, 1) for column in zip(*parts, strict=True)
    )
    return Trials(origin, error, known_from)


def adjust(trials: Trials, issued: Ints, *, expected: Floats) -> Adjustment:
    """How each lead block's quantiles must move and stretch at each issue, from the trials matured by then.

    A day counts once, however many stations and leads it has, for their errors go together. A bias counts only as far
    as it exceeds three standard errors: days resemble each other, and chasing chance costs more than it mends.

    Args:
        trials: of one pollutant.
        issued: (issue,) hours.
        expected: (block,) mean absolute standardised error in training.
    """
    shift = np.zeros((len(issued), len(LEAD_BLOCKS)), np.float32)
    stretch = np.ones_like(shift)
    for i, moment in enumerate(issued):
        recent = (trials.origin >= moment - 24 * DAYS) & (trials.origin < moment)
        error = np.where(trials.known_from[recent] <= moment, trials.error[recent], np.float32(np.nan))
        for b, (first, last) in enumerate(LEAD_BLOCKS):
            mine = error[:, (first <= TRIAL_LEADS) & (last >= TRIAL_LEADS)]
            days = mine[~np.isnan(mine).all(axis=(1, 2))]
            if len(days):
                shift[i, b] = _sure_bias(np.nanmean(days, axis=(1, 2)))
                seen = np.nanmean(np.abs(days - shift[i, b]), axis=(1, 2)).sum() / expected[b]
                stretch[i, b] = (seen + _DOUBT_DAYS) / (len(days) + _DOUBT_DAYS)
    return Adjustment(shift, stretch)


def _sure_bias(daily: Floats) -> float:
    if len(daily) < _FEWEST_DAYS:
        return 0.0
    chance = _SURE_ERRORS * daily.std(ddof=1) / np.sqrt(len(daily))
    return float(np.sign(daily.mean()) * max(abs(daily.mean()) - chance, 0))
