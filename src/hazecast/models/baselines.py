"""Forecasts that need no training: what every model must beat, and what speaks when a model cannot.

All know only what was available at issue. Times are UTC, also the hours and months of the climatology.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.spec import QUANTILE_LEVELS
from hazecast.air.tables import HORIZON_HOURS
from hazecast.features import Panel
from hazecast.features.view import HISTORY_HOURS, recent_history

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

PERSISTENCE_HOURS = 48
DAYS_BACK = 4
_LEADS = np.arange(1, HORIZON_HOURS + 1)
_CLIMATOLOGY_DAYS = 365
_ENOUGH_DAYS = 10


def persistence(panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
    """The last known value (at most 48 h older than the newest hour) held for 72 h; absent where there is none.

    Returns:
        One row per (station_id, pollutant, issued_at, valid_at): lead_hours [h], mean and q50 [µg/m³], both the same.
    """
    station, issued = cases(panel, issued_at)
    recent = recent_history(panel, station, issued)[:, :, -PERSISTENCE_HOURS - 1 :]
    known = ~np.isnan(recent)
    back = np.argmax(known[:, :, ::-1], axis=2)
    last = np.take_along_axis(recent, (recent.shape[2] - 1 - back)[..., None], axis=2)
    return _point_frame(panel, station, issued, np.repeat(last, HORIZON_HOURS, axis=2))


def seasonal_naive(panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
    """The same clock hour of the latest complete day before issue; missing: one more day back, up to 4 days in all.

    Returns:
        As `persistence`.
    """
    station, issued = cases(panel, issued_at)
    history = recent_history(panel, station, issued)
    days = -(-_LEADS // 24)
    values = np.full((*history.shape[:2], HORIZON_HOURS), np.nan, np.float32)
    for more in range(DAYS_BACK):
        earlier = history[:, :, HISTORY_HOURS + _LEADS - 1 - 24 * (days + more)]
        values = np.where(np.isnan(values), earlier, values)
    return _point_frame(panel, station, issued, values)


def climatology(panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
    """The station's mean of everything known at issue for the same hour of day and month (UTC).

    Returns:
        As `persistence`.
    """
    station, issued = cases(panel, issued_at)
    hours = issued[:, None] + _LEADS - 1
    cell = _cells(panel, np.arange(panel.n_hours)), _cells(panel, hours.ravel()).reshape(hours.shape)
    values = np.full((len(panel.pollutants), *hours.shape), np.nan, np.float32)
    for moment in np.unique(issued):
        mine = np.flatnonzero(issued == moment)
        means = _cell_means(panel, cell[0], int(moment))
        values[:, mine] = means[:, station[mine][:, None], cell[1][mine]]
    return _point_frame(panel, station, issued, values)


def climatological_quantiles(panel: Panel, pollutant: str, station: Ints, issued: Ints) -> Floats:
    """Quantiles (and last the mean) of the values of the past year at the same hour of day [µg/m³].

    With fewer than 10 days of a clock hour, all hours of the day are taken together.

    Args:
        panel: read as of issue.
        pollutant: one of the panel.
        station: (case,) each with at least one value known at issue.
        issued: (case,) panel hours.

    Returns:
        (case, lead, 8): q05 … q95, mean.
    """
    return np.stack([_year_quantiles(panel, pollutant, s, t) for s, t in zip(station, issued, strict=True)])


def cases(panel: Panel, issued_at: datetime | Sequence[datetime]) -> tuple[Ints, Ints]:
    """Every station at every issue time, as panel indices (station, hour)."""
    moments = [issued_at] if isinstance(issued_at, datetime) else issued_at
    hours = np.array([panel.hour_of(m) for m in moments], np.int64)
    stations = np.arange(len(panel.stations))
    return np.tile(stations, len(hours)), np.repeat(hours, len(stations))


def key_columns(panel: Panel, pollutant: str, station: Ints, issued: Ints) -> dict[str, pl.Series]:
    """The key of 72 rows per case: station_id, pollutant, issued_at, valid_at, lead_hours."""
    n = len(station)
    ids = pl.Series(panel.stations, dtype=pl.String)
    return {
        "station_id": ids.gather(np.repeat(station, HORIZON_HOURS)),
        "pollutant": pl.Series([pollutant], dtype=pl.String).new_from_index(0, n * HORIZON_HOURS),
        "issued_at": panel.times(np.repeat(issued, HORIZON_HOURS)),
        "valid_at": panel.times((issued[:, None] + _LEADS - 1).ravel()),
        "lead_hours": pl.Series(np.tile(_LEADS, n).astype(np.int32)),
    }


def _point_frame(panel: Panel, station: Ints, issued: Ints, values: Floats) -> pl.DataFrame:
    frames = []
    for k, pollutant in enumerate(panel.pollutants):
        point = pl.Series(np.maximum(values[k], 0).ravel().astype(np.float64))
        frame = pl.DataFrame(key_columns(panel, pollutant, station, issued)).with_columns(mean=point, q50=point)
        frames.append(frame.filter(pl.col("mean").is_not_nan()))
    return pl.concat(frames)


def _cells(panel: Panel, hours: Ints) -> Ints:
    times = panel.times(hours).dt
    return (times.hour().cast(pl.Int64) * 12 + times.month().cast(pl.Int64) - 1).to_numpy()


def _cell_means(panel: Panel, cell: Ints, moment: int) -> Floats:
    """(pollutant, station, hour × month) means of what was known at `moment`."""
    shape = (len(panel.pollutants), len(panel.stations), 24 * 12)
    at = np.nonzero(panel.truth_by(moment))
    place = np.ravel_multi_index((at[0], at[1], cell[at[2]]), shape)
    size = int(np.prod(shape))
    total = np.bincount(place, panel.concentration_ugm3[at], minlength=size)
    count = np.bincount(place, minlength=size)
    with np.errstate(invalid="ignore"):
        return (total / count).reshape(shape).astype(np.float32)


def _year_quantiles(panel: Panel, pollutant: str, station: int, issued: int) -> Floats:
    k = panel.pollutants.index(pollutant)
    last = min(issued, panel.n_hours)
    first = max(0, last - 24 * _CLIMATOLOGY_DAYS)
    if not (panel.known_from[k, station, first:last] <= issued).any():
        first = 0
    values = panel.concentration_ugm3[k, station, first:last]
    values = np.maximum(values[panel.known_from[k, station, first:last] <= issued], 0)
    hour = (first + np.flatnonzero(panel.known_from[k, station, first:last] <= issued)) % 24
    rows = []
    for clock in (issued + np.arange(24)) % 24:
        mine = values[hour == clock]
        sample = mine if len(mine) >= _ENOUGH_DAYS else values
        rows.append([*np.quantile(sample, QUANTILE_LEVELS), sample.mean()])
    return np.tile(np.array(rows, np.float32), (HORIZON_HOURS // 24, 1))
