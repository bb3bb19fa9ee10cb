"""The as-of view: the only way features see the panel."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

import numpy as np
import numpy.typing as npt

from hazecast.air.tables import HORIZON_HOURS
from hazecast.features.noise import forecast_errors, perturb
from hazecast.features.panel import RUN_HOURS, Panel

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

HISTORY_HOURS = 168
HABIT_DAYS, DAY_HOURS = 28, 24
_FEWEST_HABIT_DAYS = 7
PAST_WEATHER_HOURS = 96
SURROUNDING_HOURS = 24
_UNKNOWN = np.float32(np.nan)


class FutureWeather(StrEnum):
    """What is known about the weather of the hours ahead.

    FORECAST: the newest run usable at issue. NONE: nothing. OBSERVED: what came true ("perfect prog": an upper bound,
    to be declared wherever it is used). NOISY: what came true plus errors of a realistic size, see `features.noise`.
    """

    FORECAST = "forecast"
    NONE = "none"
    OBSERVED = "observed"
    NOISY = "noisy"


@dataclass(frozen=True)
class View:
    """What was knowable at issue, one row per case (station, issue hour); NaN is what was not known.

    Attributes:
        panel: where it was cut from; read for places and calendars only.
        station: (case,) panel index.
        issued: (case,) panel hour of issue.
        history_ugm3: (pollutant, case, HISTORY_HOURS); the last column is the hour that ended at issue.
        habit_ugm3: (pollutant, case, DAY_HOURS) means of clock hours over HABIT_DAYS; column 0 is the hour of lead 1.
        surroundings_ugm3: (pollutant, case, SURROUNDING_HOURS) mean over the neighbours.
        weather: (case, PAST_WEATHER_HOURS + HORIZON_HOURS, WEATHER); column PAST_WEATHER_HOURS is lead 1.
        regional_weather: same shape, mean over the station and its neighbours; one anemometer says little of the wind
            over a city.
    """

    panel: Panel
    station: Ints
    issued: Ints
    history_ugm3: Floats
    habit_ugm3: Floats
    surroundings_ugm3: Floats
    weather: Floats
    regional_weather: Floats

    def __len__(self) -> int:
        return len(self.station)


def look(panel: Panel, station: Ints, issued: Ints, *, future: FutureWeather, seed: int = 0) -> View:
    """Cut out what was knowable at hour `issued` about `station`, case by case.

    Args:
        panel: everything, including what was not yet known.
        station: (case,) panel indices.
        issued: (case,) panel hours.
        future: what to show of the weather ahead.
        seed: of the errors of NOISY weather.
    """
    weather, regional_weather = _weather_here_and_around(panel, station, issued, future=future, seed=seed)
    return View(
        panel=panel,
        station=station,
        issued=issued,
        history_ugm3=look_back(panel, station, issued),
        habit_ugm3=_habit(panel, station, issued),
        surroundings_ugm3=_surroundings(panel, station, issued),
        weather=weather,
        regional_weather=regional_weather,
    )


def look_back(panel: Panel, station: Ints, issued: Ints) -> Floats:
    """`View.history_ugm3` alone, for those who need nothing else of the view."""
    return _known(panel, station, issued, -HISTORY_HOURS, 0)


def _reach(panel: Panel, station: Ints, issued: Ints, first: int, last: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Hours issued+first … issued+last-1, moved inside the panel, and which of them truly lie there.

    Of a station -1, which stands for none, no hour does.
    """
    hours = issued[:, None] + np.arange(first, last)
    inside = (hours >= 0) & (hours < panel.n_hours) & (station >= 0)[:, None]
    return np.clip(hours, 0, panel.n_hours - 1), inside


def _known(panel: Panel, station: Ints, issued: Ints, first: int, last: int) -> Floats:
    at, inside = _reach(panel, station, issued, first, last)
    values = panel.concentration_ugm3[:, station[:, None], at]
    known = inside & (panel.known_from[:, station[:, None], at] <= issued[:, None])
    return np.where(known, values, _UNKNOWN)


