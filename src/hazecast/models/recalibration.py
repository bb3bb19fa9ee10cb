"""Recalibration: how far the quantiles must shift and stretch, from the hindcasts of the past days.

A model in service is fixed while the world changes. Before each forecast it repeats those of the past two weeks, from
the data known then, and compares them with the truth that is known by now.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS, ForecastSpec, LeadBlock
from hazecast.features import Panel
from hazecast.models.config import RecalibrationConfig

# A few leads of each block: neighbouring leads have nearly the same error.
_FIRST_DAY_LEADS = (2, 5, 9, 14, 20)
_DAY_LEADS = (3, 11, 19)  # after the first hour of a later day


@dataclass(frozen=True)
class Hindcasts:
    """Standardised errors of repeated forecasts of one pollutant: (origin, lead, station).

    Attributes:
        leads: (lead,) [h].
        origin: (origin,) panel hours of issue.
        error: NaN where the truth is unknown.
        known_from: hour at which each truth was available.
    """

    leads: Ints
    origin: Ints
    error: Floats32
    known_from: Ints


@dataclass(frozen=True)
class Adjustment:
    """Correction of the shape of each lead block, in units of the spread: (issue, block)."""

    shift: Floats32
    stretch: Floats32

    @classmethod
    def none(cls, n_issues: int, n_blocks: int) -> "Adjustment":
        """No correction."""
        shape = n_issues, n_blocks
        return cls(np.zeros(shape, np.float32), np.ones(shape, np.float32))

    def of(self, issue: Ints) -> "Adjustment":
        """The rows of some issues."""
        return Adjustment(self.shift[issue], self.stretch[issue])


def hindcast_leads(spec: ForecastSpec) -> Ints:
    """The leads that are hindcast [h]: a few of every lead block."""
    later = [first + hour for first, _ in spec.lead_blocks if first > DAY_HOURS for hour in _DAY_LEADS]
    return np.array([*_FIRST_DAY_LEADS, *later])


def hindcast_origins(issued: Ints, *, since: int, days: int) -> Ints:
    """The daily origins to hindcast for these issues; none before `since`: the model has seen their truth."""
    origins = np.unique(issued[:, None] - DAY_HOURS * np.arange(1, days + 1))
    return origins[origins >= since]


def hindcast_stations(panel: Panel, most: int) -> Ints:
    """Up to `most` of the stations to forecast, evenly spread over the list."""
    return panel.forecast_stations[evenly_spread(len(panel.forecast_stations), most)]


def evenly_spread(n: int, most: int) -> Ints:
    """Up to `most` of the positions 0 … n - 1."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def join_hindcasts(leads: Ints, origin: Ints, n_stations: int, parts: list[tuple[Floats32, Ints]]) -> Hindcasts:
    """Hindcasts from (error, known_from) of (lead, case), the cases being stations within origins."""
    shape = len(leads), len(origin), n_stations
    error, known_from = (
        np.concatenate(column, axis=1).reshape(shape).swapaxes(0, 1) for column in zip(*parts, strict=True)
    )
    return Hindcasts(leads, origin, error, known_from)


def fit_adjustment(
    hindcasts: Hindcasts,
    issued: Ints,
    *,
    expected: Floats32,
    blocks: Sequence[LeadBlock],
    config: RecalibrationConfig,
) -> Adjustment:
    """Shift and stretch of each lead block at each issue, from the hindcasts whose truth was known by then.

    A day counts once, however many stations and leads it has: their errors are correlated. A bias counts only as far as
    it exceeds some standard errors: days are autocorrelated too, and correcting noise adds error.

    Args:
        hindcasts: of one pollutant.
        issued: (issue,) hours.
        expected: (block,) mean absolute standardised error in training.
        blocks: lead blocks.
        config: hyper-parameters.
    """
    found = Adjustment.none(len(issued), len(blocks))
    leads, prior = hindcasts.leads, config.prior_days
    for i, moment in enumerate(issued):
        recent = (hindcasts.origin >= moment - DAY_HOURS * config.days) & (hindcasts.origin < moment)
        error = np.where(hindcasts.known_from[recent] <= moment, hindcasts.error[recent], np.float32(np.nan))
        for b, (first, last) in enumerate(blocks):
            mine = error[:, (first <= leads) & (last >= leads)]
            days = mine[~np.isnan(mine).all(axis=(1, 2))]
            if len(days):
                found.shift[i, b] = _significant_bias(np.nanmean(days, axis=(1, 2)), config)
                size = np.nanmean(np.abs(days - found.shift[i, b]), axis=(1, 2)).sum() / expected[b]
                found.stretch[i, b] = (size + prior) / (len(days) + prior)
    return found


def _significant_bias(daily: Floats32, config: RecalibrationConfig) -> float:
    if len(daily) < config.min_days:
        return 0.0
    noise = config.significance_se * daily.std(ddof=1) / np.sqrt(len(daily))
    return float(np.sign(daily.mean()) * max(abs(daily.mean()) - noise, 0))
