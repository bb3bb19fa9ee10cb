"""The path ahead: hour after hour what the air will meet on its way to the horizon, all pollutants at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.air.tables import HORIZON_HOURS
from hazecast.features.build import Rows, calendar, log_level, mean_known, naive_base, of_pollutant, recent
from hazecast.features.panel import WEATHER
from hazecast.features.sun import sunlight
from hazecast.features.view import DAY_HOURS, HISTORY_HOURS, PAST_WEATHER_HOURS, FutureWeather, View
from hazecast.features.weather import accumulate, changes, day_range, means_until

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_RECENT_HOURS = 24
_LEADS = np.arange(1, HORIZON_HOURS + 1)
_SUN_BEFORE_HOURS = 3
_SATURDAY = 6
_RAIN_PER_MM = 10.0  # drizzle counts nearly as much as a downpour
_WIND = ("wind_speed_ms", "wind_u_ms", "wind_v_ms")
_LEAD_UP = tuple(
    (hours, series)
    for hours, names in (
        (6, (*_WIND, "stagnation", "precipitation_mm")),
        (24, (*_WIND, "stagnation", "precipitation_mm", "temperature_c", "dew_point_c")),
        (48, ("wind_speed_ms", "stagnation")),
    )
    for series in names
)


@dataclass(frozen=True)
class Path:
    """Inputs of the path net, unscaled; NaN is what was not known.

    Attributes:
        past: (case, feature) the last day of every pollutant, of the neighbours and of the weather, here and in the
            region; the week by days; the mean of four weeks.
        ahead: (lead, case, feature) sun and weather ahead, here and in the region, how the air was moved and washed in
            the hours up to then, calendar, lead, the naive bases, what is usual at that hour.
        base: (lead, case, pollutant) naive forecast of the log level that the net corrects, NaN if there is none.
    """

    past: Floats
    ahead: Floats
    base: Floats

    def __getitem__(self, cases: Ints) -> "Path":
        return Path(self.past[cases], self.ahead[:, cases], self.base[:, cases])


def join_paths(paths: Sequence[Path]) -> Path:
    """One path of all cases."""
    return Path(
        np.concatenate([path.past for path in paths]),
        np.concatenate([path.ahead for path in paths], axis=1),
        np.concatenate([path.base for path in paths], axis=1),
    )


def build_path(view: View, *, offsets: dict[str, float], future: FutureWeather, only: tuple[str, ...]) -> Path:
    """Cut a view into the inputs of the path net.

    Args:
        view: what was knowable.
        offsets: offset of the log scale per pollutant [µg/m³]; its pollutants are the inputs.
        future: NONE leaves out the weather ahead, and the sun, which without it only helps to learn by heart.
        only: the pollutants forecast, in the order of `Path.base`.
    """
    levels = [log_level(of_pollutant(view, view.history_ugm3, p), offset) for p, offset in offsets.items()]
    around = [log_level(of_pollutant(view, view.surroundings_ugm3, p), offset) for p, offset in offsets.items()]
    usual = [log_level(of_pollutant(view, view.habit_ugm3, p), offset) for p, offset in offsets.items()]
    bases, yesterdays = zip(*(_base_and_yesterday(own) for own in levels), strict=True)
    habits = [_through_horizon(own) - base for own, base in zip(usual, bases, strict=True)]
    base = dict(zip(offsets, bases, strict=True))
    weather = _with_forms(view.weather)
    regional_weather = _with_forms(view.regional_weather)
    past = [own[:, -_RECENT_HOURS:] for own in levels] + around + [_days(own) for own in levels]
    past += [mean_known(own)[:, None] for own in usual]
    past += [_last_day(weather), _last_day(regional_weather)]
    ahead = [_calendar(view), *(np.stack(parts, axis=-1) for parts in (bases, yesterdays, habits))]
    if future is not FutureWeather.NONE:
        ahead += [_ahead(weather), _sun(view), _lead_up(view.weather)]
        ahead += [_ahead(regional_weather), _lead_up(view.regional_weather), _day_range(view.regional_weather)]
    return Path(np.concatenate(past, axis=1), np.concatenate(ahead, axis=2), np.stack([base[p] for p in only], axis=-1))


def _base_and_yesterday(own: Floats) -> tuple[Floats, Floats]:
    """(lead, case) naive base, and how far the same clock hour of the last day lay from the level of three days."""
    now = recent(own)
    yesterday = own[:, HISTORY_HOURS - DAY_HOURS :] - now.level[:, None]
    return naive_base(now.last, now.level, _LEADS[:, None]), _through_horizon(yesterday)


def _through_horizon(day: Floats) -> Floats:
    """A day (case, hour), the first hour being that of lead 1, again and again: (lead, case)."""
    return np.tile(day.T, (HORIZON_HOURS // DAY_HOURS, 1))


def _days(own: Floats) -> Floats:
    return np.stack([mean_known(day) for day in np.split(own, HISTORY_HOURS // DAY_HOURS, axis=1)], axis=1)


def _last_day(weather: Floats) -> Floats:
    return weather[:, PAST_WEATHER_HOURS - _RECENT_HOURS : PAST_WEATHER_HOURS].reshape(len(weather), -1)


def _ahead(weather: Floats) -> Floats:
    return np.moveaxis(weather[:, PAST_WEATHER_HOURS:], 1, 0)


def _with_forms(weather: Floats) -> Floats:
    """Weather with the forms a net would have to find out: dew point depression, log rain, root of the wind speed."""
    at = {name: weather[:, :, k] for k, name in enumerate(WEATHER)}
    rain = np.log1p(_RAIN_PER_MM * np.maximum(at["precipitation_mm"], 0))
    forms = at["temperature_c"] - at["dew_point_c"], np.sqrt(np.maximum(at["wind_speed_ms"], 0)), rain
    return np.concatenate([weather, np.stack(forms, axis=-1)], axis=2, dtype=np.float32)


def _lead_up(weather: Floats) -> Floats:
    """(lead, case, feature): means of the weather up to the hour, and its change since a day before.

    The net could add them up by itself; shown them, it needs fewer rounds and learns less by heart.
    """
    running = accumulate(weather)
    where = {"case": np.arange(len(weather)), "lead": _LEADS[:, None]}
    found = means_until(running, _LEAD_UP, **where) | changes(running, **where)
    return np.stack(list(found.values()), axis=-1)


def _day_range(weather: Floats) -> Floats:
    found = day_range(weather, case=np.arange(len(weather)), lead=_LEADS[:, None])
    return np.stack(list(found.values()), axis=-1)


def _sun(view: View) -> Floats:
    """(lead, case, feature): sunlight of the hour, its root, and the mean of the three hours before."""
    hours = view.issued + np.arange(1 - _SUN_BEFORE_HOURS, HORIZON_HOURS + 1)[:, None] - 1
    light = sunlight(view.panel, np.broadcast_to(view.station, hours.shape), hours)
    now = light[_SUN_BEFORE_HOURS:]
    before = np.mean([light[k : k + HORIZON_HOURS] for k in range(_SUN_BEFORE_HOURS)], axis=0)
    return np.stack([now, np.sqrt(now), before], axis=-1)


def _calendar(view: View) -> Floats:
    """(lead, case, feature): clock hour and season as turns, weekend, log of the lead."""
    n = len(view)
    found = calendar(view, Rows(np.tile(np.arange(n), HORIZON_HOURS), np.repeat(_LEADS, n)))
    turn = found["local_hour"] * np.float32(np.pi / 12)
    lead = np.repeat(np.log(_LEADS), n)
    parts = np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn), found["weekday"] >= _SATURDAY
    columns = (*parts, found["year_sin"], found["year_cos"], lead)
    return np.stack(columns, axis=-1).astype(np.float32).reshape(HORIZON_HOURS, n, len(columns))
