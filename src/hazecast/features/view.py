"""The as-of view: features are built from it alone, so they cannot use anything that was unknown at issue."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

import numpy as np
import numpy.typing as npt

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS, DEFAULT_HORIZON_HOURS
from hazecast.features.noise import forecast_errors, perturb
from hazecast.features.panel import Panel

HISTORY_HOURS = 168  # a week: the weekly cycle of traffic
DIURNAL_MEAN_DAYS = 28  # four weeks: every weekday counts four times
_MIN_DIURNAL_MEAN_DAYS = 7
PAST_WEATHER_HOURS = 96
SURROUNDING_HOURS = 24
_UNKNOWN = np.float32(np.nan)


class FutureWeather(StrEnum):
    """Which weather of the hours ahead the model gets.

    FORECAST: the newest run usable at issue. NONE: nothing. OBSERVED: the weather observed later ("perfect prog": an
    upper bound, to be declared wherever it is used). NOISY: the same plus simulated forecast errors, see
    `features.noise`.
    """

    FORECAST = "forecast"
    NONE = "none"
    OBSERVED = "observed"
    NOISY = "noisy"


@dataclass(frozen=True)
class AsOfView:
    """The data known at issue, one row per case (station, issue hour); NaN where unknown.

    Attributes:
        panel: its source; read for coordinates and calendars only.
        station: (case,) panel index.
        issued: (case,) panel hour of issue.
        history_ugm3: (pollutant, case, HISTORY_HOURS); the last column is the hour that ended at issue.
        diurnal_mean_ugm3: (pollutant, case, DAY_HOURS) means by clock hour over DIURNAL_MEAN_DAYS; column 0 is lead 1.
        surroundings_ugm3: (pollutant, case, SURROUNDING_HOURS) mean over the neighbours.
        weather: (case, PAST_WEATHER_HOURS + horizon_hours, WEATHER); column PAST_WEATHER_HOURS is lead 1.
        regional_weather: same shape, mean over the station and its neighbours; one anemometer does not represent the
            wind over a city.
    """

    panel: Panel
    station: Ints
    issued: Ints
    history_ugm3: Floats32
    diurnal_mean_ugm3: Floats32
    surroundings_ugm3: Floats32
    weather: Floats32
    regional_weather: Floats32

    def __len__(self) -> int:
        return len(self.station)

    @property
    def horizon_hours(self) -> int:
        """Longest lead of the weather ahead [h]."""
        return int(self.weather.shape[1]) - PAST_WEATHER_HOURS


def as_of(
    panel: Panel,
    station: Ints,
    issued: Ints,
    *,
    future: FutureWeather,
    horizon_hours: int = DEFAULT_HORIZON_HOURS,
    seed: int = 0,
) -> AsOfView:
    """Select the data that were known at hour `issued` about `station`, case by case.

    Args:
        panel: all data, including later ones.
        station: (case,) panel indices.
        issued: (case,) panel hours.
        future: which weather ahead to include.
        horizon_hours: longest lead of the weather ahead [h].
        seed: of the errors of NOISY weather.
    """
    weather, regional_weather = _local_and_regional_weather(
        panel, station, issued, future=future, horizon_hours=horizon_hours, seed=seed
    )
    return AsOfView(
        panel=panel,
        station=station,
        issued=issued,
        history_ugm3=recent_history(panel, station, issued),
        diurnal_mean_ugm3=_diurnal_mean(panel, station, issued),
        surroundings_ugm3=_surroundings(panel, station, issued),
        weather=weather,
        regional_weather=regional_weather,
    )


def recent_history(panel: Panel, station: Ints, issued: Ints) -> Floats32:
    """`AsOfView.history_ugm3` without the rest of the view."""
    return _known(panel, station, issued, -HISTORY_HOURS, 0)


def _window(panel: Panel, station: Ints, issued: Ints, first: int, last: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Hours issued+first … issued+last-1, clipped to the panel, and which of them lie inside it.

    For station -1 (none) no hour does.
    """
    hours = issued[:, None] + np.arange(first, last)
    inside = (hours >= 0) & (hours < panel.n_hours) & (station >= 0)[:, None]
    return np.clip(hours, 0, panel.n_hours - 1), inside


