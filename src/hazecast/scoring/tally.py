"""Verification sums over forecast hours, exact for any larger group, and the measures computed from them."""

import polars as pl

from hazecast.air.limits import LIMIT_KEYS, limit_values
from hazecast.air.spec import INTERVALS, QUANTILES
from hazecast.scoring.pairs import pair
from hazecast.scoring.skill import lead_block

KEY = ("issued_on", "station_id", "pollutant", "lead_block", "model_version")
# The order of addition changes the last digits; the same hours must give the same row.
SUM_DECIMALS = 6
_EXPECTED_AT = 0.5
_SUMS = (
    "absolute_error",
    "squared_error",
    "error",
    "crps",
    "persistence_error",
    "seasonal_naive_error",
    "background_error",
    "error_beside_background",
)
_COUNTS = (
    "n_background",
    *(f"inside_{percent}" for percent in INTERVALS),
    *(f"below_{quantile}" for quantile in QUANTILES),
)
_PARTS = ("observed", "forecast", "hits", "brier")


def tally(
    forecasts: pl.DataFrame, observations: pl.DataFrame, *, background: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Verification sums of issued forecasts.

    Args:
        forecasts: `air.tables.Forecasts`.
        observations: `air.tables.Observations`, reaching 5 days further back; rows flagged ok count.
        background: `air.tables.Background`; each hour is compared with the newest run that was available at issue.

    Returns:
        `air.verdicts.Verification` less `ingested_at`: a row for every group of `forecasts`, with n = 0 where nothing
        could be scored yet.
    """
    issued = forecasts.with_columns(issued_on=pl.col("issued_at").dt.truncate("1d"), lead_block=lead_block())
    rows = _with_background(pair(issued, observations), background).with_columns(_terms())
    sums = [pl.col(name).sum() for name in (*_SUMS, *_COUNTS)]
    limits = [_total(f"{key}_{part}") for key in LIMIT_KEYS for part in _PARTS]
    scored = rows.group_by(KEY).agg(pl.len().cast(pl.Int64).alias("n"), *sums, *limits)
    groups = issued.group_by(KEY).agg(pl.len().cast(pl.Int64).alias("n_forecast"))
    found = groups.join(scored, on=KEY, how="left").with_columns(pl.col("n", *_SUMS, *_COUNTS).fill_null(0))
    return found.with_columns(pl.selectors.float().round(SUM_DECIMALS))


def summarize(tallies: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Verification measures by group; null where nothing was scored or no event happened.

    Args:
        tallies: rows of `air.verdicts.Verification`.
        by: its columns to group by, e.g. ("pollutant", "lead_block").

    Returns:
        One row per group: n_forecast, n; mae, rmse, bias, crps [µg/m³]; rmae, rmae_persistence, rmae_background (MAE
        over that of the seasonal naive, persistence and the background on the same hours); coverage_50/80/90 and
        share_below_q05 … q95 (reliability: the share should be the level); for each of LIMIT_KEYS: n_above_<key>,
        pod_, far_, csi_ (an hour is forecast above it when its probability is at least ½) and brier_<key>.

    Source: contingency measures as NOAA EMC and WMO define them.
    """
    totals = tallies.group_by(by).agg(
        pl.col("n_forecast", "n", *_SUMS, *_COUNTS).sum(), *(_total(f"{key}_{p}") for key in LIMIT_KEYS for p in _PARTS)
    )
    return totals.select(*by, "n_forecast", "n", *_measures()).sort(by)


def _terms() -> list[pl.Expr]:
    """The terms of each sum, per forecast hour."""
    observed, background = pl.col("observed_ugm3"), pl.col("background_ugm3")
    error, absolute_error = pl.col("mean") - observed, pl.col("absolute_error_ugm3")
    compared = background.is_not_null()
    return [
        absolute_error.alias("absolute_error"),
        (error**2).alias("squared_error"),
        error.alias("error"),
        pl.col("crps_ugm3").alias("crps"),
        (pl.col("persistence_ugm3") - observed).abs().alias("persistence_error"),
        (pl.col("seasonal_naive_ugm3") - observed).abs().alias("seasonal_naive_error"),
        (background - observed).abs().fill_null(0).alias("background_error"),
        pl.when(compared).then(absolute_error).otherwise(0.0).alias("error_beside_background"),
        compared.cast(pl.Int64).alias("n_background"),
        *(pl.col(f"coverage_{percent}").cast(pl.Int64).alias(f"inside_{percent}") for percent in INTERVALS),
        *((observed < pl.col(quantile)).cast(pl.Int64).alias(f"below_{quantile}") for quantile in QUANTILES),
        *(term for key in LIMIT_KEYS for term in _event(key)),
    ]


def _event(key: str) -> list[pl.Expr]:
    """Null where the pollutant has no such limit."""
    limit = pl.col("pollutant").replace_strict(limit_values(key), default=None, return_dtype=pl.Float64)
    observed, chance = pl.col("observed_ugm3") > limit, pl.col(f"p_exceed_{key}")
    forecast = chance >= _EXPECTED_AT
    return [
        observed.cast(pl.Int64).alias(f"{key}_observed"),
        forecast.cast(pl.Int64).alias(f"{key}_forecast"),
        (observed & forecast).cast(pl.Int64).alias(f"{key}_hits"),
        ((chance - observed.cast(pl.Float64)) ** 2).alias(f"{key}_brier"),
    ]


def _with_background(rows: pl.DataFrame, background: pl.DataFrame | None) -> pl.DataFrame:
    if background is None or background.is_empty():
        return rows.with_columns(background_ugm3=pl.lit(None, pl.Float64))
    key = ["station_id", "pollutant", "issued_at", "valid_at"]
    runs = background.rename({"issued_at": "run_at", "concentration_ugm3": "background_ugm3"})
    offered = rows.select(key).join(runs, on=["station_id", "pollutant", "valid_at"])
    known = offered.filter(pl.col("available_at") <= pl.col("issued_at")).sort("run_at", "source")
    newest = known.group_by(key, maintain_order=True).agg(pl.col("background_ugm3").last())
    return rows.join(newest, on=key, how="left")


def _total(column: str) -> pl.Expr:
    """A sum that is null, not zero, where there is nothing to add."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(column)


def _measures() -> list[pl.Expr]:
    n, mae = pl.col("n"), _ratio("absolute_error", "n")
    return [
        mae.alias("mae"),
        _ratio("squared_error", "n").sqrt().alias("rmse"),
        _ratio("error", "n").alias("bias"),
        _ratio("crps", "n").alias("crps"),
        _ratio("absolute_error", "seasonal_naive_error").alias("rmae"),
        _ratio("absolute_error", "persistence_error").alias("rmae_persistence"),
        _ratio("error_beside_background", "background_error").alias("rmae_background"),
        *(_ratio(f"inside_{percent}", "n").alias(f"coverage_{percent}") for percent in INTERVALS),
        *(_ratio(f"below_{quantile}", "n").alias(f"share_below_{quantile}") for quantile in QUANTILES),
        *(measure for key in LIMIT_KEYS for measure in _contingency(key, n)),
    ]


def _contingency(key: str, n: pl.Expr) -> list[pl.Expr]:
    observed, forecast, hits = (pl.col(f"{key}_{part}") for part in ("observed", "forecast", "hits"))
    return [
        observed.alias(f"n_above_{key}"),
        _share(hits, observed).alias(f"pod_{key}"),
        _share(forecast - hits, forecast).alias(f"far_{key}"),
        _share(hits, observed + forecast - hits).alias(f"csi_{key}"),
        _share(pl.col(f"{key}_brier"), n).alias(f"brier_{key}"),
    ]


def _ratio(numerator: str, denominator: str) -> pl.Expr:
    return _share(pl.col(numerator), pl.col(denominator))


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)
