"""How far places are from each other."""

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two (latitude, longitude) [degrees] on a sphere [km], by the haversine formula."""
    (latitude, longitude), (other_latitude, other_longitude) = one, other
    across = sin(radians(other_latitude - latitude) / 2) ** 2
    along = sin(radians(other_longitude - longitude) / 2) ** 2
    scale = cos(radians(latitude)) * cos(radians(other_latitude))
    # Rounding may lift the sum above 1 for points on opposite sides of the Earth.
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(across + scale * along)))
