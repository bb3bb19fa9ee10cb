"""The registered model as MLflow serves it: recent observations of a station in, its forecast out.

MLflow logs this file with the model and runs it on load, so nothing is pickled.
"""

from pathlib import Path
from typing import Any

import pandas as pd  # noqa: TID251 - what MLflow hands over
import polars as pl
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from hazecast.air.clock import HOUR, parse_utc
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import Observations, Stations, Weather, newest
from hazecast.features import build_panel
from hazecast.models import load_model


class ServedModel(PythonModel):  # type: ignore[misc]  # MLflow is untyped here
    """Wraps a saved Model."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the forecaster from the run's artifacts."""
        self._forecaster = load_model(Path(context.artifacts["forecaster"]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Forecast to the model's horizon after the newest observation, or after the parameter `issued_at`.

        Args:
            context: unused.
            model_input: station_id, pollutant, observed_at (UTC, start of hour), concentration_ugm3 [µg/m³].
            params: `issued_at`, ISO 8601 with zone; empty: the end of the newest hour.

        Returns:
            A frame by (station_id, pollutant, issued_at, valid_at; UTC): mean, q05 … q95 [µg/m³].
        """
        observed = _observations(pl.from_pandas(model_input))
        requested = (params or {}).get("issued_at", "")
        last_hour = newest(observed["observed_at"])
        if last_hour is None:
            raise ValueError("no observation given; send at least one hour with a concentration")
        issued_at = parse_utc(requested) if requested else last_hour + HOUR
        panel = build_panel(observed, Weather.create_empty(), _stations(observed))
        forecast = self._forecaster.predict(panel, issued_at)
        # MLflow's times have no zone; they are UTC.
        bare = forecast.with_columns(pl.col("issued_at", "valid_at").dt.replace_time_zone(None))
        return bare.select("station_id", "pollutant", "issued_at", "valid_at", "mean", *QUANTILES).to_pandas()


def _stations(observed: pl.DataFrame) -> pl.DataFrame:
    """Stations with an id and nothing else."""
    named = observed.select("station_id").unique().sort("station_id")
    unknown = {"name": pl.col("station_id"), "timezone": pl.lit("UTC"), "source": pl.lit("request")}
    nowhere = {name: pl.lit(None, pl.Float64) for name in ("latitude", "longitude")}
    described = named.with_columns(**unknown, **nowhere, attribution=pl.lit(""), licence=pl.lit(""))
    return described.select(Stations.create_empty().columns)


def _observations(given: pl.DataFrame) -> pl.DataFrame:
    hour = pl.col("observed_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return (
        given.drop_nulls("concentration_ugm3")
        .select(
            "station_id",
            "pollutant",
            observed_at=hour,
            concentration_ugm3=pl.col("concentration_ugm3").cast(pl.Float64),
            flag=pl.lit("ok"),
            flag_reasons=pl.lit(""),
            source=pl.lit("request"),
            available_at=hour + HOUR,
            ingested_at=hour + HOUR,
        )
        .select(Observations.create_empty().columns)
    )


set_model(ServedModel())
