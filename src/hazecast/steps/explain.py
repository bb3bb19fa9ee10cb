"""Explain: what moved the forecast just issued, stored beside it."""

from datetime import timedelta

import polars as pl

from hazecast.air.tables import Drivers, newest
from hazecast.features.view import DIURNAL_MEAN_DAYS
from hazecast.models.forecaster import Forecaster
from hazecast.steps.inputs import read_inputs
from hazecast.store import Store

# As far back as anything but the climatology looks, and a day more.
SEEN_DAYS = DIURNAL_MEAN_DAYS + 1


def explain(store: Store, forecaster: Forecaster, forecasts: pl.DataFrame) -> pl.DataFrame:
    """Store what moved `forecasts`, at a few of their hours.

    Args:
        store: where the forecasts were made from.
        forecaster: who made them.
        forecasts: rows of one issue (`air.tables.Forecasts`).

    Returns:
        The Drivers rows stored; none where no model spoke.
    """
    issued_at = newest(forecasts["issued_at"])
    if issued_at is None or not forecaster.pollutants:
        return Drivers.create_empty()
    inputs = read_inputs(store, since=issued_at - timedelta(days=SEEN_DAYS))
    moved = forecaster.drivers(inputs.panel, issued_at)
    if moved.is_empty():
        return Drivers.create_empty()
    rows = _in_concentrations(moved, forecasts)
    store.append(Drivers, rows)
    return rows


def _in_concentrations(moved: pl.DataFrame, forecasts: pl.DataFrame) -> pl.DataFrame:
    """Changes of the log level as those of the median issued [µg/m³]."""
    median, offset = pl.col("q50"), pl.col("offset_ugm3")
    usual = ((median + offset) * (-pl.col("change")).exp() - offset).clip(lower_bound=0)
    by_model = forecasts.filter(pl.col("status") != "baseline").select(
        "station_id", "pollutant", "issued_at", "valid_at", "q50", "model_version"
    )
    joined = moved.join(by_model, on=["station_id", "pollutant", "issued_at", "valid_at"])
    return joined.with_columns(effect_ugm3=median - usual).select(Drivers.create_empty().columns)
