"""How far places are from each other."""

from math import asin, cos, radians, sin, sqrt

import polars as pl

EARTH_RADIUS_KM = 6371.0
# Of latitude.
KM_PER_DEGREE = 111.2
_NULL_ISLAND_DEGREES = 1e-4


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two (latitude, longitude) [degrees] on a sphere [km], by the haversine formula."""
    (latitude, longitude), (other_latitude, other_longitude) = one, other
    across = sin(radians(other_latitude - latitude) / 2) ** 2
    along = sin(radians(other_longitude - longitude) / 2) ** 2
    scale = cos(radians(latitude)) * cos(radians(other_latitude))
    # Rounding may lift the sum above 1 for points on opposite sides of the Earth.
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(across + scale * along)))


def neighbour_pairs(stations: pl.DataFrame, *, within_km: float, of: pl.Series | None = None) -> pl.DataFrame:
    """Pairs `station_id`, `other` of different stations at most `within_km` apart [km], in both orders.

    Args:
        stations: station_id, latitude, longitude [degrees]; those without coordinates have no neighbours.
        within_km: greatest distance [km].
        of: only pairs of these stations; None: of all.
    """
    # A grid of cells of that size: neighbours lie in the same or an adjoining cell, so far pairs are never compared.
    cell_degrees = within_km / 111.0
    placed = stations.select("station_id", "latitude", "longitude").drop_nulls()
    cells = placed.with_columns(row=(pl.col("latitude") / cell_degrees).floor().cast(pl.Int64))
    shifted = pl.concat([cells.with_columns(row=pl.col("row") + step) for step in (-1, 0, 1)])
    ones = cells if of is None else cells.filter(pl.col("station_id").is_in(of.unique().implode()))
    pairs = ones.join(shifted, on="row", suffix="_other").filter(pl.col("station_id") != pl.col("station_id_other"))
    near = pairs.filter(_distance_km_expr() <= within_km)
    return near.select("station_id", other="station_id_other").unique()


def _distance_km_expr() -> pl.Expr:
    """Great-circle distance of two points in one row, as `distance_km`."""
    names = ("latitude", "latitude_other", "longitude", "longitude_other")
    north, north_other, east, east_other = (pl.col(name).radians() for name in names)
    across = ((north_other - north) / 2).sin() ** 2
    along = north.cos() * north_other.cos() * ((east_other - east) / 2).sin() ** 2
    return 2 * EARTH_RADIUS_KM * (across + along).clip(0.0, 1.0).sqrt().arcsin()


def without_null_island(stations: pl.DataFrame) -> pl.DataFrame:
    """`stations` with null in place of the coordinates 0, 0: open sea, and how a missing position is often written."""
    at_zero = [pl.col(axis).abs() < _NULL_ISLAND_DEGREES for axis in ("latitude", "longitude")]
    kept = pl.when(~pl.all_horizontal(at_zero))
    return stations.with_columns(latitude=kept.then("latitude"), longitude=kept.then("longitude"))
