"""FAIRMODE's modelling quality indicator: errors relative to the measurement uncertainty."""

from dataclasses import dataclass

import polars as pl

from hazecast.air.pollutants import Pollutant
from hazecast.scoring.pairs import pair
from hazecast.scoring.tally import SUM_DECIMALS

KEY = ("issued_on", "station_id", "pollutant", "lead_day", "model_version")
_BETA = 2.0
_HOURS_OF_A_DAY, _RUNNING_HOURS, _HOURS_OF_A_RUN = 18, 8, 6


@dataclass(frozen=True)
class Uncertainty:
    """Measurement uncertainty U(O) = ur·√((1−α²)O² + α²·rv²) [µg/m³]: `ur` and `alpha` [1], `rv_ugm3` the reference."""

    ur: float
    rv_ugm3: float
    alpha: float

    def squared(self, observed_ugm3: pl.Expr) -> pl.Expr:
        """U(O)² [µg²/m⁶]."""
        return self.ur**2 * ((1 - self.alpha**2) * observed_ugm3**2 + self.alpha**2 * self.rv_ugm3**2)


# FAIRMODE guidance on modelling quality objectives, v3.3, table of uncertainty parameters.
UNCERTAINTY: dict[Pollutant, Uncertainty] = {
    Pollutant.NO2: Uncertainty(0.24, 200.0, 0.20),
    Pollutant.O3: Uncertainty(0.18, 120.0, 0.79),
    Pollutant.PM10: Uncertainty(0.28, 50.0, 0.25),
    Pollutant.PM25: Uncertainty(0.36, 25.0, 0.50),
}


def model_quality(forecasts: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Sums for the indicator, by issue day, station, pollutant and lead day (24 h from issue, not the calendar's).

    NO2 is evaluated hour by hour, particles by 24 h means, O3 by the highest 8 h mean of the lead day; means need 18 of
    24 and 6 of 8 hours. Pollutants without an uncertainty (SO2, CO) are absent.

    Args:
        forecasts: `air.tables.Forecasts`; `mean` is evaluated.
        observations: `air.tables.Observations`.

    Returns:
        `air.verdicts.ModelQuality` less `ingested_at`: a row for every group of `forecasts`, with n = 0 where nothing
        could be scored yet.

    Source: FAIRMODE guidance document on modelling quality objectives, v3.3, eq. 7 and 37.
    """
    evaluated = forecasts.filter(pl.col("pollutant").is_in([p.value for p in UNCERTAINTY]))
    days = {"issued_on": pl.col("issued_at").dt.truncate("1d"), "lead_day": (pl.col("lead_hours") - 1) // 24 + 1}
    evaluated = evaluated.with_columns(**days)
    rows = pair(evaluated, observations)
    parts = [
        _hourly(rows.filter(pl.col("pollutant") == Pollutant.NO2)),
        _day_means(rows.filter(pl.col("pollutant").is_in([Pollutant.PM10.value, Pollutant.PM25.value]))),
        _highest_running_means(rows.filter(pl.col("pollutant") == Pollutant.O3)),
    ]
    values = pl.concat(parts).with_columns(squared_error=(pl.col("mean") - pl.col("observed_ugm3")) ** 2)
    sums = pl.col("squared_error", "squared_uncertainty").sum()
    found = values.with_columns(_squared_uncertainty()).group_by(KEY).agg(pl.len().cast(pl.Int64).alias("n"), sums)
    groups = evaluated.select(KEY).unique().join(found, on=KEY, how="left")
    filled = groups.with_columns(pl.col("n", "squared_error", "squared_uncertainty").fill_null(0))
    return filled.with_columns(pl.selectors.float().round(SUM_DECIMALS))


def mqi(quality: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """The indicator per group: RMSE over twice the measurement uncertainty; the objective is ≤ 1 at 90 % of stations.

    Args:
        quality: rows of `air.verdicts.ModelQuality`.
        by: its columns to group by.

    Returns:
        One row per group: n, mqi [1].
    """
    totals = quality.group_by(by).agg(pl.col("n", "squared_error", "squared_uncertainty").sum())
    indicator = (pl.col("squared_error") / pl.col("squared_uncertainty")).sqrt() / _BETA
    return totals.select(*by, "n", mqi=pl.when(pl.col("squared_uncertainty") > 0).then(indicator)).sort(by)


def _hourly(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(*KEY, "mean", "observed_ugm3")


def _day_means(rows: pl.DataFrame) -> pl.DataFrame:
    means = rows.group_by(*KEY, "issued_at").agg(pl.len(), pl.col("mean", "observed_ugm3").mean())
    return means.filter(pl.col("len") >= _HOURS_OF_A_DAY).select(*KEY, "mean", "observed_ugm3")


def _highest_running_means(rows: pl.DataFrame) -> pl.DataFrame:
    group = [*KEY, "issued_at"]
    running = rows.sort(*group, "valid_at").with_columns(
        pl.col("mean", "observed_ugm3")
        .rolling_mean_by("valid_at", window_size=f"{_RUNNING_HOURS}h", min_samples=_HOURS_OF_A_RUN)
        .over(group)
    )
    highest = running.group_by(group).agg(pl.len(), pl.col("mean", "observed_ugm3").max())
    return highest.filter(pl.col("len") >= _HOURS_OF_A_DAY).select(*KEY, "mean", "observed_ugm3")


def _squared_uncertainty() -> pl.Expr:
    squared = (
        pl.when(pl.col("pollutant") == pollutant.value).then(uncertainty.squared(pl.col("observed_ugm3")))
        for pollutant, uncertainty in UNCERTAINTY.items()
    )
    return pl.coalesce(squared).alias("squared_uncertainty")