def _known(panel: Panel, station: Ints, issued: Ints, first: int, last: int) -> Floats32:
    at, inside = _window(panel, station, issued, first, last)
    values = panel.concentration_ugm3[:, station[:, None], at]
    known = inside & (panel.known_from[:, station[:, None], at] <= issued[:, None])
    return np.where(known, values, _UNKNOWN)


def _diurnal_mean(panel: Panel, station: Ints, issued: Ints) -> Floats32:
    days = (
        np.maximum(_known(panel, station, issued, -day * DAY_HOURS, (1 - day) * DAY_HOURS), 0)
        for day in range(1, DIURNAL_MEAN_DAYS + 1)
    )
    return _mean(days, (len(panel.pollutants), len(station), DAY_HOURS), min_count=_MIN_DIURNAL_MEAN_DAYS)


def _surroundings(panel: Panel, station: Ints, issued: Ints) -> Floats32:
    nearby = (_known(panel, near, issued, -SURROUNDING_HOURS, 0) for near in panel.neighbours[station].T)
    return _mean(nearby, (len(panel.pollutants), len(station), SURROUNDING_HOURS), min_count=1)


def _mean(parts: Iterable[Floats32], shape: tuple[int, ...], *, min_count: int) -> Floats32:
    """Mean of arrays of one shape, element by element; NaN where fewer than `min_count` of them are known."""
    total, count = np.zeros((2, *shape), np.float32)
    for part in parts:
        known = ~np.isnan(part)
        total += np.where(known, part, 0)
        count += known
    return np.where(count >= min_count, total / np.maximum(count, 1), _UNKNOWN)


def _local_and_regional_weather(
    panel: Panel, station: Ints, issued: Ints, *, future: FutureWeather, horizon_hours: int, seed: int
) -> tuple[Floats32, Floats32]:
    """Both with the same errors where NOISY: forecast errors are correlated over a city, and the mean of independent
    ones would cancel."""
    local = _weather(panel, station, issued, future=future, horizon_hours=horizon_hours)
    nearby = (
        _weather(panel, near, issued, future=future, horizon_hours=horizon_hours)
        for near in panel.neighbours[station].T
    )
    regional = _mean(chain([local], nearby), local.shape, min_count=1)
    if future is FutureWeather.NOISY:
        errors = forecast_errors(station, issued, horizon_hours=horizon_hours, seed=seed)
        for weather in (local, regional):
            weather[:, PAST_WEATHER_HOURS:] = perturb(weather[:, PAST_WEATHER_HOURS:], errors)
    return local, regional


def _weather(panel: Panel, station: Ints, issued: Ints, *, future: FutureWeather, horizon_hours: int) -> Floats32:
    """(case, hour, WEATHER), observed and, for the hours ahead, as `future` requires."""
    at, inside = _window(panel, station, issued, -PAST_WEATHER_HOURS, 0)
    known = inside & (panel.weather_known_from[station[:, None], at] <= issued[:, None])
    past = np.where(known[..., None], panel.weather[station[:, None], at], _UNKNOWN)
    if future is FutureWeather.FORECAST:
        return _with_run(panel, station, issued, past, horizon_hours)
    at, inside = _window(panel, station, issued, 0, horizon_hours)
    included = inside & (future is not FutureWeather.NONE)
    ahead = np.where(included[..., None], panel.weather[station[:, None], at], _UNKNOWN)
    return np.concatenate([past, ahead], axis=1)


def _with_run(panel: Panel, station: Ints, issued: Ints, past: Floats32, horizon_hours: int) -> Floats32:
    """The newest run ahead; it also substitutes for past hours whose observation is not available yet."""
    row = panel.runs.newest(station, issued)
    whole = np.full((len(station), past.shape[1] + horizon_hours, past.shape[2]), np.nan, np.float32)
    have = np.flatnonzero(row >= 0)
    run = row[have]
    column = issued[have, None] + np.arange(-past.shape[1], horizon_hours) - panel.runs.issued[run, None]
    values = panel.runs.values[run[:, None], np.clip(column, 0, panel.runs.n_hours - 1)]
    covered = (column >= 0) & (column < panel.runs.n_hours)
    whole[have] = np.where(covered[..., None], values, _UNKNOWN)
    observed = ~np.isnan(past)
    whole[:, : past.shape[1]][observed] = past[observed]
    return whole
