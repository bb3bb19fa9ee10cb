"""Solar elevation: it drives photochemistry and daytime mixing."""

from datetime import UTC, datetime

import numpy as np

from hazecast.air.arrays import Floats32, Ints
from hazecast.features.panel import Panel

_MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)
_TILT_DEG = 23.44
_DAYS_AFTER_SOLSTICE = 10
_YEAR_DAYS = 365.25


def sunlight(panel: Panel, station: Ints, hour: Ints) -> Floats32:
    """Sine of the sun's elevation in the middle of each panel hour, 0 at night; NaN where the coordinates are unknown.

    The declination is a cosine of the day (Cooper 1969); the equation of time, up to 16 minutes, is left out.

    Args:
        panel: only its coordinates and first hour are read.
        station: panel indices, of any shape.
        hour: panel hours, of that shape.
    """
    start_days = (panel.start - _MIDNIGHT).total_seconds() / 86_400
    days = start_days + (hour + 0.5) / 24
    declination = -np.radians(_TILT_DEG) * np.cos(2 * np.pi * (days + _DAYS_AFTER_SOLSTICE) / _YEAR_DAYS)
    latitude = np.radians(panel.latitude_deg[station].astype(np.float64))
    hour_angle = 2 * np.pi * (days % 1 + panel.longitude_deg[station].astype(np.float64) / 360) - np.pi
    elevation_sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(
        hour_angle
    )
    return np.asarray(np.maximum(elevation_sine, 0), np.float32)
