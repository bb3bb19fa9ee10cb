"""Explain: store the drivers of the forecast just issued."""

import polars as pl

from hazecast.air.tables import Drivers, newest
from hazecast.models import Explainable, Model
from hazecast.steps.shards import IssueInputs
from hazecast.store import Store


def explain(
    store: Store, forecaster: Model, forecasts: pl.DataFrame, inputs: IssueInputs | None = None
) -> pl.DataFrame:
    """Compute and store the drivers of `forecasts`, at a few of their hours.

    Args:
        store: with the inputs of the forecasts.
        forecaster: the model that made them.
        forecasts: rows of one issue (`air.tables.Forecasts`).
        inputs: of that issue, if they are used by others too; None: they are read.

    Returns:
        The Drivers rows stored; none for the climatology and for models that are not `Explainable`.
    """
    issued_at = newest(forecasts["issued_at"])
    if issued_at is None or not isinstance(forecaster, Explainable):
        return Drivers.create_empty()
    inputs = inputs or IssueInputs(store, forecaster, issued_at)
    changes = [forecaster.drivers(shard.panel, issued_at) for shard in inputs.shards()]
    known = [rows for rows in changes if not rows.is_empty()]
    if not known:
        return Drivers.create_empty()
    rows = _in_concentrations(pl.concat(known), forecasts)
    store.append(Drivers, rows)
    return rows


def _in_concentrations(changes: pl.DataFrame, forecasts: pl.DataFrame) -> pl.DataFrame:
    """Convert changes of the log level to changes of the issued median [µg/m³]."""
    median, offset = pl.col("q50"), pl.col("offset_ugm3")
    typical = ((median + offset) * (-pl.col("change")).exp() - offset).clip(lower_bound=0)
    by_model = forecasts.filter(pl.col("status") != "baseline").select(
        "station_id", "pollutant", "issued_at", "valid_at", "q50", "model_version"
    )
    joined = changes.join(by_model, on=["station_id", "pollutant", "issued_at", "valid_at"])
    return joined.with_columns(effect_ugm3=median - typical).select(Drivers.create_empty().columns)
