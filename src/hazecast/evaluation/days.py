"""Verification of the forecasts of days that `hazecast backtest --days-out` writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from hazecast.air.averages import DAY_STATISTICS
from hazecast.air.limits import LIMITS
from hazecast.air.spec import QUANTILES
from hazecast.scoring.days import observed_days
from hazecast.scoring.decisions import day_climatology, verify_decisions
from hazecast.scoring.probability import pinball

_SERIES_DAY = ("station_id", "pollutant", "day", "statistic")
THRESHOLD = "threshold"  # limit_key of a value that is no limit


@dataclass(frozen=True)
class DayVerification:
    """Tables of the forecasts of days; a row counts where the day was observed.

    Attributes:
        by_statistic: pollutant, statistic, day_ahead; n, mae and bias of the median, bias_mean, pinball [µg/m³],
            coverage_80, coverage_90 [share].
        by_limit: pollutant, statistic, limit_key, limit_ugm3, day_ahead; n, n_events and the scores of
            `scoring.decisions.verify_decisions`; rows without a climatology are left out.
    """

    by_statistic: pl.DataFrame
    by_limit: pl.DataFrame


def day_limits(thresholds: Mapping[str, tuple[float, ...]]) -> pl.DataFrame:
    """pollutant, statistic, limit_key, limit_ugm3: limits by the statistic they are written for, thresholds by each."""
    rows = [(x.pollutant.value, x.day_statistic, x.key, x.concentration_ugm3) for x in LIMITS]
    rows += [(p, s, THRESHOLD, value) for p, values in thresholds.items() for s in DAY_STATISTICS for value in values]
    return pl.DataFrame(rows, schema=["pollutant", "statistic", "limit_key", "limit_ugm3"], orient="row")


def verify_days(
    days: pl.DataFrame, observations: pl.DataFrame, timezones: Mapping[str, str], *, trained_until: date
) -> DayVerification:
    """Verify forecasts of days.

    Args:
        days: `evaluation.backtest.DAY_COLUMNS`.
        observations: `air.tables.Observations`; rows flagged ok are truth.
        timezones: IANA name by station id.
        trained_until: observed days before it make the climatology.
    """
    truth = observed_days(observations, timezones)
    zone = pl.col("station_id").replace_strict(timezones, return_dtype=pl.String)
    issue_day = pl.concat(
        rows.with_columns(issue_day=pl.col("issued_at").dt.convert_time_zone(str(name)).dt.date())
        for (name,), rows in days.with_columns(zone=zone).group_by("zone")
    )
    ahead = (pl.col("day") - pl.col("issue_day")).dt.total_days().alias("day_ahead")
    rows = issue_day.with_columns(ahead).join(truth, on=_SERIES_DAY)
    past = truth.filter(pl.col("day") < trained_until)
    return DayVerification(_by_statistic(rows), _by_limit(rows.drop_nulls("limit_ugm3"), past))


def _by_statistic(rows: pl.DataFrame) -> pl.DataFrame:
    one = rows.unique([*_SERIES_DAY, "issued_at"], maintain_order=True)
    observed = pl.col("observed_ugm3")
    losses = pinball(one["observed_ugm3"].to_numpy(), one.select(QUANTILES).to_numpy()).mean(axis=1)
    return (
        one.with_columns(pinball=pl.Series(losses))
        .group_by("pollutant", "statistic", "day_ahead")
        .agg(
            n=pl.len().cast(pl.Int64),
            mae=(pl.col("q50") - observed).abs().mean(),
            bias=(pl.col("q50") - observed).mean(),
            bias_mean=(pl.col("mean") - observed).mean(),
            pinball=pl.col("pinball").mean(),
            coverage_80=observed.is_between(pl.col("q10"), pl.col("q90")).mean(),
            coverage_90=observed.is_between(pl.col("q05"), pl.col("q95")).mean(),
        )
        .sort("pollutant", "statistic", "day_ahead")
    )


def _by_limit(rows: pl.DataFrame, past: pl.DataFrame) -> pl.DataFrame:
    found = []
    for (pollutant, statistic), group in rows.group_by("pollutant", "statistic"):
        history = past.filter(pl.col("pollutant") == pollutant, pl.col("statistic") == statistic)
        known = group.with_columns(p_climatology=pl.Series(day_climatology(group, history)))
        known = known.filter(pl.col("p_climatology").is_not_nan())
        for key, some in known.group_by("limit_key", "limit_ugm3", "day_ahead"):
            p, reference = (some[name].to_numpy() for name in ("p_exceed", "p_climatology"))
            happened = (some["observed_ugm3"] > some["limit_ugm3"]).to_numpy().astype(np.float64)
            counts = {"n": len(p), "n_events": int(happened.sum())}
            names = ("pollutant", "statistic", "limit_key", "limit_ugm3", "day_ahead")
            keys = dict(zip(names, (pollutant, statistic, *key), strict=True))
            found.append({**keys, **counts, **verify_decisions(p, happened, reference)})
    if not found:
        return pl.DataFrame()
    return pl.DataFrame(found).sort("pollutant", "statistic", "limit_ugm3", "limit_key", "day_ahead")
