"""Verification of a backtest: errors by lead, season, station and concentration, calibration, and Brier scores."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.limits import limits_of
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.spec import LEAD_BLOCKS, QUANTILE_LEVELS, QUANTILES, block_name
from hazecast.errors import TooLittleHistory
from hazecast.scoring import lead_block, p_exceed, pair, score

BLOCKS = pl.Enum([*map(block_name, LEAD_BLOCKS), "all"])
MIN_EVENTS = 10
N_BINS = 10
_EVENT = {"p_climatology": pl.Float64, "limit": pl.String, "p": pl.Float64, "happened": pl.Float64}
SEASONS = pl.Enum(["Dec–Feb", "Mar–May", "Jun–Aug", "Sep–Nov"])
_SHARES = (0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Verification:
    """Tables of one backtest; all columns of a row refer to the same forecast hours. Concentrations in µg/m³.

    Attributes:
        n_forecast: rows forecast.
        n_scored: those with a valid observation and both naive forecasts.
        by_status: pollutant, status, n, share.
        by_lead: pollutant, lead_block; measures as `scoring.score`.
        by_lead_flagged: as by_lead, but suspicious observations count as truth too.
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
    by_lead_flagged: pl.DataFrame
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
    """Verify the forecasts of a backtest.

    Args:
        forecasts: key, lead_hours, mean, q05 … q95, status.
        observations: `air.tables.Observations`; rows flagged ok are truth.
        timezone: IANA name; seasons follow its calendar.
        trained_until: observations before it make the climatology, the reference of the Brier scores.

    Raises:
        TooLittleHistory: no forecast hour has a valid observation and both naive forecasts.
    """
    tables_of_pollutant = []
    for pollutant in POLLUTANTS:
        issued, truth = (table.filter(pl.col("pollutant") == pollutant) for table in (forecasts, observations))
        rows = _with_groups(pair(issued, truth), timezone)
        if rows.height:
            past = truth.filter(pl.col("flag") == "ok", pl.col("observed_at") + HOUR <= trained_until)
            with_suspicious = truth.filter(pl.col("flag") != "invalid").with_columns(flag=pl.lit("ok"))
            flagged = {"by_lead_flagged": _by(issued, with_suspicious)}
            tables_of_pollutant.append({**_scores(rows, truth), **flagged, **_probabilities(rows, past)})
    if not tables_of_pollutant:
        raise TooLittleHistory("no forecast hour has a valid observation and both naive forecasts to compare with")
    tables = {name: pl.concat(tables[name] for tables in tables_of_pollutant) for name in tables_of_pollutant[0]}
    n_scored = int(tables["by_hour"]["n"].sum())
    return Verification(n_forecast=forecasts.height, n_scored=n_scored, by_status=_statuses(forecasts), **tables)