def _habit(panel: Panel, station: Ints, issued: Ints) -> Floats:
    days = (
        np.maximum(_known(panel, station, issued, -day * DAY_HOURS, (1 - day) * DAY_HOURS), 0)
        for day in range(1, HABIT_DAYS + 1)
    )
    return _mean(days, (len(panel.pollutants), len(station), DAY_HOURS), fewest=_FEWEST_HABIT_DAYS)


def _surroundings(panel: Panel, station: Ints, issued: Ints) -> Floats:
    nearby = (_known(panel, near, issued, -SURROUNDING_HOURS, 0) for near in panel.neighbours[station].T)
    return _mean(nearby, (len(panel.pollutants), len(station), SURROUNDING_HOURS), fewest=1)


def _mean(parts: Iterable[Floats], shape: tuple[int, ...], *, fewest: int) -> Floats:
    """Mean of arrays of one shape, element by element; NaN where fewer than `fewest` of them are known."""
    total, count = np.zeros((2, *shape), np.float32)
    for part in parts:
        known = ~np.isnan(part)
        total += np.where(known, part, 0)
        count += known
    return np.where(count >= fewest, total / np.maximum(count, 1), _UNKNOWN)


def _weather_here_and_around(
    panel: Panel, station: Ints, issued: Ints, *, future: FutureWeather, seed: int
) -> tuple[Floats, Floats]:
    """Both with the same errors where NOISY: a forecast errs alike all over a city, and a mean of errors that did not
    would undo them."""
    here = _weather(panel, station, issued, future=future)
    nearby = (_weather(panel, near, issued, future=future) for near in panel.neighbours[station].T)
    around = _mean(chain([here], nearby), here.shape, fewest=1)
    if future is FutureWeather.NOISY:
        errors = forecast_errors(station, issued, seed=seed)
        for weather in (here, around):
            weather[:, PAST_WEATHER_HOURS:] = perturb(weather[:, PAST_WEATHER_HOURS:], errors)
    return here, around


def _weather(panel: Panel, station: Ints, issued: Ints, *, future: FutureWeather) -> Floats:
    """(case, hour, WEATHER), observed and, for the hours ahead, as `future` says."""
    at, inside = _reach(panel, station, issued, -PAST_WEATHER_HOURS, 0)
    known = inside & (panel.weather_known_from[station[:, None], at] <= issued[:, None])
    past = np.where(known[..., None], panel.weather[station[:, None], at], _UNKNOWN)
    if future is FutureWeather.FORECAST:
        return _with_run(panel, station, issued, past)
    at, inside = _reach(panel, station, issued, 0, HORIZON_HOURS)
    shown = inside & (future is not FutureWeather.NONE)
    ahead = np.where(shown[..., None], panel.weather[station[:, None], at], _UNKNOWN)
    return np.concatenate([past, ahead], axis=1)


def _with_run(panel: Panel, station: Ints, issued: Ints, past: Floats) -> Floats:
    """The newest run ahead; it also stands in for past hours whose observation is not there yet."""
    row = panel.runs.newest(station, issued)
    whole = np.full((len(station), past.shape[1] + HORIZON_HOURS, past.shape[2]), np.nan, np.float32)
    have = np.flatnonzero(row >= 0)
    run = row[have]
    column = issued[have, None] + np.arange(-past.shape[1], HORIZON_HOURS) - panel.runs.issued[run, None]
    values = panel.runs.values[run[:, None], np.clip(column, 0, RUN_HOURS - 1)]
    covered = (column >= 0) & (column < RUN_HOURS)
    whole[have] = np.where(covered[..., None], values, _UNKNOWN)
    observed = ~np.isnan(past)
    whole[:, : past.shape[1]][observed] = past[observed]
    return whole
