"""What the probabilities of one pollutant's forecasts are worth: calibration of quantiles and of exceedances."""

from collections.abc import Iterator

import polars as pl

from hazecast.air.limits import limits_of
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.air.tables import LEAD_BLOCKS
from hazecast.scoring import p_exceed

BLOCKS = pl.Enum([*(f"{first}-{last}" for first, last in LEAD_BLOCKS), "all"])
ENOUGH_EVENTS = 10
N_BINS = 10


def block_of(column: str) -> pl.Expr:
    """The lead block of a column of lead hours."""
    lead = pl.col(column)
    named = (pl.when(lead.is_between(first, last)).then(pl.lit(f"{first}-{last}")) for first, last in LEAD_BLOCKS)
    return pl.coalesce(named).cast(BLOCKS)


def probabilities(rows: pl.DataFrame, past: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Tables calibration, by_limit and reliability of `verify.Verification`.

    Args:
        rows: of one pollutant, with observed_ugm3, lead_day and lead_block.
        past: observations of the same pollutant that make the climatology.
    """
    both = pl.concat([rows, rows.with_columns(lead_block=pl.lit("all").cast(BLOCKS))])
    chances = pl.concat(_chances(rows, past))
    return {
        "calibration": _calibration(both),
        "by_limit": _brier(chances),
        "reliability": _reliability(chances),
    }


def _calibration(rows: pl.DataFrame) -> pl.DataFrame:
    """Share of observations not above each quantile: equal to the quantile's level when calibrated."""
    below = [(pl.col("observed_ugm3") <= pl.col(name)).mean().alias(name) for name in QUANTILES]
    wide = rows.group_by("pollutant", "lead_block").agg(below)
    long = wide.unpivot(
        on=QUANTILES, index=["pollutant", "lead_block"], variable_name="level", value_name="share_below"
    )
    levels = dict(zip(QUANTILES, QUANTILE_LEVELS, strict=True))
    return long.with_columns(pl.col("level").replace_strict(levels)).sort("pollutant", "lead_block", "level")


def _chances(rows: pl.DataFrame, past: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """One row per forecast hour and limit: p, the climatology's p, and what happened."""
    pollutant, quantiles = Pollutant(rows["pollutant"][0]), rows.select(QUANTILES).to_numpy()
    for limit in limits_of(pollutant):
        value = limit.concentration_ugm3
        yield _with_climatology(rows, past, value).select(
            "pollutant",
            "lead_day",
            "p_climatology",
            limit=pl.lit(f"{limit.key.upper()} {value:,.0f} µg/m³ ({limit.averaging_hours} h)"),
            p=pl.Series(p_exceed(quantiles, value)),
            happened=(pl.col("observed_ugm3") > value).cast(pl.Float64),
        )


def _with_climatology(rows: pl.DataFrame, past: pl.DataFrame, value_ugm3: float) -> pl.DataFrame:
    """How often the station was above the value in that month before; in a month it never had, how often at all."""
    above = (pl.col("concentration_ugm3") > value_ugm3).mean()
    monthly = past.group_by("station_id", month=pl.col("observed_at").dt.month()).agg(p_climatology=above)
    ever = pl.lit(past.select(above).item(), pl.Float64)
    joined = rows.with_columns(month=pl.col("valid_at").dt.month()).join(
        monthly, on=["station_id", "month"], how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col("p_climatology").fill_null(ever))


def _brier(chances: pl.DataFrame) -> pl.DataFrame:
    brier = ((pl.col("p") - pl.col("happened")) ** 2).mean()
    reference = ((pl.col("p_climatology") - pl.col("happened")) ** 2).mean()
    n_events = pl.col("happened").sum().cast(pl.Int64)
    enough = (n_events >= ENOUGH_EVENTS) & (pl.len() - n_events >= ENOUGH_EVENTS)
    return (
        chances.group_by("pollutant", "limit", "lead_day", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            n_events=n_events,
            brier=brier,
            brier_climatology=reference,
            brier_skill=pl.when(enough).then(1 - brier / reference),
        )
        .sort("limit", "lead_day", descending=[True, False])
    )


def _reliability(chances: pl.DataFrame) -> pl.DataFrame:
    number = (pl.col("p") * N_BINS).floor().clip(0, N_BINS - 1).cast(pl.Int64)
    return (
        chances.group_by("pollutant", "limit", bin=number)
        .agg(n=pl.len().cast(pl.Int64), p_mean=pl.col("p").mean(), share_above=pl.col("happened").mean())
        .sort("limit", "bin", descending=[True, False])
    )
