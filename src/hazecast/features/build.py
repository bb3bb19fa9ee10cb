"""Features: one row per forecast hour, from the as-of view alone; training and live forecasts use the same code."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import DAY_HOURS
from hazecast.features.view import DIURNAL_MEAN_DAYS, HISTORY_HOURS, AsOfView, FutureWeather
from hazecast.features.weather import accumulate, past_weather, weather_ahead

Columns = dict[str, Floats32]
Offsets = dict[str, float]

_PERSISTENCE_HOURS = 18.0  # e-folding time of the naive forecast's relaxation to the recent mean


@dataclass(frozen=True)
class Rows:
    """The forecast hours of a view to build: `case` is a row of the view, `lead` 1…horizon [h]."""

    case: Ints
    lead: Ints

    def __len__(self) -> int:
        return len(self.case)


@dataclass(frozen=True)
class Features:
    """One pollutant's rows. `naive` is the log level that the model corrects: the naive forecast, NaN if there is none.

    For photochemical pollutants it is 0: sun and weather form them each day, and the model predicts the level itself.
    """

    names: tuple[str, ...]
    values: Floats32
    naive: Floats32


def log_level(concentration_ugm3: Floats32, offset_ugm3: float) -> Floats32:
    """log(concentration + offset); small negative readings count as zero."""
    return np.log(np.maximum(concentration_ugm3, 0) + np.float32(offset_ugm3), dtype=np.float32)


def build_features(
    view: AsOfView, rows: Rows, *, offsets: Offsets, future: FutureWeather, only: tuple[str, ...]
) -> dict[str, Features]:
    """Features of the pollutants `only` for the same rows; weather and calendar are built once and shared.

    Args:
        view: the data known at issue.
        rows: the forecast hours to build.
        offsets: offset of the log scale per pollutant [µg/m³]; its pollutants are the inputs.
        future: NONE leaves out the weather ahead.
        only: the pollutants forecast.
    """
    local = accumulate(view.weather)
    shared = {"lead_hours": rows.lead.astype(np.float32), **calendar(view, rows)}
    shared |= {name: values[rows.case] for name, values in past_weather(local).items()}
    if future is not FutureWeather.NONE:
        region = weather_ahead(accumulate(view.regional_weather), case=rows.case, lead=rows.lead)
        shared |= weather_ahead(local, case=rows.case, lead=rows.lead) | {f"region_{n}": v for n, v in region.items()}
    levels = {p: log_level(of_pollutant(view, view.history_ugm3, p), offset) for p, offset in offsets.items()}
    diurnal = {p: log_level(of_pollutant(view, view.diurnal_mean_ugm3, p), offsets[p]) for p in only}
    near = {p: log_level(of_pollutant(view, view.surroundings_ugm3, p), offsets[p]) for p in only}
    block = np.column_stack(list(shared.values()))
    built = {}
    for pollutant in only:
        own, naive = _pollutant_columns(levels, near[pollutant], diurnal[pollutant], rows, pollutant)
        values = np.concatenate([block, np.column_stack(list(own.values()))], axis=1)
        built[pollutant] = Features((*shared, *own), values, naive)
    return built


def of_pollutant(view: AsOfView, values: Floats32, pollutant: str) -> Floats32:
    """The part of (pollutant, case, hour) that is `pollutant`'s; NaN where the panel has no such pollutant."""
    if pollutant in view.panel.pollutants:
        return np.asarray(values[view.panel.pollutants.index(pollutant)])
    return np.full(values.shape[1:], np.nan, np.float32)


def calendar(view: AsOfView, rows: Rows) -> Columns:
    """Local hour 0…23, weekday 1…7 and the day of the year as sine and cosine, of the forecast hours."""
    hours = view.issued[rows.case] + rows.lead - 1
    zones = np.array(view.panel.timezones)[view.station[rows.case]]
    found = {name: np.empty(len(rows), np.float32) for name in ("local_hour", "weekday", "year_sin", "year_cos")}
    for zone in np.unique(zones):
        mine = zones == zone
        distinct, back = np.unique(hours[mine], return_inverse=True)
        local = view.panel.times(distinct).dt.convert_time_zone(ZoneInfo(zone).key).dt
        angle = 2 * np.pi * local.ordinal_day().to_numpy() / 365.25
        parts = local.hour(), local.weekday(), np.sin(angle), np.cos(angle)
        for name, part in zip(found, parts, strict=True):
            found[name][mine] = np.asarray(part)[back]
    return found


