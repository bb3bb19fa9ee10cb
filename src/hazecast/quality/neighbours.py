"""Confirmation by neighbouring stations: smoke, dust and fireworks are real, and reach more than one station."""

import polars as pl

from hazecast.air.distance import neighbour_pairs

NEAR_KM = 50.0
_HOUR = ["pollutant", "observed_at"]


def confirmed(readings: pl.DataFrame, stations: pl.DataFrame) -> pl.Series:
    """Whether one of the nearest stations within 50 km read at least `needed` in the same hour, row by row.

    Args:
        readings: station_id, pollutant, observed_at, `trusted` [µg/m³] and `needed` [µg/m³]: what a neighbour must
            exceed to confirm the row; null where the row needs no confirmation.
        stations: station_id, latitude, longitude [degrees]; without coordinates nothing is confirmed.

    Source: practice of confirming by at least two stations within 50 km before a high value is rejected.
    """
    rows = readings.with_row_index("row")
    candidates = rows.filter(pl.col("needed").is_not_null())
    pairs = neighbour_pairs(stations, within_km=NEAR_KM)
    others = readings.select("trusted", *_HOUR, other="station_id")
    confirming = (
        candidates.join(pairs, on="station_id")
        .join(others, on=[*_HOUR, "other"], suffix="_other")
        .filter(pl.col("trusted_other") > pl.col("needed"))["row"]
    )
    return rows["row"].is_in(confirming.implode())
