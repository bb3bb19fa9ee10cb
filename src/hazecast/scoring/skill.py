"""Errors and skill by pollutant and lead block."""

import polars as pl

from hazecast.air.spec import LEAD_BLOCKS, block_name
from hazecast.scoring.pairs import COVERAGES, pair


def score(forecasts: pl.DataFrame, observations: pl.DataFrame, *, by: tuple[str, ...] = ("pollutant",)) -> pl.DataFrame:
    """Errors of forecasts against observations flagged ok, by group and lead block ("all": over all leads).

    A row counts only where the observation, the forecast and both naive forecasts exist, so that all columns refer to
    the same rows. MAE and rMAE are of q50; RMSE and bias of the mean. Without quantiles (point forecasts) the
    probabilistic measures are null.

    Args:
        forecasts: `air.tables.Forecasts` (key, lead_hours, mean, q50 and the other quantiles where there are any).
        observations: `air.tables.Observations`; rows with other flags are left out.
        by: columns of `forecasts` to group by, e.g. ("pollutant", "station_id").

    Returns:
        One row per group and lead_block: n; mae, rmse, bias, pinball, crps [µg/m³]; rmae (MAE over that of the seasonal
        naive) and rmae_persistence [1]; coverage_50, coverage_80, coverage_90 [share, 0…1].

    The CRPS is the trapezoid rule over quantile levels, with 0 at levels 0 and 1.
    """
    rows = pair(forecasts, observations)
    blocks = rows.with_columns(lead_block=lead_block())
    both = pl.concat([blocks, rows.with_columns(pl.lit("all").alias("lead_block"))])
    return both.group_by(*by, "lead_block").agg(_measures()).sort(*by, "lead_block")


def lead_block(column: str = "lead_hours") -> pl.Expr:
    """The name of the block that contains the lead [h] in `column`: "1-6"."""
    lead = pl.col(column)
    return pl.coalesce(
        pl.when(lead.is_between(first, last)).then(pl.lit(block_name((first, last)))) for first, last in LEAD_BLOCKS
    )


def _measures() -> list[pl.Expr]:
    error = pl.col("mean") - pl.col("observed_ugm3")
    mae = pl.col("absolute_error_ugm3").mean()

    def naive(column: str) -> pl.Expr:
        return (pl.col(column) - pl.col("observed_ugm3")).abs().mean()

    return [
        pl.len().cast(pl.Int64).alias("n"),
        mae.alias("mae"),
        (error**2).mean().sqrt().alias("rmse"),
        error.mean().alias("bias"),
        (mae / naive("seasonal_naive_ugm3")).alias("rmae"),
        (mae / naive("persistence_ugm3")).alias("rmae_persistence"),
        pl.col("pinball_ugm3").mean().alias("pinball"),
        pl.col("crps_ugm3").mean().alias("crps"),
        *(pl.col(name).mean() for name in COVERAGES),
    ]
