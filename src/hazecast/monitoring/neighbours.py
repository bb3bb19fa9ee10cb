"""Sensors that drift away from their neighbours: air moves all stations, an instrument fault moves one."""

from datetime import datetime, timedelta
from math import exp, log
from typing import Any

import polars as pl

from hazecast.air.distance import neighbour_pairs
from hazecast.monitoring.findings import Finding, Subject

BASELINE_DAYS = 90
_WEEK_DAYS = 7
_MIN_BASELINE_DAYS = 28
_MIN_OTHERS = 2
_MIN_HOURS_A_DAY = 12
# A week counts as moved when it is this far from the usual ratio, in spreads of weeks and as a factor.
_SPREADS, _FACTOR = 4.0, 1.5
_MAD_TO_SD = 1.4826
# Near zero a ratio means nothing: both are raised by this share of the usual level.
_FLOOR_SHARE = 0.2
_SERIES = ["station_id", "pollutant"]


def neighbour_findings(observations: pl.DataFrame, stations: pl.DataFrame, *, now: datetime) -> list[Finding]:
    """Compare each sensor's ratio to the median of its neighbours in the last week with that of the 90 days before.

    Args:
        observations: `air.tables.Observations` of the last 97 days; rows flagged invalid are ignored.
        stations: `air.tables.Stations`; one without coordinates is compared with the median of all.
        now: UTC.

    Returns:
        A finding "neighbours" per series measured at two neighbours or more; unknown with less than 4 weeks of days
        before the last one.
    """
    placed = stations.drop_nulls(["latitude", "longitude"])
    days = _ratios(observations.filter(pl.col("flag") != "invalid"), placed)
    last = days.filter(pl.col("day") >= now - timedelta(days=_WEEK_DAYS))
    before = days.filter(pl.col("day") < now - timedelta(days=_WEEK_DAYS))
    weeks = before.with_columns(
        pl.col("ratio").rolling_mean_by("day", window_size=f"{_WEEK_DAYS}d", min_samples=4).over(_SERIES)
    )
    usual = weeks.group_by(_SERIES).agg(
        n_days=pl.len(),
        usual=pl.col("ratio").median(),
        spread=(pl.col("ratio") - pl.col("ratio").median()).abs().median() * _MAD_TO_SD,
    )
    now_ratio = last.group_by(_SERIES).agg(ratio=pl.col("ratio").mean(), n_recent=pl.len())
    rows = now_ratio.join(usual, on=_SERIES, how="left").sort(_SERIES)
    return [_judge(row) for row in rows.iter_rows(named=True)]


def _ratios(observations: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """Per series and day: the logarithm of its mean over the median of its neighbours' means."""
    day = observations.group_by(*_SERIES, day=pl.col("observed_at").dt.truncate("1d"))
    means = day.agg(pl.len(), mean=pl.col("concentration_ugm3").mean().clip(0))
    means = means.filter(pl.col("len") >= _MIN_HOURS_A_DAY).drop("len")
    floor = means.group_by("pollutant").agg(floor=_FLOOR_SHARE * pl.col("mean").median())
    neighbours = means.select("pollutant", "day", other="station_id", mean_other="mean")
    near = means.join(neighbour_pairs(placed), on="station_id").join(neighbours, on=["other", "pollutant", "day"])
    compared = near.group_by(*_SERIES, "day").agg(
        pl.col("mean").first(), n_others=pl.len(), others=pl.col("mean_other").median()
    )
    # A median per day, not a row per pair of stations.
    of_all = pl.len().over("pollutant", "day") - 1, pl.col("mean").median().over("pollutant", "day")
    unplaced = means.with_columns(n_others=of_all[0].cast(pl.UInt32), others=of_all[1]).join(
        placed, on="station_id", how="anti"
    )
    compared = pl.concat([compared, unplaced.select(compared.columns)])
    known = compared.filter(pl.col("n_others") >= _MIN_OTHERS).join(floor, on="pollutant").filter(pl.col("floor") > 0)
    ratio = ((pl.col("mean") + pl.col("floor")) / (pl.col("others") + pl.col("floor"))).log()
    return known.select(*_SERIES, "day", ratio=ratio).sort("day")


def _judge(row: dict[str, Any]) -> Finding:
    subject = Subject(row["station_id"], row["pollutant"])
    ratio, usual, spread, n_days = (row[name] for name in ("ratio", "usual", "spread", "n_days"))
    if not isinstance(ratio, float) or not isinstance(usual, float) or not isinstance(spread, float):
        return Finding("neighbours", subject, "unknown", "too few days with neighbours")
    if not isinstance(n_days, int) or n_days < _MIN_BASELINE_DAYS:
        return Finding("neighbours", subject, "unknown", f"only {n_days} days with neighbours")
    shift = ratio - usual
    moved = abs(shift) > max(_SPREADS * spread, log(_FACTOR))
    reason = f"{exp(ratio):.2f} times its neighbours in the last week, usually {exp(usual):.2f}"
    verdict = "warning" if moved else "ok"
    return Finding("neighbours", subject, verdict, reason, value=exp(ratio), expected=exp(usual))
