"""Confirmation by neighbouring stations: smoke and dust are real, and reach more than one station."""

import polars as pl

from hazecast.air.distance import EARTH_RADIUS_KM

NEAR_KM = 50.0
# A neighbour confirms with at least this share of the value at which a reading becomes suspicious.
_CONFIRMING_SHARE = 0.5
_HOUR = ["pollutant", "observed_at"]


def confirmed(readings: pl.DataFrame, stations: pl.DataFrame) -> pl.Series:
    """Whether another station within 50 km read something similar in the same hour, row by row.

    Args:
        readings: station_id, pollutant, observed_at, `trusted` and `bound` (above it a reading is suspicious) [µg/m³].
        stations: station_id, latitude, longitude [degrees]; without coordinates nothing is confirmed.

    Source: practice of confirming by at least two stations within 50 km before a high value is rejected.
    """
    elevated = readings.with_row_index("row").filter(pl.col("trusted") > _CONFIRMING_SHARE * pl.col("bound"))
    placed = elevated.join(stations.select("station_id", "latitude", "longitude"), on="station_id").drop_nulls()
    high = placed.filter(pl.col("trusted") > pl.col("bound"))
    pairs = high.join(placed, on=_HOUR, suffix="_other").filter(pl.col("station_id") != pl.col("station_id_other"))
    rows = pairs.filter(_distance_km() <= NEAR_KM)["row"]
    return pl.Series(pl.select(pl.int_range(readings.height, dtype=pl.UInt32)).to_series()).is_in(rows.implode())


def _distance_km() -> pl.Expr:
    """Great-circle distance (haversine)."""
    names = ("latitude", "latitude_other", "longitude", "longitude_other")
    north, north_other, east, east_other = (pl.col(name).radians() for name in names)
    across = ((north_other - north) / 2).sin() ** 2
    along = north.cos() * north_other.cos() * ((east_other - east) / 2).sin() ** 2
    return 2 * EARTH_RADIUS_KM * (across + along).sqrt().arcsin()
