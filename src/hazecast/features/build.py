"""Features: one row per forecast hour, from the as-of view alone; training and live forecasts both come here."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from hazecast.features.view import DAY_HOURS, HABIT_DAYS, HISTORY_HOURS, FutureWeather, View
from hazecast.features.weather import accumulate, past_weather, weather_ahead

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Columns = dict[str, Floats]
Offsets = dict[str, float]

_MEMORY_HOURS = 18.0
_MADE_ANEW = "o3"


@dataclass(frozen=True)
class Rows:
    """Which forecast hours of a view to build: `case` is a row of the view, `lead` 1…72 [h]."""

    case: Ints
    lead: Ints

    def __len__(self) -> int:
        return len(self.case)


@dataclass(frozen=True)
class Features:
    """One pollutant's rows. `base` is the log level that the model corrects: the naive forecast, NaN if there is none.

    Ozone is made anew every day by sun and weather, whatever it was before; its base is 0 and the model says the level.
    """

    names: tuple[str, ...]
    values: Floats
    base: Floats


def log_level(concentration_ugm3: Floats, offset_ugm3: float) -> Floats:
    """log(concentration + offset); small negatives of the instrument count as zero."""
    return np.log(np.maximum(concentration_ugm3, 0) + np.float32(offset_ugm3), dtype=np.float32)


def build_features(
    view: View, rows: Rows, *, offsets: Offsets, future: FutureWeather, only: tuple[str, ...]
) -> dict[str, Features]:
    """Features of the pollutants `only` for the same rows; weather and calendar are built once and shared.

    Args:
        view: what was knowable.
        rows: the forecast hours wanted.
        offsets: offset of the log scale per pollutant [µg/m³]; its pollutants are the inputs.
        future: NONE leaves out the weather ahead.
        only: the pollutants forecast.
    """
    here = accumulate(view.weather)
    shared = {"lead_hours": rows.lead.astype(np.float32), **calendar(view, rows)}
    shared |= {name: values[rows.case] for name, values in past_weather(here).items()}
    if future is not FutureWeather.NONE:
        region = weather_ahead(accumulate(view.regional_weather), case=rows.case, lead=rows.lead)
        shared |= weather_ahead(here, case=rows.case, lead=rows.lead) | {f"region_{n}": v for n, v in region.items()}
    levels = {p: log_level(of_pollutant(view, view.history_ugm3, p), offset) for p, offset in offsets.items()}
    usual = {p: log_level(of_pollutant(view, view.habit_ugm3, p), offsets[p]) for p in only}
    near = {p: log_level(of_pollutant(view, view.surroundings_ugm3, p), offsets[p]) for p in only}
    block = np.column_stack(list(shared.values()))
    built = {}
    for pollutant in only:
        own, base = _pollutant(levels, near[pollutant], usual[pollutant], rows, pollutant)
        values = np.concatenate([block, np.column_stack(list(own.values()))], axis=1)
        built[pollutant] = Features((*shared, *own), values, base)
    return built


def of_pollutant(view: View, values: Floats, pollutant: str) -> Floats:
    """The part of (pollutant, case, hour) that is `pollutant`'s; NaN where the panel does not know it."""
    if pollutant in view.panel.pollutants:
        return np.asarray(values[view.panel.pollutants.index(pollutant)])
    return np.full(values.shape[1:], np.nan, np.float32)


def calendar(view: View, rows: Rows) -> Columns:
    """Local hour 0…23, weekday 1…7 and the season as a turn, of the hours forecast."""
    hours = view.issued[rows.case] + rows.lead - 1
    zones = np.array(view.panel.timezones)[view.station[rows.case]]
    found = {name: np.empty(len(rows), np.float32) for name in ("local_hour", "weekday", "year_sin", "year_cos")}
    for zone in np.unique(zones):
        mine = zones == zone
        distinct, back = np.unique(hours[mine], return_inverse=True)
        local = view.panel.times(distinct).dt.convert_time_zone(ZoneInfo(zone).key).dt
        turn = 2 * np.pi * local.ordinal_day().to_numpy() / 365.25
        parts = local.hour(), local.weekday(), np.sin(turn), np.cos(turn)
        for name, part in zip(found, parts, strict=True):
            found[name][mine] = np.asarray(part)[back]
    return found


