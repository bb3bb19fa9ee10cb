"""Weather features: means, changes and ranges of the weather up to each forecast hour."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS
from hazecast.features.panel import WEATHER
from hazecast.features.view import PAST_WEATHER_HOURS

Columns = dict[str, Floats32]
Windows = tuple[tuple[int, str], ...]  # hours, and the series to take the mean of

_STAGNANT_MS = 1.5  # near-calm: the range in which emissions accumulate
_HALF_DAY = DAY_HOURS // 2
_MIN_RANGE_C = 1.0
_SERIES = (*WEATHER, "stagnation")


@dataclass(frozen=True)
class CumulativeWeather:
    """Weather and its cumulative sums over the hours of each case: a mean over any window costs two look-ups."""

    values: Floats32
    total: Floats32
    count: Floats32

    def mean(self, series: str, case: Ints, *, first: Ints, last: Ints) -> Floats32:
        """Mean over columns first…last-1; NaN unless half of them are known."""
        k = _SERIES.index(series)
        start = np.maximum(first, 0)
        n = self.count[k][case, last] - self.count[k][case, start]
        total = self.total[k][case, last] - self.total[k][case, start]
        enough = (n > 0) & (2 * n >= last - start)
        return np.where(enough, total / np.maximum(n, 1), np.float32(np.nan))


def past_weather(weather: CumulativeWeather) -> Columns:
    """Weather before issue, one value per case: means over the last 3 to 72 h and changes since yesterday."""
    case = np.arange(len(weather.values))
    last = np.full(len(case), PAST_WEATHER_HOURS)
    found = {
        f"past_{series}_{hours}h": weather.mean(series, case, first=last - hours, last=last)
        for hours in (3, 6, 24, 72)
        for series in _SERIES
    }
    for series in ("temperature_c", "dew_point_c", "pressure_hpa", "wind_speed_ms"):
        yesterday = weather.mean(series, case, first=last - 27, last=last - 24)
        found[f"past_change_{series}_24h"] = found[f"past_{series}_3h"] - yesterday
    return found


def weather_ahead(weather: CumulativeWeather, *, case: Ints, lead: Ints) -> Columns:
    """Weather at the hour forecast and over the preceding hours, one value per row."""
    column = PAST_WEATHER_HOURS + lead - 1
    at: Columns = {name: weather.values[case, column, k] for k, name in enumerate(WEATHER)}
    found: Columns = {f"at_{name}": values for name, values in at.items()}
    found["at_dew_point_depression_c"] = at["temperature_c"] - at["dew_point_c"]
    found |= day_range(weather.values, case=case, lead=lead) | changes(weather, case=case, lead=lead)
    found |= means_until(weather, _AHEAD_WINDOWS, case=case, lead=lead)
    issue = np.full(len(case), PAST_WEATHER_HOURS)
    for series in ("wind_u_ms", "wind_v_ms", "wind_speed_ms", "precipitation_mm"):
        found[f"since_issue_{series}"] = weather.mean(series, case, first=issue, last=column + 1)
    found["strongest_wind_since_issue_ms"] = _maximum_wind(weather.values)[case, lead - 1]
    return found


def changes(weather: CumulativeWeather, *, case: Ints, lead: Ints) -> Columns:
    """Change of temperature, dew point and pressure over the day up to the hour forecast; case and lead broadcast."""
    column = PAST_WEATHER_HOURS + lead - 1
    found = {}
    for name in ("temperature_c", "dew_point_c", "pressure_hpa"):
        values = weather.values[:, :, WEATHER.index(name)]
        found[f"change_{name}_24h"] = values[case, column] - values[case, column - DAY_HOURS]
    return found


def day_range(weather: Floats32, *, case: Ints, lead: Ints) -> Columns:
    """Temperature range of the day around the forecast hour, and the position of the hour within it.

    Under a clear sky the range is large: ozone forms by day, and at night an inversion traps emissions. case and lead
    broadcast.
    """
    temperature_c = weather[:, PAST_WEATHER_HOURS - _HALF_DAY :, WEATHER.index("temperature_c")]
    beyond = np.full((len(temperature_c), _HALF_DAY), np.nan, np.float32)
    day = sliding_window_view(np.concatenate([temperature_c, beyond], axis=1), 2 * _HALF_DAY + 1, axis=1)
    lowest = np.fmin.reduce(day, axis=2)[case, lead - 1]
    width = np.fmax.reduce(day, axis=2)[case, lead - 1] - lowest
    above = temperature_c[case, _HALF_DAY + lead - 1] - lowest
    found = {"day_temperature_range_c": width, "above_lowest_c": above}
    return found | {"share_of_range": above / np.maximum(width, _MIN_RANGE_C)}


def means_until(weather: CumulativeWeather, windows: Windows, *, case: Ints, lead: Ints) -> Columns:
    """Means over windows that end with the hour forecast; case and lead broadcast."""
    end = PAST_WEATHER_HOURS + lead
    return {
        f"mean_{series}_{hours}h": weather.mean(series, case, first=end - hours, last=end) for hours, series in windows
    }


_AHEAD_WINDOWS = tuple(
    (hours, series)
    for hours, names in (
        (3, ("wind_speed_ms", "wind_u_ms", "wind_v_ms")),
        (6, ("wind_speed_ms", "wind_u_ms", "wind_v_ms", "precipitation_mm", "stagnation")),
        (12, ("wind_speed_ms", "wind_u_ms", "wind_v_ms", "stagnation", "pressure_hpa")),
        (
            24,
            (
                "wind_speed_ms",
                "wind_u_ms",
                "wind_v_ms",
                "stagnation",
                "precipitation_mm",
                "temperature_c",
                "dew_point_c",
            ),
        ),
        (48, ("wind_speed_ms", "wind_u_ms", "wind_v_ms", "stagnation", "dew_point_c", "pressure_hpa")),
    )
    for series in names
)


def accumulate(weather: Floats32) -> CumulativeWeather:
    """Cumulative sums of (case, hour, WEATHER) and of the share of stagnant hours (wind below 1.5 m/s)."""
    speed = weather[:, :, WEATHER.index("wind_speed_ms")]
    stagnant = np.where(np.isnan(speed), np.nan, speed < _STAGNANT_MS)
    series = np.concatenate([np.moveaxis(weather, 2, 0), stagnant[None].astype(np.float32)])
    known = ~np.isnan(series)
    start = np.zeros((*series.shape[:2], 1), np.float32)
    total = np.cumsum(np.where(known, series, 0), axis=2, dtype=np.float32)
    count = np.cumsum(known, axis=2, dtype=np.float32)
    return CumulativeWeather(weather, np.concatenate([start, total], axis=2), np.concatenate([start, count], axis=2))


def _maximum_wind(weather: Floats32) -> Floats32:
    speed = weather[:, PAST_WEATHER_HOURS:, WEATHER.index("wind_speed_ms")]
    so_far = np.fmax.accumulate(speed, axis=1)
    return so_far.astype(np.float32)
