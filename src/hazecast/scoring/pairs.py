"""Forecast rows joined with observations and naive forecasts."""

import polars as pl

from hazecast.air.spec import INTERVALS, QUANTILES
from hazecast.scoring.naive import with_persistence, with_seasonal_naive
from hazecast.scoring.probability import crps, pinball

COVERAGES = tuple(f"coverage_{percent}" for percent in INTERVALS)
_SERIES = ("station_id", "pollutant")
_KEY = (*_SERIES, "valid_at")


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
    rows = with_persistence(with_seasonal_naive(rows, truth, _SERIES), truth, _SERIES)
    rows = rows.drop_nulls(["persistence_ugm3", "seasonal_naive_ugm3"])
    return _with_losses(rows)


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
