"""Recent forecasts held against what came true: how far the quantiles must stretch to be right again.

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


@dataclass(frozen=True)
class Trials:
    """Standardised errors of repeated forecasts of one pollutant: (origin, TRIAL_LEADS, station).

    `origin` are the hours of issue, `known_from` the hour at which each truth was available; errors are NaN without.
    """

    origin: Ints
    error: Floats
    known_from: Ints


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


def stretches(trials: Trials, issued: Ints, *, expected: Floats) -> Floats:
    """How many times as large as in training each lead block's errors are, from the trials matured by each issue.

    A day counts once, however many stations and leads it has, for their errors go together.

    Args:
        trials: of one pollutant.
        issued: (issue,) hours.
        expected: (block,) mean absolute standardised error in training.

    Returns:
        (issue, block); 1 where there is nothing to go by.
    """
    found = np.ones((len(issued), len(LEAD_BLOCKS)), np.float32)
    for i, moment in enumerate(issued):
        recent = (trials.origin >= moment - 24 * DAYS) & (trials.origin < moment)
        size = np.where(trials.known_from[recent] <= moment, np.abs(trials.error[recent]), np.float32(np.nan))
        for b, (first, last) in enumerate(LEAD_BLOCKS):
            mine = size[:, (first <= TRIAL_LEADS) & (last >= TRIAL_LEADS)]
            days = mine[~np.isnan(mine).all(axis=(1, 2))]
            if len(days):
                seen = np.nanmean(days, axis=(1, 2)).sum() / expected[b]
                found[i, b] = (seen + _DOUBT_DAYS) / (len(days) + _DOUBT_DAYS)
    return found
