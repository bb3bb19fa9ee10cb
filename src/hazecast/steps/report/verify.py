"""How good a backtest was: errors by lead, season, station and concentration, and what its probabilities are worth."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import QUANTILES
from hazecast.errors import TooLittleHistory
from hazecast.scoring import pair, score
from hazecast.steps.report.probabilities import BLOCKS, block_of, probabilities

SEASONS = pl.Enum(["Dec–Feb", "Mar–May", "Jun–Aug", "Sep–Nov"])
_SHARES = (0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Verification:
    """Tables of one backtest; every column of a row speaks of the same forecast hours. Concentrations in µg/m³.

    Attributes:
        n_forecast: rows forecast.
        n_scored: those with a trusted observation and both naive forecasts.
        by_status: pollutant, status, n, share.
        by_lead: pollutant, lead_block; measures as `scoring.score`.
        by_lead_doubted: as by_lead, but observations flagged suspicious count as truth too.
        by_season: pollutant, season (local month of issue), lead_block; the same.
        by_station: pollutant, station_id; the same, all leads.
        by_level: pollutant, observed (class of the observed concentration); the same, all leads.
        by_limit: pollutant, limit, lead_day; n, n_events, brier, brier_climatology, brier_skill.
        by_hour: pollutant, lead_hours; n, mae, mae_persistence, mae_seasonal_naive.
        calibration: pollutant, lead_block, level; share_below.
        reliability: pollutant, limit, bin; n, p_mean, share_above.
    """

    n_forecast: int
    n_scored: int
    by_status: pl.DataFrame
    by_lead: pl.DataFrame
    by_lead_doubted: pl.DataFrame
    by_season: pl.DataFrame
    by_station: pl.DataFrame
    by_level: pl.DataFrame
    by_limit: pl.DataFrame
    by_hour: pl.DataFrame
    calibration: pl.DataFrame
    reliability: pl.DataFrame


def verify(
    forecasts: pl.DataFrame, observations: pl.DataFrame, *, timezone: str, trained_until: datetime
) -> Verification:
    """Judge the forecasts of a backtest.

    Args:
        forecasts: key, lead_hours, mean, q05 … q95, status.
        observations: `air.tables.Observations`; rows flagged ok are truth.
        timezone: whose calendar gives the seasons.
        trained_until: what was observed before makes the climatology that Brier scores are compared with.

    Raises:
        TooLittleHistory: not one forecast hour has a trusted observation and both naive forecasts.
    """
    found = []
    for pollutant in POLLUTANTS:
        mine, truth = (table.filter(pl.col("pollutant") == pollutant) for table in (forecasts, observations))
        rows = _described(pair(mine, truth), timezone)
        if rows.height:
            past = truth.filter(pl.col("flag") == "ok", pl.col("observed_at") + HOUR <= trained_until)
            believed = truth.filter(pl.col("flag") != "invalid").with_columns(flag=pl.lit("ok"))
            doubted = {"by_lead_doubted": _by(mine, believed)}
            found.append({**_scores(rows, truth), **doubted, **probabilities(rows, past)})
    if not found:
        raise TooLittleHistory("no forecast hour has a trusted observation and both naive forecasts to compare with")
    tables = {name: pl.concat(part[name] for part in found) for name in found[0]}
    n_scored = int(tables["by_hour"]["n"].sum())
    return Verification(n_forecast=forecasts.height, n_scored=n_scored, by_status=_statuses(forecasts), **tables)


def _described(rows: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Rows with what they are grouped by: season, observed, lead_day, lead_block."""
    month = pl.col("issued_at").dt.convert_time_zone(timezone).dt.month().cast(pl.Int64)
    edges = [float(rows["observed_ugm3"].quantile(share, "linear") or 0) for share in _SHARES]
    level = pl.sum_horizontal((pl.col("observed_ugm3") > edge).cast(pl.Int64) for edge in edges)
    return rows.with_columns(
        season=(month % 12 // 3).replace_strict(dict(enumerate(SEASONS.categories)), return_dtype=SEASONS),
        observed=level.replace_strict(dict(enumerate(_levels_in_words(edges))), return_dtype=pl.String),
        level=level,
        lead_day=(pl.col("lead_hours") + 23) // 24,
        lead_block=block_of("lead_hours"),
    )


def _levels_in_words(edges: list[float]) -> list[str]:
    between = [f"{lower:,.0f}–{upper:,.0f}" for lower, upper in pairwise(edges)]
    return [f"≤ {edges[0]:,.0f}", *between, f"> {edges[-1]:,.0f}"]


def _scores(rows: pl.DataFrame, truth: pl.DataFrame) -> dict[str, pl.DataFrame]:
    keep = ["station_id", "pollutant", "issued_at", "valid_at", "lead_hours", "mean", *QUANTILES]
    plain = rows.select(*keep, "season", "observed", "level")

    def all_leads(*groups: str) -> pl.DataFrame:
        return _by(plain, truth, *groups).filter(pl.col("lead_block") == "all").drop("lead_block")

    return {
        "by_lead": _by(plain, truth),
        "by_season": _by(plain, truth, "season"),
        "by_station": all_leads("station_id"),
        "by_level": all_leads("level", "observed").drop("level"),
        "by_hour": _by_hour(rows),
    }


def _by(forecasts: pl.DataFrame, truth: pl.DataFrame, *groups: str) -> pl.DataFrame:
    """Scores by pollutant, groups and lead block, with the naive errors they are compared with."""
    mae = pl.col("mae")
    naive = {"mae_persistence": mae / pl.col("rmae_persistence"), "mae_seasonal_naive": mae / pl.col("rmae")}
    found = score(forecasts, truth, by=("pollutant", *groups)).with_columns(pl.col("lead_block").cast(BLOCKS), **naive)
    return found.sort(*groups, "lead_block")


def _by_hour(rows: pl.DataFrame) -> pl.DataFrame:
    said = {"mae": "q50", "mae_persistence": "persistence_ugm3", "mae_seasonal_naive": "seasonal_naive_ugm3"}
    errors = [(pl.col(by) - pl.col("observed_ugm3")).abs().mean().alias(name) for name, by in said.items()]
    return rows.group_by("pollutant", "lead_hours").agg(pl.len().alias("n"), *errors).sort("lead_hours")


def _statuses(forecasts: pl.DataFrame) -> pl.DataFrame:
    counted = forecasts.group_by("pollutant", "status").agg(n=pl.len().cast(pl.Int64))
    return counted.with_columns(share=pl.col("n") / pl.col("n").sum().over("pollutant")).sort(
        pl.col("pollutant").cast(pl.Enum(POLLUTANTS)), "status"
    )
