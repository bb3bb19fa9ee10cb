"""Keys of forecast frames, shared by models and baselines."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from hazecast.air.arrays import Ints
from hazecast.features import Panel


def all_cases(panel: Panel, issued_at: datetime | Sequence[datetime]) -> tuple[Ints, Ints]:
    """Every station to forecast at every issue time, as panel indices (station, hour)."""
    moments = [issued_at] if isinstance(issued_at, datetime) else issued_at
    hours = np.array([panel.hour_of(m) for m in moments], np.int64)
    stations = panel.forecast_stations
    return np.tile(stations, len(hours)), np.repeat(hours, len(stations))


def key_columns(
    panel: Panel, pollutant: str, station: Ints, issued: Ints, *, horizon_hours: int
) -> dict[str, pl.Series]:
    """The key of `horizon_hours` rows per case: station_id, pollutant, issued_at, valid_at, lead_hours."""
    n, leads = len(station), np.arange(1, horizon_hours + 1)
    ids = pl.Series(panel.stations, dtype=pl.String)
    return {
        "station_id": ids.gather(np.repeat(station, horizon_hours)),
        "pollutant": pl.Series([pollutant], dtype=pl.String).new_from_index(0, n * horizon_hours),
        "issued_at": panel.times(np.repeat(issued, horizon_hours)),
        "valid_at": panel.times((issued[:, None] + leads - 1).ravel()),
        "lead_hours": pl.Series(np.tile(leads, n).astype(np.int32)),
    }
