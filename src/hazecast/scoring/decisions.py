"""Verification of decisions: how far the probability of exceeding a limit serves somebody who must act or not."""

import numpy as np
import polars as pl

from hazecast.air.arrays import Floats

N_BINS = 10
CLIMATOLOGY_DAYS, MIN_CLIMATOLOGY_DAYS = 45, 20
_YEAR_DAYS = 366


def verify_decisions(p: Floats, happened: Floats, p_climatology: Floats, *, act_above: float = 0.5) -> dict[str, float]:
    """Scores of the probabilities of one kind of event; the terms and formulas are the WMO's (WWRP/WGNE 2017).

    Args:
        p: (row,) forecast probability.
        happened: (row,) 1 or 0.
        p_climatology: (row,) of the reference.
        act_above: the cost-loss ratio: one acts at this probability or a higher one.

    Returns:
        brier, brier_climatology, brier_skill; reliability_gap, the mean absolute difference between probability and
        frequency in ten bins, weighted by rows; roc_area; pod, far, csi of acting at `act_above`; value, the relative
        economic value at that cost-loss ratio (1: as good as perfect forecasts, 0: as climatology). NaN where a
        denominator is 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        brier, reference = float(((p - happened) ** 2).mean()), float(((p_climatology - happened) ** 2).mean())
        acts = p >= act_above
        hits, false_alarms = float((acts * happened).sum()), float((acts * (1 - happened)).sum())
        misses = float(happened.sum()) - hits
        scores = {
            "brier": brier,
            "brier_climatology": reference,
            "brier_skill": np.float64(1) - np.float64(brier) / reference,
            "reliability_gap": _gap(p, happened),
            "roc_area": _roc_area(p, happened),
            "pod": np.float64(hits) / (hits + misses),
            "far": np.float64(false_alarms) / (hits + false_alarms),
            "csi": np.float64(hits) / (hits + misses + false_alarms),
            "value": _value(hits, misses, false_alarms, len(p), act_above),
        }
    return {name: float(score) for name, score in scores.items()}


def _gap(p: Floats, happened: Floats) -> float:
    number = np.minimum((p * N_BINS).astype(np.int64), N_BINS - 1)
    total, mean_p, mean_happened = (np.bincount(number, weight, N_BINS) for weight in (np.ones(len(p)), p, happened))
    return float(np.abs(mean_p - mean_happened)[total > 0].sum() / len(p))


def _roc_area(p: Floats, happened: Floats) -> float:
    """How often an event had a higher probability than a non-event; ties count half (Mason & Graham 2002)."""
    events, others = np.sort(p[happened > 0]), np.sort(p[happened == 0])
    below = np.searchsorted(others, events, "left").sum()
    tied = np.searchsorted(others, events, "right").sum() - below
    return float(np.float64(below + tied / 2) / (len(events) * len(others)))


def _value(hits: float, misses: float, false_alarms: float, n: int, cost_loss: float) -> float:
    """Relative economic value for one loss of 1 per unprotected event (Richardson 2000)."""
    base_rate = (hits + misses) / n
    expense = (hits + false_alarms) / n * cost_loss + misses / n
    climatology, perfect = min(cost_loss, base_rate), base_rate * cost_loss
    return float(np.float64(climatology - expense) / (climatology - perfect))


def day_climatology(days: pl.DataFrame, past: pl.DataFrame) -> Floats:
    """How often the limit was exceeded at the station within 45 days of the calendar day, before the end of training.

    Args:
        days: station_id, day and limit_ugm3, of one pollutant and statistic.
        past: `scoring.days.observed_days` of the same pollutant and statistic, before the end of training.

    Returns:
        (row,) probabilities; NaN with fewer than 20 such days.
    """
    history = {
        station: (rows["day"].dt.ordinal_day().to_numpy().astype(np.int64), rows["observed_ugm3"].to_numpy())
        for (station,), rows in past.group_by("station_id")
    }
    keys = days.select("station_id", pl.col("day").dt.ordinal_day().cast(pl.Int64).alias("of_year"), "limit_ugm3")
    distinct = keys.unique()
    found = []
    for station, of_year, limit in distinct.iter_rows():
        of_past, values = history.get(station, (np.zeros(0, np.int64), np.zeros(0)))
        half = _YEAR_DAYS // 2
        near = np.abs((of_past - of_year + half) % _YEAR_DAYS - half) <= CLIMATOLOGY_DAYS
        enough = near.sum() >= MIN_CLIMATOLOGY_DAYS
        found.append(float((values[near] > limit).mean()) if enough else np.nan)
    joined = keys.join(
        distinct.with_columns(p=pl.Series(found, dtype=pl.Float64)), on=keys.columns, maintain_order="left"
    )
    return joined["p"].to_numpy()