@dataclass(frozen=True)
class Recent:
    """Where a series stands at issue, (case,) each.

    `last` is the last known level, `age_hours` its age [h]; `level` the mean of three days (of the week, where they are
    silent), which also stands in for `last`.
    """

    last: Floats
    age_hours: Floats
    level: Floats


def recent(own: Floats) -> Recent:
    """Of the levels (case, hour) of one pollutant."""
    last, age_hours = _last(own)
    level = _first_known(mean_known(own[:, -72:]), mean_known(own))
    return Recent(_first_known(last, level), age_hours, level)


def naive_base(last: Floats, level: Floats, lead: Ints) -> Floats:
    """The naive forecast of the log level: the last one, decaying with the lead towards that of the last days."""
    keep = np.exp(-lead / _MEMORY_HOURS).astype(np.float32)
    return keep * last + (1 - keep) * level


def _pollutant(levels: Columns, near: Floats, usual: Floats, rows: Rows, pollutant: str) -> tuple[Columns, Floats]:
    own = levels[pollutant]
    state = {f"mean_{h}h": mean_known(own[:, -h:]) for h in (3, 6, 12, 24, 48, 72, HISTORY_HOURS)}
    now = recent(own)
    last = now.last[rows.case]
    naive = naive_base(last, now.level[rows.case], rows.lead)
    base = np.where(np.isnan(naive), naive, 0).astype(np.float32) if pollutant == _MADE_ANEW else naive
    found = {name: values[rows.case] - base for name, values in state.items()}
    found |= {f"lag_{h}h": own[rows.case, -h] - base for h in (1, 2, 3, 6, 12, 24)}
    found |= {"naive_base": naive, "last": last - base, "last_age_hours": now.age_hours[rows.case]}
    found[f"same_hour_mean_{HABIT_DAYS}d"] = usual[rows.case, (rows.lead - 1) % DAY_HOURS] - base
    found[f"mean_{HABIT_DAYS}d"] = mean_known(usual)[rows.case] - base
    found |= _same_hour(own, rows, base) | {n: v[rows.case] for n, v in _spread(own).items()}
    for other, theirs in levels.items():
        if other != pollutant:
            found |= {f"{other}_mean_{h}h": mean_known(theirs[:, -h:])[rows.case] for h in (3, 24)}
            found[f"{other}_mean_72h"] = mean_known(theirs[:, -72:])[rows.case]
    found |= {f"around_mean_{h}h": mean_known(near[:, -h:])[rows.case] - base for h in (1, 6, 24)}
    return found, base


def _same_hour(own: Floats, rows: Rows, base: Floats) -> Columns:
    """Levels at the clock hour forecast on the latest complete days before issue."""
    days = -(-rows.lead // 24)
    seen = [own[rows.case, HISTORY_HOURS + rows.lead - 1 - 24 * (days + d)] for d in range(7)]
    values = np.stack(seen)
    return {
        "same_hour_1d": values[0] - base,
        "same_hour_2d": values[1] - base,
        "same_hour_mean": mean_known(values.T) - base,
    }


def _spread(own: Floats) -> Columns:
    day = own[:, -24:]
    return {
        "highest_24h": np.fmax.reduce(day, axis=1) - mean_known(day),
        "lowest_24h": np.fmin.reduce(day, axis=1) - mean_known(day),
        "spread_24h": np.sqrt(mean_known((day - mean_known(day)[:, None]) ** 2)),
        f"spread_{HISTORY_HOURS}h": np.sqrt(mean_known((own - mean_known(own)[:, None]) ** 2)),
    }


def mean_known(values: Floats) -> Floats:
    """Mean over the last axis of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1, dtype=np.float32)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _last(own: Floats) -> tuple[Floats, Floats]:
    """Newest known level and its age [h]."""
    known = ~np.isnan(own)
    back = np.argmax(known[:, ::-1], axis=1)
    any_known = known.any(axis=1)
    value = own[np.arange(len(own)), HISTORY_HOURS - 1 - back]
    return np.where(any_known, value, np.nan).astype(np.float32), np.where(any_known, back + 1, np.nan).astype(
        np.float32
    )


def _first_known(*values: Floats) -> Floats:
    found = values[0]
    for other in values[1:]:
        found = np.where(np.isnan(found), other, found)
    return found
