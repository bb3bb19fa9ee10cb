"""What moves a forecast: what it would have been had a group of inputs been as is usual, all else as it was.

This asks the whole model, trees and path nets alike. The groups overlap in what they tell, so their effects do not add
up to anything.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.spec import DAY_HOURS
from hazecast.features import AsOfView
from hazecast.features.view import PAST_WEATHER_HOURS, SURROUNDING_HOURS

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# One hour in the middle of each lead block.
DRIVER_LEADS = np.array([3, 15, 36, 60])


def driver_rows(view: AsOfView, pollutant: str, change: Floats) -> pl.DataFrame:
    """One row per case and lead of `change` (lead, case), how far a driver moved the log level; NaN is left out."""
    lead, case = np.nonzero(~np.isnan(change))
    issued = view.issued[case]
    return pl.DataFrame(
        {
            "station_id": pl.Series(view.panel.stations, dtype=pl.String).gather(view.station[case]),
            "pollutant": pl.Series([pollutant], dtype=pl.String).new_from_index(0, len(case)),
            "issued_at": view.panel.times(issued),
            "valid_at": view.panel.times(issued + DRIVER_LEADS[lead] - 1),
            "change": pl.Series(change[lead, case].astype(np.float64)),
        }
    )


def _usual_levels(view: AsOfView) -> AsOfView:
    """The last day as the six days before it were at the same hours, for every pollutant."""
    days = view.history_ugm3.reshape(*view.history_ugm3.shape[:2], -1, DAY_HOURS)
    usual = _mean_known(days[:, :, :-1])
    last_day = _where_both(days[:, :, -1], usual)
    return replace(view, history_ugm3=np.concatenate([view.history_ugm3[..., :-DAY_HOURS], last_day], axis=-1))


def _like_here(view: AsOfView) -> AsOfView:
    """The neighbours having measured what the station itself did."""
    here = view.history_ugm3[..., -SURROUNDING_HOURS:]
    return replace(view, surroundings_ugm3=_where_both(view.surroundings_ugm3, here))


def _weather_goes_on(view: AsOfView) -> AsOfView:
    """The weather ahead, here and in the region, repeating that of the last day."""

    def goes_on(weather: Floats) -> Floats:
        past, ahead = np.split(weather, [PAST_WEATHER_HOURS], axis=1)
        repeated = np.tile(past[:, -DAY_HOURS:], (1, ahead.shape[1] // DAY_HOURS, 1))
        return np.concatenate([past, _where_both(ahead, repeated)], axis=1)

    return replace(view, weather=goes_on(view.weather), regional_weather=goes_on(view.regional_weather))


DRIVERS: dict[str, Callable[[AsOfView], AsOfView]] = {
    "recent_levels": _usual_levels,
    "neighbours": _like_here,
    "weather_ahead": _weather_goes_on,
}


def _where_both(known: Floats, usual: Floats) -> Floats:
    """What is usual in place of what was known; what was not known stays so."""
    return np.where(np.isnan(known) | np.isnan(usual), known, usual)


def _mean_known(days: Floats) -> Floats:
    """Mean over the days, the last axis but one; NaN where nothing is known."""
    known = ~np.isnan(days)
    total = np.where(known, days, 0).sum(axis=-2, dtype=np.float32)
    count = known.sum(axis=-2)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))
