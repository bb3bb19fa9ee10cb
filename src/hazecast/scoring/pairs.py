"""Forecast rows joined with observations and naive forecasts."""

import polars as pl

from hazecast.air.spec import INTERVALS, QUANTILES
from hazecast.scoring.probability import crps, pinball

PERSISTENCE_HOURS = 48
DAYS_BACK = 4
COVERAGES = tuple(f"coverage_{percent}" for percent in INTERVALS)
_KEY = ("station_id", "pollutant", "valid_at")


def pair(forecasts: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Forecast rows joined with observations and naive forecasts, and the losses of each row.

    Returns:
        The forecast columns plus observed_ugm3, persistence_ugm3, seasonal_naive_ugm3, absolute_error_ugm3,
        pinball_ugm3, crps_ugm3 and coverage_50/80/90 (1 inside, 0 outside), the last five null without quantiles;
        only rows where all of the first three exist.
    """
    names = {"observed_at": "valid_at", "concentration_ugm3": "observed_ugm3"}
    truth = observations.filter(pl.col("flag") == "ok").rename(names).select(*_KEY, "observed_ugm3")
    rows = forecasts.join(truth, on=_KEY, how="inner")
    rows = _with_persistence(_with_seasonal_naive(rows, truth), truth)
    rows = rows.drop_nulls(["persistence_ugm3", "seasonal_naive_ugm3"])
    return _with_losses(rows)


def _with_seasonal_naive(rows: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    days = (pl.col("lead_hours").cast(pl.Int64) + 23) // 24
    found = []
    for more in range(DAYS_BACK):
        name = f"_{more}"
        earlier = pl.col("valid_at") - pl.duration(hours=24 * (days + more))
        rows = rows.with_columns(earlier.alias("_at")).join(
            truth.rename({"valid_at": "_at", "observed_ugm3": name}), on=["station_id", "pollutant", "_at"], how="left"
        )
        found.append(name)
    return rows.with_columns(pl.coalesce(found).alias("seasonal_naive_ugm3")).drop("_at", *found)


def _with_persistence(rows: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    origins = rows.select("station_id", "pollutant", "issued_at").unique().sort("issued_at")
    newest = origins.with_columns((pl.col("issued_at") - pl.duration(hours=1)).alias("valid_at"))
    last = newest.sort("valid_at").join_asof(
        truth.sort("valid_at").rename({"observed_ugm3": "persistence_ugm3"}),
        on="valid_at",
        by=["station_id", "pollutant"],
        tolerance=f"{PERSISTENCE_HOURS}h",
        check_sortedness=False,
    )
    return rows.join(last.drop("valid_at"), on=["station_id", "pollutant", "issued_at"], how="left")


def _with_losses(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.with_columns((pl.col("q50") - pl.col("observed_ugm3")).abs().alias("absolute_error_ugm3"))
    if not set(QUANTILES) <= set(rows.columns):
        absent = {name: pl.lit(None, dtype=pl.Float64) for name in ("pinball_ugm3", "crps_ugm3", *COVERAGES)}
        return rows.with_columns(**absent)
    observed, quantiles = rows["observed_ugm3"].to_numpy(), rows.select(QUANTILES).to_numpy()
    inside = {
        f"coverage_{percent}": pl.col("observed_ugm3").is_between(pl.col(low), pl.col(high)).cast(pl.Float64)
        for percent, (low, high) in INTERVALS.items()
    }
    return rows.with_columns(
        pl.Series("pinball_ugm3", pinball(observed, quantiles).mean(axis=1)),
        pl.Series("crps_ugm3", crps(observed, quantiles)),
        **inside,
    )
