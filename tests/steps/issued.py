"""An archive of issued forecasts of known quality, for the simulated town: no model is trained."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from hazecast.air.limits import LIMIT_KEYS, limit_values
from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.air.tables import Forecasts, Observations, Scores, Stations, Weather
from hazecast.scoring import p_exceed, score
from hazecast.sources.simulated import Fault, SimulatedSource
from hazecast.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2025, 1, 6, tzinfo=UTC)
# Standard normal quantiles of QUANTILE_LEVELS.
STEPS = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])
UTC_TIME = pl.Datetime("us", "UTC")


def town(*, n_stations: int = 4, seed: int = 0, faults: Sequence[Fault] = ()) -> SimulatedSource:
    return SimulatedSource(n_stations=n_stations, seed=seed, faults=faults)


def observed(
    source: SimulatedSource, *, since: datetime, until: datetime, pollutants: Sequence[str] = ("pm25", "no2")
) -> pl.DataFrame:
    """Observations of a town, all flagged ok, ingested as they became available."""
    rows = source.fetch_observations(since=since, until=until).filter(pl.col("pollutant").is_in(pollutants))
    return Observations.validate(
        rows.with_columns(flag=pl.lit("ok"), flag_reasons=pl.lit(""), ingested_at="available_at").select(
            Observations.create_empty().columns
        )
    )


def forecasts(
    truth: pl.DataFrame,
    issues: Sequence[datetime],
    *,
    version: str = "1",
    error: float = 0.5,
    spread: float = 0.4,
    bias: float = 1.0,
    seed: int = 1,
    horizon_hours: int = 72,
) -> pl.DataFrame:
    """Forecasts between the truth (`error` 0) and the seasonal naive (1), with some noise and intervals `spread` wide.

    As for a model, their errors are large when those of the naive forecast are, so the relative error is steady. Hours
    that are not observed yet are forecast as if the last days repeated themselves, so that every issue reaches its
    horizon.
    """
    repeated = pl.col("observed_at") + pl.duration(hours=horizon_hours)
    last_days = truth.filter(pl.col("observed_at") > truth["observed_at"].max() - horizon_hours * HOUR)
    truth = pl.concat([truth, last_days.with_columns(observed_at=repeated)])
    frames = [_issue(truth, moment, seed=seed, error=error, horizon_hours=horizon_hours) for moment in issues]
    rows = pl.concat(frames).sort("station_id", "pollutant", "issued_at", "valid_at")
    middle = rows["guess_ugm3"].to_numpy() * bias
    quantiles = middle[:, None] * np.exp(spread * STEPS)
    chances = {f"p_exceed_{key}": _chance(rows, quantiles, key) for key in LIMIT_KEYS}
    return Forecasts.validate(
        rows.with_columns(
            mean=pl.Series(middle),
            **{name: pl.Series(quantiles[:, k]) for k, name in enumerate(QUANTILES)},
            **chances,
            status=pl.lit("ok"),
            model_version=pl.lit(version),
            observations_version=pl.lit(1, pl.Int64),
            data_age_hours=pl.lit(0.0),
            source=pl.lit("simulated"),
        ).select(Forecasts.create_empty().columns)
    )


def _issue(truth: pl.DataFrame, issued_at: datetime, *, seed: int, error: float, horizon_hours: int) -> pl.DataFrame:
    until = issued_at + horizon_hours * HOUR
    ahead = truth.filter(pl.col("observed_at").is_between(issued_at, until, closed="left"))
    lead = ((pl.col("observed_at") - issued_at).dt.total_hours() + 1).cast(pl.Int32)
    rows = ahead.with_columns(lead_hours=lead).with_columns(
        day_before=pl.col("observed_at") - pl.duration(hours=24 * ((pl.col("lead_hours").cast(pl.Int64) + 23) // 24))
    )
    naive = truth.select("station_id", "pollutant", day_before="observed_at", naive="concentration_ugm3")
    rows = rows.join(naive, on=["station_id", "pollutant", "day_before"], how="left")
    rows = rows.sort("station_id", "pollutant", "observed_at")
    noise = 0.15 * np.random.default_rng([seed, int(issued_at.timestamp()) // 3600]).normal(size=rows.height)
    true = pl.col("concentration_ugm3").clip(1.0).log()
    guess = true + error * (pl.coalesce("naive", "concentration_ugm3").clip(1.0).log() - true) + pl.Series(noise)
    return rows.select(
        "station_id",
        "pollutant",
        issued_at=pl.lit(issued_at).cast(UTC_TIME),
        valid_at="observed_at",
        lead_hours="lead_hours",
        guess_ugm3=guess.exp(),
    )


def _chance(rows: pl.DataFrame, quantiles: np.ndarray, key: str) -> pl.Series:
    limit = rows["pollutant"].replace_strict(dict(limit_values(key)), return_dtype=pl.Float64).to_numpy()
    return pl.Series(p_exceed(quantiles, limit), dtype=pl.Float64)


def reference(archive: pl.DataFrame, truth: pl.DataFrame, *, version: str, until: datetime) -> pl.DataFrame:
    """The champion's Scores of a validation window that ended at `until`."""
    found = score(archive, truth)
    stamps = {"window_start": until - 28 * DAY, "window_end": until, "scored_at": until}
    return Scores.validate(
        found.with_columns(
            model=pl.lit(f"version-{version}"), **{k: pl.lit(v).cast(UTC_TIME) for k, v in stamps.items()}
        ).select(Scores.create_empty().columns)
    )


def daily(first: datetime, n_days: int) -> list[datetime]:
    return [first + k * DAY + 6 * HOUR for k in range(n_days)]


def keep(store: Store, source: SimulatedSource, truth: pl.DataFrame, *, weather_since: datetime | None = None) -> Store:
    """Store the town and what was observed in it."""
    store.upsert(Stations, source.fetch_stations())
    store.upsert(Observations, truth)
    if weather_since is not None:
        until = truth["observed_at"].max() + HOUR
        weather = source.fetch_weather(since=weather_since, until=until)
        store.upsert(Weather, weather.filter(pl.col("issued_at").is_null()))
    return store


assert len(STEPS) == len(QUANTILE_LEVELS)
