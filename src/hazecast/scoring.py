"""Verification: how good forecasts were, by pollutant and lead block, and what they say about a limit."""

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.tables import LEAD_BLOCKS, QUANTILE_LEVELS, QUANTILES

Floats = npt.NDArray[np.float64]

PERSISTENCE_HOURS = 48
DAYS_BACK = 4
_KEY = ("station_id", "pollutant", "valid_at")
_COVERAGES = {"coverage_50": ("q25", "q75"), "coverage_80": ("q10", "q90"), "coverage_90": ("q05", "q95")}


def score(forecasts: pl.DataFrame, observations: pl.DataFrame, *, by: tuple[str, ...] = ("pollutant",)) -> pl.DataFrame:
    """Errors of forecasts against trusted observations, per group and lead block (and over all leads, "all").

    A row counts only where the observation, the forecast and both naive forecasts exist, so that all columns speak of
    the same rows. MAE and rMAE judge q50; RMSE and bias judge the mean. A column that the forecasts lack (quantiles of
    a point forecast) gives null.

    Args:
        forecasts: `air.tables.Forecasts` (key, lead_hours, mean, q50 and the other quantiles where there are any).
        observations: `air.tables.Observations`; only rows flagged ok are truth.
        by: columns of `forecasts` to group by, e.g. ("pollutant", "station_id").

    Returns:
        One row per group and lead_block: n; mae, rmse, bias, pinball, crps [µg/m³]; rmae (MAE over that of the seasonal
        naive) and rmae_persistence [1]; coverage_50, coverage_80, coverage_90 [share, 0…1].

    Source: the seasonal naive, the quantile CRPS (trapezoid over levels, tapering to 0 at levels 0 and 1).
    """
    rows = pair(forecasts, observations)
    block = pl.coalesce(
        pl.when(pl.col("lead_hours").is_between(first, last)).then(pl.lit(f"{first}-{last}"))
        for first, last in LEAD_BLOCKS
    )
    blocks = rows.with_columns(block.alias("lead_block"))
    both = pl.concat([blocks, rows.with_columns(pl.lit("all").alias("lead_block"))])
    return both.group_by(*by, "lead_block").agg(_measures()).sort(*by, "lead_block")


def pair(forecasts: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Forecast rows with what came true and what the naive forecasts had said, each row's losses beside them.

    Returns:
        The forecast columns plus observed_ugm3, persistence_ugm3, seasonal_naive_ugm3, absolute_error_ugm3,
        pinball_ugm3, crps_ugm3 and coverage_50/80/90 (1 inside, 0 outside), the last five null without quantiles;
        only rows where all of the first three exist.
    """
    words = {"observed_at": "valid_at", "concentration_ugm3": "observed_ugm3"}
    truth = observations.filter(pl.col("flag") == "ok").rename(words).select(*_KEY, "observed_ugm3")
    rows = forecasts.join(truth, on=_KEY, how="inner")
    rows = _with_persistence(_with_seasonal_naive(rows, truth), truth)
    rows = rows.drop_nulls(["persistence_ugm3", "seasonal_naive_ugm3"])
    return _with_losses(rows)


def p_exceed(quantiles: npt.ArrayLike, threshold_ugm3: npt.ArrayLike) -> Floats:
    """Probability that the concentration is above a value, from the seven quantiles.

    Between two quantiles the probability is linear in concentration. Below q05 it falls to level 0 at zero
    concentration; above q95 it decays exponentially with the density that the span q75 … q95 implies, so no finite
    value is ever certain not to be reached.

    Args:
        quantiles: (row, 7) ordered q05 … q95 [µg/m³].
        threshold_ugm3: one value, or one per row [µg/m³].

    Returns:
        (row,) probabilities 0…1, never rising with the threshold.
    """
    q = np.asarray(quantiles, np.float64)
    value = np.broadcast_to(np.asarray(threshold_ugm3, np.float64), q.shape[:1])
    levels = np.array(QUANTILE_LEVELS)
    lower = np.concatenate([np.minimum(q[:, :1], 0), q], axis=1)
    below = np.concatenate([[0.0], levels])
    k = np.clip((lower <= value[:, None]).sum(axis=1) - 1, 0, len(levels) - 1)
    row = np.arange(len(q))
    width = lower[row, k + 1] - lower[row, k]
    share = np.where(width > 0, (value - lower[row, k]) / np.where(width > 0, width, 1), 0)
    inside = 1 - (below[k] + np.clip(share, 0, 1) * (below[k + 1] - below[k]))
    scale = np.maximum((q[:, 6] - q[:, 4]) / np.log((1 - levels[4]) / (1 - levels[6])), 1e-9)
    tail = (1 - levels[6]) * np.exp(-np.maximum(value - q[:, 6], 0) / scale)
    return np.where(value < lower[:, 0], 1.0, np.where(value >= q[:, 6], tail, inside))


def crps(observed_ugm3: Floats, quantiles: Floats) -> Floats:
    """CRPS of the seven quantiles: twice the pinball loss, integrated over levels by trapezoid, 0 at levels 0 and 1."""
    twice = 2 * _pinball(observed_ugm3, quantiles)
    edge = np.zeros((len(twice), 1))
    loss = np.concatenate([edge, twice, edge], axis=1)
    width = np.diff(np.concatenate([[0.0], QUANTILE_LEVELS, [1.0]]))
    return np.asarray((loss[:, 1:] + loss[:, :-1]) / 2 @ width)


def _pinball(observed_ugm3: Floats, quantiles: Floats) -> Floats:
    gap = observed_ugm3[:, None] - quantiles
    levels = np.array(QUANTILE_LEVELS)
    return np.maximum(levels * gap, (levels - 1) * gap)


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
        *(pl.col(name).mean() for name in _COVERAGES),
    ]


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
        absent = {name: pl.lit(None, dtype=pl.Float64) for name in ("pinball_ugm3", "crps_ugm3", *_COVERAGES)}
        return rows.with_columns(**absent)
    observed, quantiles = rows["observed_ugm3"].to_numpy(), rows.select(QUANTILES).to_numpy()
    inside = {
        name: pl.col("observed_ugm3").is_between(pl.col(low), pl.col(high)).cast(pl.Float64)
        for name, (low, high) in _COVERAGES.items()
    }
    return rows.with_columns(
        pl.Series("pinball_ugm3", _pinball(observed, quantiles).mean(axis=1)),
        pl.Series("crps_ugm3", crps(observed, quantiles)),
        **inside,
    )