def _with_groups(rows: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Rows with the columns they are grouped by: season, observed, level, lead_day, lead_block."""
    month = pl.col("issued_at").dt.convert_time_zone(timezone).dt.month().cast(pl.Int64)
    edges = [float(rows["observed_ugm3"].quantile(share, "linear") or 0) for share in _SHARES]
    level = pl.sum_horizontal((pl.col("observed_ugm3") > edge).cast(pl.Int64) for edge in edges)
    return rows.with_columns(
        season=(month % 12 // 3).replace_strict(dict(enumerate(SEASONS.categories)), return_dtype=SEASONS),
        observed=level.replace_strict(dict(enumerate(_level_labels(edges))), return_dtype=pl.String),
        level=level,
        lead_day=(pl.col("lead_hours") + 23) // 24,
        lead_block=lead_block().cast(BLOCKS),
    )


def _level_labels(edges: list[float]) -> list[str]:
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
    forecasts = {"mae": "q50", "mae_persistence": "persistence_ugm3", "mae_seasonal_naive": "seasonal_naive_ugm3"}
    errors = [(pl.col(column) - pl.col("observed_ugm3")).abs().mean().alias(name) for name, column in forecasts.items()]
    return rows.group_by("pollutant", "lead_hours").agg(pl.len().alias("n"), *errors).sort("lead_hours")


def _statuses(forecasts: pl.DataFrame) -> pl.DataFrame:
    counted = forecasts.group_by("pollutant", "status").agg(n=pl.len().cast(pl.Int64))
    return counted.with_columns(share=pl.col("n") / pl.col("n").sum().over("pollutant")).sort(
        pl.col("pollutant").cast(pl.Enum(POLLUTANTS)), "status"
    )


def _probabilities(rows: pl.DataFrame, past: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The tables calibration, by_limit and reliability of `Verification`.

    Args:
        rows: of one pollutant, with observed_ugm3, lead_day and lead_block.
        past: observations of the same pollutant, for the climatology.
    """
    both = pl.concat([rows, rows.with_columns(lead_block=pl.lit("all").cast(BLOCKS))])
    events = _events(rows, past)
    return {
        "calibration": _calibration(both),
        "by_limit": _brier(events),
        "reliability": _reliability(events),
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


def _events(rows: pl.DataFrame, past: pl.DataFrame) -> pl.DataFrame:
    """One row per forecast hour and limit: forecast probability, climatological probability, and the outcome.

    Without a limit for the pollutant there is no row.
    """
    pollutant, quantiles = Pollutant(rows["pollutant"][0]), rows.select(QUANTILES).to_numpy()
    events = [
        rows.clear().select("pollutant", "lead_day", **{name: pl.lit(None, kind) for name, kind in _EVENT.items()})
    ]
    for limit in limits_of(pollutant):
        value = limit.concentration_ugm3
        events.append(
            _with_climatology(rows, past, value).select(
                "pollutant",
                "lead_day",
                p_climatology="p_climatology",
                limit=pl.lit(f"{limit.key.upper()} {value:,.0f} µg/m³ ({limit.averaging_hours} h)"),
                p=pl.Series(p_exceed(quantiles, value)),
                happened=(pl.col("observed_ugm3") > value).cast(pl.Float64),
            )
        )
    return pl.concat(events)


def _with_climatology(rows: pl.DataFrame, past: pl.DataFrame, value_ugm3: float) -> pl.DataFrame:
    """Climatological probability: the share of hours above the value in past months of the same name, else in all."""
    above = (pl.col("concentration_ugm3") > value_ugm3).mean()
    monthly = past.group_by("station_id", month=pl.col("observed_at").dt.month()).agg(p_climatology=above)
    ever = pl.lit(past.select(above).item(), pl.Float64)
    joined = rows.with_columns(month=pl.col("valid_at").dt.month()).join(
        monthly, on=["station_id", "month"], how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col("p_climatology").fill_null(ever))


def _brier(events: pl.DataFrame) -> pl.DataFrame:
    brier = ((pl.col("p") - pl.col("happened")) ** 2).mean()
    reference = ((pl.col("p_climatology") - pl.col("happened")) ** 2).mean()
    n_events = pl.col("happened").sum().cast(pl.Int64)
    enough = (n_events >= MIN_EVENTS) & (pl.len() - n_events >= MIN_EVENTS)
    return (
        events.group_by("pollutant", "limit", "lead_day", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            n_events=n_events,
            brier=brier,
            brier_climatology=reference,
            brier_skill=pl.when(enough).then(1 - brier / reference),
        )
        .sort("limit", "lead_day", descending=[True, False])
    )


def _reliability(events: pl.DataFrame) -> pl.DataFrame:
    number = (pl.col("p") * N_BINS).floor().clip(0, N_BINS - 1).cast(pl.Int64)
    return (
        events.group_by("pollutant", "limit", bin=number)
        .agg(n=pl.len().cast(pl.Int64), p_mean=pl.col("p").mean(), share_above=pl.col("happened").mean())
        .sort("limit", "bin", descending=[True, False])
    )
