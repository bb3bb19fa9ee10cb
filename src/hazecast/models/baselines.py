"""Point forecasts that every model must beat. All use only what was available at issue; times are UTC."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import polars as pl

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS, DEFAULT_HORIZON_HOURS
from hazecast.features import Panel
from hazecast.features.view import HISTORY_HOURS, recent_history
from hazecast.models.frames import all_cases, key_columns
from hazecast.scoring import naive

Naive = Callable[[pl.DataFrame, pl.DataFrame, tuple[str, ...]], pl.DataFrame]

_KEY = ("station_id", "pollutant", "issued_at")


def persistence(
    panel: Panel, issued_at: datetime | Sequence[datetime], *, horizon_hours: int = DEFAULT_HORIZON_HOURS
) -> pl.DataFrame:
    """The last known value, at most 48 h older than the newest hour, up to the horizon; missing where there is none.

    Returns:
        One row per (station_id, pollutant, issued_at, valid_at): lead_hours [h], mean and q50 [µg/m³], both the same.
    """
    return _naive_frame(panel, issued_at, horizon_hours, naive.with_persistence, "persistence_ugm3")


def seasonal_naive(
    panel: Panel, issued_at: datetime | Sequence[datetime], *, horizon_hours: int = DEFAULT_HORIZON_HOURS
) -> pl.DataFrame:
    """The same clock hour of the latest complete day before issue; missing: one more day back, up to 4 days in all.

    Returns:
        As `persistence`.
    """
    return _naive_frame(panel, issued_at, horizon_hours, naive.with_seasonal_naive, "seasonal_naive_ugm3")


def climatology(
    panel: Panel, issued_at: datetime | Sequence[datetime], *, horizon_hours: int = DEFAULT_HORIZON_HOURS
) -> pl.DataFrame:
    """The station's mean of everything known at issue for the same hour of day and month (UTC).

    Returns:
        As `persistence`.
    """
    station, issued = all_cases(panel, issued_at)
    hours = issued[:, None] + np.arange(horizon_hours)
    cell = _cells(panel, np.arange(panel.n_hours)), _cells(panel, hours.ravel()).reshape(hours.shape)
    values = np.full((len(panel.pollutants), *hours.shape), np.nan, np.float32)
    for moment in np.unique(issued):
        mine = np.flatnonzero(issued == moment)
        means = _cell_means(panel, cell[0], int(moment))
        values[:, mine] = means[:, station[mine][:, None], cell[1][mine]]
    frames = []
    for k, pollutant in enumerate(panel.pollutants):
        point = pl.Series(np.maximum(values[k], 0).ravel().astype(np.float64))
        keys = key_columns(panel, pollutant, station, issued, horizon_hours=horizon_hours)
        frames.append(pl.DataFrame(keys).with_columns(mean=point, q50=point).filter(pl.col("mean").is_not_nan()))
    return pl.concat(frames)


def _naive_frame(
    panel: Panel, issued_at: datetime | Sequence[datetime], horizon_hours: int, forecast: Naive, column: str
) -> pl.DataFrame:
    """A naive forecast from the history of every case, as it was known at issue."""
    station, issued = all_cases(panel, issued_at)
    history = recent_history(panel, station, issued)
    frames = []
    for k, pollutant in enumerate(panel.pollutants):
        rows = pl.DataFrame(key_columns(panel, pollutant, station, issued, horizon_hours=horizon_hours))
        value = pl.col(column).clip(lower_bound=0)
        found = forecast(rows, _known(panel, pollutant, station, issued, history[k]), _KEY).drop_nulls(column)
        frames.append(found.with_columns(mean=value, q50=value).drop(column))
    return pl.concat(frames)


def _known(panel: Panel, pollutant: str, station: Ints, issued: Ints, history: Floats32) -> pl.DataFrame:
    """The history (case, hour) as rows: key, valid_at, observed_ugm3 [µg/m³]."""
    case, hour = np.nonzero(~np.isnan(history))
    return pl.DataFrame(
        {
            "station_id": pl.Series(panel.stations, dtype=pl.String).gather(station[case]),
            "pollutant": pl.Series([pollutant], dtype=pl.String).new_from_index(0, len(case)),
            "issued_at": panel.times(issued[case]),
            "valid_at": panel.times(issued[case] - HISTORY_HOURS + hour),
            "observed_ugm3": pl.Series(history[case, hour].astype(np.float64)),
        }
    )


def _cells(panel: Panel, hours: Ints) -> Ints:
    times = panel.times(hours).dt
    return (times.hour().cast(pl.Int64) * 12 + times.month().cast(pl.Int64) - 1).to_numpy()


def _cell_means(panel: Panel, cell: Ints, moment: int) -> Floats32:
    """(pollutant, station, hour × month) means of what was known at `moment`."""
    shape = (len(panel.pollutants), len(panel.stations), DAY_HOURS * 12)
    at = np.nonzero(panel.truth_by(moment))
    flat = np.ravel_multi_index((at[0], at[1], cell[at[2]]), shape)
    size = int(np.prod(shape))
    total = np.bincount(flat, panel.concentration_ugm3[at], minlength=size)
    count = np.bincount(flat, minlength=size)
    with np.errstate(invalid="ignore"):
        return (total / count).reshape(shape).astype(np.float32)
