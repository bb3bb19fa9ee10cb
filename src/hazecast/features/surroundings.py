"""The nearest stations of each station."""

import numpy as np
import numpy.typing as npt

from hazecast.air.distance import EARTH_RADIUS_KM

NEIGHBOURS = 8
MAX_DISTANCE_KM = 150.0  # the regional scale on which stagnation and transport are shared
_BATCH_ROWS = 1000


def nearest_stations(
    latitude_deg: npt.NDArray[np.float32], longitude_deg: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """The up to 8 nearest other stations within 150 km, nearest first; (station, k), -1 where there are fewer.

    A station without coordinates has no neighbours and is not a neighbour of any.
    """
    n = len(latitude_deg)
    k = min(NEIGHBOURS, max(n - 1, 0))
    found = np.full((n, k), -1, np.int64)
    if k == 0:
        return found
    points = _unit_vectors(latitude_deg, longitude_deg)
    for first in range(0, n, _BATCH_ROWS):
        rows = slice(first, min(first + _BATCH_ROWS, n))
        chord = np.clip(points[rows] @ points.T, -1, 1)
        distance_km = np.nan_to_num(EARTH_RADIUS_KM * np.arccos(chord), nan=np.inf)
        distance_km[np.arange(rows.stop - first), np.arange(first, rows.stop)] = np.inf
        near = np.argpartition(distance_km, k - 1, axis=1)[:, :k]
        distance = np.take_along_axis(distance_km, near, axis=1)
        order = np.argsort(distance, axis=1, kind="stable")
        near, distance = np.take_along_axis(near, order, axis=1), np.take_along_axis(distance, order, axis=1)
        found[rows] = np.where(distance <= MAX_DISTANCE_KM, near, -1)
    return found


def _unit_vectors(
    latitude_deg: npt.NDArray[np.float32], longitude_deg: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    lat, lon = np.radians(latitude_deg.astype(np.float64)), np.radians(longitude_deg.astype(np.float64))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
