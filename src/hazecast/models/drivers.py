"""Drivers of a forecast: its change when a group of inputs is replaced by typical values, everything else unchanged.

The whole model is evaluated again, trees and networks alike. The groups are correlated, so their effects do not add up.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS
from hazecast.features import AsOfView
from hazecast.features.view import PAST_WEATHER_HOURS, SURROUNDING_HOURS


def driver_rows(view: AsOfView, pollutant: str, leads: Ints, change: Floats32) -> pl.DataFrame:
    """One row per case and lead of `change` (lead, case), how far a driver moved the log level; NaN is left out."""
    lead, case = np.nonzero(~np.isnan(change))
    issued = view.issued[case]
    return pl.DataFrame(
        {
            "station_id": pl.Series(view.panel.stations, dtype=pl.String).gather(view.station[case]),
            "pollutant": pl.Series([pollutant], dtype=pl.String).new_from_index(0, len(case)),
            "issued_at": view.panel.times(issued),
            "valid_at": view.panel.times(issued + leads[lead] - 1),
            "change": pl.Series(change[lead, case].astype(np.float64)),
        }
    )


def _typical_day(view: AsOfView) -> AsOfView:
    """Replace the last day by the mean of the six days before it at the same hours, for every pollutant."""
    days = view.history_ugm3.reshape(*view.history_ugm3.shape[:2], -1, DAY_HOURS)
    typical = _mean_known(days[:, :, :-1])
    last_day = _where_both(days[:, :, -1], typical)
    return replace(view, history_ugm3=np.concatenate([view.history_ugm3[..., :-DAY_HOURS], last_day], axis=-1))


def _neighbours_as_station(view: AsOfView) -> AsOfView:
    """Replace the neighbours' concentrations by those of the station itself."""
    own = view.history_ugm3[..., -SURROUNDING_HOURS:]
    return replace(view, surroundings_ugm3=_where_both(view.surroundings_ugm3, own))


def _persistent_weather(view: AsOfView) -> AsOfView:
    """Replace the local and regional weather ahead by that of the last day, repeated."""

    def persist(weather: Floats32) -> Floats32:
        past, ahead = np.split(weather, [PAST_WEATHER_HOURS], axis=1)
        repeated = np.tile(past[:, -DAY_HOURS:], (1, ahead.shape[1] // DAY_HOURS, 1))
        return np.concatenate([past, _where_both(ahead, repeated)], axis=1)

    return replace(view, weather=persist(view.weather), regional_weather=persist(view.regional_weather))


DRIVERS: dict[str, Callable[[AsOfView], AsOfView]] = {
    "recent_levels": _typical_day,
    "neighbours": _neighbours_as_station,
    "weather_ahead": _persistent_weather,
}


def _where_both(known: Floats32, typical: Floats32) -> Floats32:
    """The typical values where both are known; unknown values stay unknown."""
    return np.where(np.isnan(known) | np.isnan(typical), known, typical)


def _mean_known(days: Floats32) -> Floats32:
    """Mean over the days, the second last axis, ignoring NaN; NaN where all are."""
    known = ~np.isnan(days)
    total = np.where(known, days, 0).sum(axis=-2, dtype=np.float32)
    count = known.sum(axis=-2)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))