@dataclass(frozen=True)
class Recent:
    """The recent state of a series at issue, (case,) each.

    `last` is the last known level, `age_hours` its age [h]; `level` the mean of three days (of the week, where they are
    missing), which also substitutes for a missing `last`.
    """

    last: Floats32
    age_hours: Floats32
    level: Floats32


def recent(own: Floats32) -> Recent:
    """The recent state of the levels (case, hour) of one pollutant."""
    last, age_hours = _last(own)
    level = _first_known(mean_known(own[:, -72:]), mean_known(own))
    return Recent(_first_known(last, level), age_hours, level)


def naive_level(last: Floats32, level: Floats32, lead: Ints) -> Floats32:
    """The naive forecast of the log level: the last one, relaxing with the lead to the mean of the last days."""
    weight = np.exp(-lead / _PERSISTENCE_HOURS).astype(np.float32)
    return weight * last + (1 - weight) * level


def _pollutant_columns(
    levels: Columns, near: Floats32, diurnal: Floats32, rows: Rows, pollutant: str
) -> tuple[Columns, Floats32]:
    own = levels[pollutant]
    state = {f"mean_{h}h": mean_known(own[:, -h:]) for h in (3, 6, 12, 24, 48, 72, HISTORY_HOURS)}
    now = recent(own)
    last = now.last[rows.case]
    naive = naive_level(last, now.level[rows.case], rows.lead)
    direct = Pollutant(pollutant).photochemical
    base = np.where(np.isnan(naive), naive, 0).astype(np.float32) if direct else naive
    found = {name: values[rows.case] - base for name, values in state.items()}
    found |= {f"lag_{h}h": own[rows.case, -h] - base for h in (1, 2, 3, 6, 12, 24)}
    found |= {"naive_base": naive, "last": last - base, "last_age_hours": now.age_hours[rows.case]}
    found[f"same_hour_mean_{DIURNAL_MEAN_DAYS}d"] = diurnal[rows.case, (rows.lead - 1) % DAY_HOURS] - base
    found[f"mean_{DIURNAL_MEAN_DAYS}d"] = mean_known(diurnal)[rows.case] - base
    found |= _same_hour(own, rows, base) | {n: v[rows.case] for n, v in _spread(own).items()}
    for other, level in levels.items():
        if other != pollutant:
            found |= {f"{other}_mean_{h}h": mean_known(level[:, -h:])[rows.case] for h in (3, 24)}
            found[f"{other}_mean_72h"] = mean_known(level[:, -72:])[rows.case]
    found |= {f"around_mean_{h}h": mean_known(near[:, -h:])[rows.case] - base for h in (1, 6, 24)}
    return found, base


def _same_hour(own: Floats32, rows: Rows, base: Floats32) -> Columns:
    """Levels at the same clock hour on the latest complete days before issue."""
    days = -(-rows.lead // 24)
    earlier = [own[rows.case, HISTORY_HOURS + rows.lead - 1 - 24 * (days + d)] for d in range(7)]
    values = np.stack(earlier)
    return {
        "same_hour_1d": values[0] - base,
        "same_hour_2d": values[1] - base,
        "same_hour_mean": mean_known(values.T) - base,
    }


def _spread(own: Floats32) -> Columns:
    day = own[:, -24:]
    return {
        "highest_24h": np.fmax.reduce(day, axis=1) - mean_known(day),
        "lowest_24h": np.fmin.reduce(day, axis=1) - mean_known(day),
        "spread_24h": np.sqrt(mean_known((day - mean_known(day)[:, None]) ** 2)),
        f"spread_{HISTORY_HOURS}h": np.sqrt(mean_known((own - mean_known(own)[:, None]) ** 2)),
    }


def mean_known(values: Floats32) -> Floats32:
    """Mean over the last axis, ignoring NaN; NaN where all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1, dtype=np.float32)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _last(own: Floats32) -> tuple[Floats32, Floats32]:
    """Newest known level and its age [h]."""
    known = ~np.isnan(own)
    back = np.argmax(known[:, ::-1], axis=1)
    any_known = known.any(axis=1)
    value = own[np.arange(len(own)), HISTORY_HOURS - 1 - back]
    return np.where(any_known, value, np.nan).astype(np.float32), np.where(any_known, back + 1, np.nan).astype(
        np.float32
    )


def _first_known(*values: Floats32) -> Floats32:
    found = values[0]
    for other in values[1:]:
        found = np.where(np.isnan(found), other, found)
    return found
