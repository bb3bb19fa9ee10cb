"""How far places are from each other."""

from math import asin, cos, pi, radians, sin, sqrt

import numpy as np
import numpy.typing as npt
import polars as pl

EARTH_RADIUS_KM = 6371.0
# Of latitude.
KM_PER_DEGREE = 111.2
NEIGHBOURS = 8
REGION_KM = 150.0  # the regional scale on which stagnation and transport are shared
_NULL_ISLAND_DEGREES = 1e-4


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two (latitude, longitude) [degrees] on a sphere [km], by the haversine formula."""
    (latitude, longitude), (other_latitude, other_longitude) = one, other
    across = sin(radians(other_latitude - latitude) / 2) ** 2
    along = sin(radians(other_longitude - longitude) / 2) ** 2
    scale = cos(radians(latitude)) * cos(radians(other_latitude))
    # Rounding may lift the sum above 1 for points on opposite sides of the Earth.
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(across + scale * along)))


def nearest_stations(
    latitude_deg: npt.NDArray[np.floating], longitude_deg: npt.NDArray[np.floating], *, within_km: float = REGION_KM
) -> npt.NDArray[np.int64]:
    """The up to 8 nearest other stations within `within_km`, nearest first; (station, k), -1 where there are fewer.

    This is the neighbourhood of a station everywhere in Hazecast. A station without coordinates has no neighbours and
    is not a neighbour of any.
    """
    n = len(latitude_deg)
    k = min(NEIGHBOURS, max(n - 1, 0))
    found = np.full((n, k), -1, np.int64)
    points = _unit_vectors(latitude_deg, longitude_deg)
    placed = np.flatnonzero(~np.isnan(points).any(axis=1))
    if k == 0 or len(placed) == 0:
        return found
    # One more than needed: a station is its own nearest, or one of several at the same place.
    from scipy.spatial import cKDTree  # here, because the dashboard's image has no SciPy

    distance, near = cKDTree(points[placed]).query(points[placed], k=k + 1, distance_upper_bound=_chord(within_km))
    rows = np.append(placed, -1)[near]  # where there are fewer, the tree gives the number of points
    is_other = (rows >= 0) & (rows != placed[:, None])
    order = np.lexsort((rows, np.where(is_other, distance, np.inf)))[:, :k]
    found[placed] = np.take_along_axis(np.where(is_other, rows, -1), order, axis=1)
    return found


def _chord(distance_km: float) -> float:
    """Straight distance in Earth radii of two points at a great-circle distance."""
    return 2 * sin(min(distance_km / EARTH_RADIUS_KM, pi) / 2)


def neighbour_pairs(stations: pl.DataFrame, *, within_km: float = REGION_KM) -> pl.DataFrame:
    """Pairs `station_id`, `other` of each station and its `nearest_stations`.

    Args:
        stations: station_id, latitude, longitude [degrees]; those without coordinates have no neighbours.
        within_km: greatest distance [km].
    """
    placed = stations.select("station_id", "latitude", "longitude").drop_nulls()
    nearest = nearest_stations(placed["latitude"].to_numpy(), placed["longitude"].to_numpy(), within_km=within_km)
    row, column = np.nonzero(nearest >= 0)
    ids = placed["station_id"]
    return pl.DataFrame({"station_id": ids.gather(row), "other": ids.gather(nearest[row, column])})


def moved_stations(stations: pl.DataFrame, stored: pl.DataFrame, *, beyond_km: float) -> pl.DataFrame:
    """Stations that lie more than `beyond_km` from where they were stored: station_id and `moved_km`, farthest first.

    Args:
        stations: station_id, latitude, longitude [degrees].
        stored: the same columns, as they were.
        beyond_km: smaller moves are taken as more precise coordinates [km].
    """
    axes = ["station_id", "latitude", "longitude"]
    both = stations.select(axes).join(stored.select(axes), on="station_id", suffix="_stored").drop_nulls()
    here = _unit_vectors(both["latitude"].to_numpy(), both["longitude"].to_numpy())
    there = _unit_vectors(both["latitude_stored"].to_numpy(), both["longitude_stored"].to_numpy())
    moved_km = EARTH_RADIUS_KM * np.arccos(np.clip((here * there).sum(axis=1), -1, 1))
    found = both.select("station_id", moved_km=pl.Series(moved_km, dtype=pl.Float64))
    return found.filter(pl.col("moved_km") > beyond_km).sort("moved_km", descending=True)


def _unit_vectors(
    latitude_deg: npt.NDArray[np.floating], longitude_deg: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    lat, lon = np.radians(latitude_deg.astype(np.float64)), np.radians(longitude_deg.astype(np.float64))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def without_null_island(stations: pl.DataFrame) -> pl.DataFrame:
    """`stations` with null in place of the coordinates 0, 0: open sea, and how a missing position is often written."""
    at_zero = [pl.col(axis).abs() < _NULL_ISLAND_DEGREES for axis in ("latitude", "longitude")]
    kept = pl.when(~pl.all_horizontal(at_zero))
    return stations.with_columns(latitude=kept.then("latitude"), longitude=kept.then("longitude"))
