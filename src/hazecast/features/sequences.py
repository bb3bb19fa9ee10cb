"""Inputs of the recurrent network: the recent past of a case and a sequence of features for the hours ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS
from hazecast.features.build import Rows, calendar, log_level, mean_known, naive_level, of_pollutant, recent
from hazecast.features.panel import WEATHER
from hazecast.features.sun import sunlight
from hazecast.features.view import HISTORY_HOURS, PAST_WEATHER_HOURS, AsOfView, FutureWeather
from hazecast.features.weather import accumulate, changes, day_range, means_until

_RECENT_HOURS = 24
_SUN_BEFORE_HOURS = 3
_SATURDAY = 6
_RAIN_PER_MM = 10.0  # log scale: wash-out saturates, drizzle counts nearly as much as a downpour
_WIND = ("wind_speed_ms", "wind_u_ms", "wind_v_ms")
_PRECEDING_WINDOWS = tuple(
    (hours, series)
    for hours, names in (
        (6, (*_WIND, "stagnation", "precipitation_mm")),
        (24, (*_WIND, "stagnation", "precipitation_mm", "temperature_c", "dew_point_c")),
        (48, ("wind_speed_ms", "stagnation")),
    )
    for series in names
)


@dataclass(frozen=True)
class SequenceInputs:
    """Inputs of the recurrent network, unscaled; NaN where unknown.

    Attributes:
        past: (case, feature) the last day of every pollutant, of the neighbours and of the local and regional weather;
            daily means of the week; the mean of four weeks.
        ahead: (lead, case, feature) solar elevation, local and regional weather ahead, mean wind and rain of the
            preceding hours, calendar, lead, the naive forecasts, the diurnal means.
        naive: (lead, case, pollutant) naive forecast of the log level that the network corrects, NaN if there is none.
    """

    past: Floats32
    ahead: Floats32
    naive: Floats32

    def __getitem__(self, cases: Ints) -> "SequenceInputs":
        return SequenceInputs(self.past[cases], self.ahead[:, cases], self.naive[:, cases])


def concat_sequences(parts: Sequence[SequenceInputs]) -> SequenceInputs:
    """Concatenate along the cases."""
    return SequenceInputs(
        np.concatenate([part.past for part in parts]),
        np.concatenate([part.ahead for part in parts], axis=1),
        np.concatenate([part.naive for part in parts], axis=1),
    )


def build_sequences(
    view: AsOfView, *, offsets: dict[str, float], future: FutureWeather, only: tuple[str, ...]
) -> SequenceInputs:
    """Build the inputs of the recurrent network.

    Args:
        view: the data known at issue.
        offsets: offset of the log scale per pollutant [µg/m³]; its pollutants are the inputs.
        future: NONE leaves out the weather ahead, and the solar elevation, which without it only invites overfitting.
        only: the pollutants forecast, in the order of `SequenceInputs.naive`.
    """
    levels = [log_level(of_pollutant(view, view.history_ugm3, p), offset) for p, offset in offsets.items()]
    around = [log_level(of_pollutant(view, view.surroundings_ugm3, p), offset) for p, offset in offsets.items()]
    diurnal = [log_level(of_pollutant(view, view.diurnal_mean_ugm3, p), offset) for p, offset in offsets.items()]
    leads = np.arange(1, view.horizon_hours + 1)
    naives, yesterdays = zip(*(_naive_and_yesterday(own, leads) for own in levels), strict=True)
    cycles = [_repeat_daily(own, len(leads)) - naive for own, naive in zip(diurnal, naives, strict=True)]
    naive = dict(zip(offsets, naives, strict=True))
    weather = _with_transforms(view.weather)
    regional_weather = _with_transforms(view.regional_weather)
    past = [own[:, -_RECENT_HOURS:] for own in levels] + around + [_days(own) for own in levels]
    past += [mean_known(own)[:, None] for own in diurnal]
    past += [_last_day(weather), _last_day(regional_weather)]
    ahead = [_calendar(view), *(np.stack(parts, axis=-1) for parts in (naives, yesterdays, cycles))]
    if future is not FutureWeather.NONE:
        ahead += [_ahead(weather), _sun(view), _preceding_weather(view.weather)]
        ahead += [
            _ahead(regional_weather),
            _preceding_weather(view.regional_weather),
            _day_range(view.regional_weather),
        ]
    targets = np.stack([naive[p] for p in only], axis=-1)
    return SequenceInputs(np.concatenate(past, axis=1), np.concatenate(ahead, axis=2), targets)


def _naive_and_yesterday(own: Floats32, leads: Ints) -> tuple[Floats32, Floats32]:
    """(lead, case) naive forecast, and the anomaly of the same clock hour of the last day from the mean of three."""
    now = recent(own)
    yesterday = own[:, HISTORY_HOURS - DAY_HOURS :] - now.level[:, None]
    return naive_level(now.last, now.level, leads[:, None]), _repeat_daily(yesterday, len(leads))


def _repeat_daily(day: Floats32, horizon_hours: int) -> Floats32:
    """Repeat a day (case, hour), the first hour being that of lead 1, up to the horizon: (lead, case)."""
    return np.tile(day.T, (horizon_hours // DAY_HOURS, 1))


def _days(own: Floats32) -> Floats32:
    return np.stack([mean_known(day) for day in np.split(own, HISTORY_HOURS // DAY_HOURS, axis=1)], axis=1)


def _last_day(weather: Floats32) -> Floats32:
    return weather[:, PAST_WEATHER_HOURS - _RECENT_HOURS : PAST_WEATHER_HOURS].reshape(len(weather), -1)


def _ahead(weather: Floats32) -> Floats32:
    return np.moveaxis(weather[:, PAST_WEATHER_HOURS:], 1, 0)


def _with_transforms(weather: Floats32) -> Floats32:
    """Weather with transformed channels: dew point depression, square root of the wind speed, log rain."""
    at = {name: weather[:, :, k] for k, name in enumerate(WEATHER)}
    rain = np.log1p(_RAIN_PER_MM * np.maximum(at["precipitation_mm"], 0))
    transformed = at["temperature_c"] - at["dew_point_c"], np.sqrt(np.maximum(at["wind_speed_ms"], 0)), rain
    return np.concatenate([weather, np.stack(transformed, axis=-1)], axis=2, dtype=np.float32)


def _preceding_weather(weather: Floats32) -> Floats32:
    """(lead, case, feature): means of the weather up to the hour, and its change over a day.

    The network could learn these sums; given them, it needs fewer epochs and overfits less (trials.csv).
    """
    cumulative = accumulate(weather)
    where = {"case": np.arange(len(weather)), "lead": _leads(weather)[:, None]}
    found = means_until(cumulative, _PRECEDING_WINDOWS, **where) | changes(cumulative, **where)
    return np.stack(list(found.values()), axis=-1)


def _day_range(weather: Floats32) -> Floats32:
    found = day_range(weather, case=np.arange(len(weather)), lead=_leads(weather)[:, None])
    return np.stack(list(found.values()), axis=-1)


def _leads(weather: Floats32) -> Ints:
    return np.arange(1, weather.shape[1] - PAST_WEATHER_HOURS + 1)


def _sun(view: AsOfView) -> Floats32:
    """(lead, case, feature): solar elevation of the hour, its square root, and the mean of the three hours before."""
    hours = view.issued + np.arange(1 - _SUN_BEFORE_HOURS, view.horizon_hours + 1)[:, None] - 1
    light = sunlight(view.panel, np.broadcast_to(view.station, hours.shape), hours)
    now = light[_SUN_BEFORE_HOURS:]
    before = np.mean([light[k : k + view.horizon_hours] for k in range(_SUN_BEFORE_HOURS)], axis=0)
    return np.stack([now, np.sqrt(now), before], axis=-1)


def _calendar(view: AsOfView) -> Floats32:
    """(lead, case, feature): two harmonics of the clock hour, weekend, season, log of the lead."""
    n, leads = len(view), np.arange(1, view.horizon_hours + 1)
    found = calendar(view, Rows(np.tile(np.arange(n), len(leads)), np.repeat(leads, n)))
    angle = found["local_hour"] * np.float32(np.pi / 12)
    lead = np.repeat(np.log(leads), n)
    parts = np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle), found["weekday"] >= _SATURDAY
    columns = (*parts, found["year_sin"], found["year_cos"], lead)
    return np.stack(columns, axis=-1).astype(np.float32).reshape(len(leads), n, len(columns))
