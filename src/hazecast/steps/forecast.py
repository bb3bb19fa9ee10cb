"""Forecast: issue the next hours and days for every station and pollutant and append them to the archive."""

from datetime import datetime
from io import BytesIO

import polars as pl

from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.limits import LIMIT_KEYS, limit_values
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import DayForecasts, Forecasts, Trajectories
from hazecast.models import Model
from hazecast.models.base import days_of
from hazecast.models.days import DayModel
from hazecast.models.trajectories import save_dependence
from hazecast.scoring import p_exceed
from hazecast.steps import Progress, silent
from hazecast.steps.inputs import Inputs
from hazecast.steps.shards import IssueInputs
from hazecast.store import Store

BASELINE_VERSION = "baseline"
DEGRADED_AFTER_HOURS = 6.0


def forecast(
    store: Store,
    forecaster: Model,
    *,
    model_version: str,
    now: datetime,
    inputs: IssueInputs | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Issue a forecast for the hour that contains `now` and append it to the archive.

    The hours reach the horizon of the model, the days (`air.tables.DayForecasts`) as far as whole local days do.
    Issuing the same hour again changes nothing.

    Args:
        store: of the place.
        forecaster: the model.
        model_version: its version.
        now: UTC.
        inputs: of this hour, if they are used by others too; None: they are read.
        progress: called while it runs.

    Returns:
        The Forecasts rows issued.

    Raises:
        TooLittleHistory: nothing has been collected.
    """
    inputs = inputs or IssueInputs(store, forecaster, floor_hour(now))
    rows = predict(store, forecaster, model_version=model_version, now=now, inputs=inputs, progress=progress)
    progress("days", 0.8)
    day_model = days_of(forecaster)
    days = day_model.forecast(rows, inputs.observed_before().panel)
    days = days.with_columns(model_version=pl.lit(model_version))
    progress("archiving", 0.9)
    # The hours last: an issue is complete when they are stored.
    store.append(Trajectories, _trajectories(day_model, model_version))
    store.append(DayForecasts, days.select(DayForecasts.create_empty().columns))
    store.append(Forecasts, rows)
    progress(f"{rows.height:,} hours for {rows['station_id'].n_unique()} stations", 1.0)
    return rows


def _trajectories(days: DayModel, model_version: str) -> pl.DataFrame:
    archive = BytesIO()
    save_dependence(days.dependence, archive)
    row = {
        "model_version": model_version,
        "horizon_hours": days.dependence.horizon_hours,
        "n_members": days.config.members,
        "dependence": archive.getvalue(),
    }
    return pl.DataFrame([row], schema=Trajectories.create_empty().schema)


def newest_version(store: Store, *, now: datetime) -> str | None:
    """Model version of the newest forecast; None without one, or if it is the climatology's."""
    issued_at = store.newest(Forecasts, "issued_at", until=now)
    versions = store.read(Forecasts, pl.col("issued_at") == issued_at)["model_version"].unique().to_list()
    return next((version for version in versions if version != BASELINE_VERSION), None)


def predict(
    store: Store,
    forecaster: Model,
    *,
    model_version: str,
    now: datetime,
    inputs: IssueInputs | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The hours that `forecast` would issue, not archived; arguments as there."""
    inputs = inputs or IssueInputs(store, forecaster, floor_hour(now))
    if not inputs.serves(forecaster):
        inputs = IssueInputs(store, forecaster, floor_hour(now))
    progress("reading and forecasting", 0.0)
    issued = [_as_issued(rows, read, model_version=model_version) for rows, read in inputs.predict(forecaster)]
    return pl.concat(issued)


def _as_issued(predicted: pl.DataFrame, inputs: Inputs, *, model_version: str) -> pl.DataFrame:
    if predicted.is_empty():
        return Forecasts.create_empty()
    known = inputs.observations.filter(pl.col("available_at") <= predicted["issued_at"].max())
    aged = predicted.join(_newest(known), on=["station_id", "pollutant"], how="left")
    age = (pl.col("issued_at") - pl.col("newest_end")).dt.total_minutes() / 60
    late = (pl.col("status") == "ok") & (pl.col("data_age_hours") > DEGRADED_AFTER_HOURS)
    return (
        aged.with_columns(data_age_hours=age, **_exceedances(predicted))
        .join(inputs.stations.select("station_id", "source"), on="station_id")
        .with_columns(
            status=pl.when(late).then(pl.lit("degraded")).otherwise("status"),
            model_version=pl.lit(model_version),
            observations_version=pl.lit(inputs.observations_version, pl.Int64),
        )
        .select(Forecasts.create_empty().columns)
    )


def _newest(observations: pl.DataFrame) -> pl.DataFrame:
    """End of the newest hour of each series that is not flagged invalid."""
    usable = observations.filter(pl.col("flag") != "invalid")
    return usable.group_by("station_id", "pollutant").agg(newest_end=pl.col("observed_at").max() + HOUR)


def _exceedances(predicted: pl.DataFrame) -> dict[str, pl.Series]:
    quantiles = predicted.select(QUANTILES).to_numpy()
    found = {}
    for key in LIMIT_KEYS:
        limit = predicted["pollutant"].replace_strict(limit_values(key), default=None, return_dtype=pl.Float64)
        found[f"p_exceed_{key}"] = pl.Series(p_exceed(quantiles, limit.to_numpy())).fill_nan(None)
    return found
