"""A small invented town: tables with the irregular stations that a model must handle."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 75
UTC_TIME = pl.Datetime("us", "UTC")
BLANK = (
    "temperature_c",
    "pressure_hpa",
    "dew_point_c",
    "precipitation_mm",
    "wind_direction_deg",
    "wind_speed_ms",
    "relative_humidity_pct",
)


def at(day: int, hour: int = 0) -> datetime:
    return START + timedelta(days=day, hours=hour)


def stations() -> pl.DataFrame:
    rows = [
        ("centre", 50.0, 10.0, "Europe/Berlin"),
        ("dry", 50.1, 10.1, "Europe/Berlin"),
        ("gappy", 50.2, 10.0, "UTC"),
        ("lost", None, None, "Asia/Kathmandu"),
        ("new", 50.0, 10.2, "Europe/Berlin"),
        ("single", 50.3, 10.3, "America/Sao_Paulo"),
    ]
    return pl.DataFrame(
        rows,
        schema={"station_id": pl.String, "latitude": pl.Float64, "longitude": pl.Float64, "timezone": pl.String},
        orient="row",
    )


def _wind(rng: np.random.Generator, n: int) -> np.ndarray:
    level = np.zeros(n)
    for k in range(1, n):
        level[k] = 0.97 * level[k - 1] + 0.3 * rng.normal()
    return np.exp(0.5 + level * 0.6)


def observations(days: int = DAYS) -> pl.DataFrame:
    """Concentrations that fall with wind; "lost" reports small negatives, "gappy" has none for 40 days."""
    rng = np.random.default_rng(7)
    n = days * 24
    wind = _wind(rng, n)
    clock = np.arange(n) % 24
    frames = []
    for station in stations()["station_id"]:
        for pollutant, scale in (("pm25", 20.0), ("o3", 50.0)):
            if station == "single" and pollutant == "o3":
                continue
            level = scale * (1 + 0.4 * np.sin(2 * np.pi * clock / 24)) / np.sqrt(wind)
            values = level * np.exp(0.15 * rng.normal(size=n)) - (1.5 * scale if station == "lost" else 0)
            values = np.where((values < 0) & (station != "lost"), 0, np.maximum(values, -5))
            keep = np.ones(n, bool)
            if station == "gappy":
                keep[10 * 24 : 50 * 24] = False
            if station == "new":
                keep[: 45 * 24] = False
            frames.append(_observed(station, pollutant, np.flatnonzero(keep), values[keep]))
    return pl.concat(frames)


def _observed(station: str, pollutant: str, hours: np.ndarray, values: np.ndarray) -> pl.DataFrame:
    times = pl.Series([START + int(h) * HOUR for h in hours], dtype=UTC_TIME)
    return pl.DataFrame({"observed_at": times, "concentration_ugm3": values}).with_columns(
        pl.lit(station).alias("station_id"),
        pl.lit(pollutant).alias("pollutant"),
        pl.lit("ok").alias("flag"),
        (pl.col("observed_at") + HOUR).alias("available_at"),
    )


def weather(days: int = DAYS, *, runs: bool = False) -> pl.DataFrame:
    """Observed weather of every station but "dry"; with `runs`, also a forecast at each midnight for 4 days."""
    n = days * 24
    wind = _wind(np.random.default_rng(7), n)
    frame = pl.DataFrame({"valid_at": pl.Series([START + h * HOUR for h in range(n)], dtype=UTC_TIME)}).with_columns(
        *(pl.lit(None, pl.Float64).alias(name) for name in BLANK if name not in ("wind_speed_ms", "temperature_c")),
        pl.Series("wind_speed_ms", wind),
        pl.Series("temperature_c", 5 + 5 * np.sin(2 * np.pi * np.arange(n) / 24)),
        pl.lit(None, UTC_TIME).alias("issued_at"),
        (pl.col("valid_at") + HOUR).alias("available_at"),
    )
    with_runs = [frame]
    for day in range(days if runs else 0):
        ahead = frame.filter(pl.col("valid_at").is_between(at(day), at(day + 4), closed="left"))
        issue = pl.lit(at(day), UTC_TIME)
        with_runs.append(ahead.with_columns(issue.alias("issued_at"), (issue + 3 * HOUR).alias("available_at")))
    both = pl.concat(with_runs)
    places = [s for s in stations()["station_id"] if s != "dry"]
    return pl.concat([both.with_columns(pl.lit(s).alias("station_id")) for s in places])
