"""The simulated city: its stations, the emissions around them, and its clock."""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hazecast.air.arrays import Floats
from hazecast.air.distance import KM_PER_DEGREE
from hazecast.sources.simulated.noise import Hours

TIMEZONE = "Europe/Lisbon"
# Open sea off Galicia, so that no place is mistaken for it.
LATITUDE, LONGITUDE = 46.0, -8.0
_GOLDEN_ANGLE = radians(137.508)


@dataclass(frozen=True)
class Site:
    """A station's surroundings.

    Args:
        name: display name.
        kind: traffic, urban, suburban or rural.
        east_km: east of the centre [km].
        north_km: north of the centre [km].
        industry: strength of industry nearby, relative to the harbour's.
    """

    name: str
    kind: str
    east_km: float
    north_km: float
    industry: float = 0.0

    @property
    def station_id(self) -> str:
        """The name as an identifier."""
        return self.name.lower().replace(" ", "-")

    @property
    def latitude(self) -> float:
        """WGS84 [degrees]."""
        return round(LATITUDE + self.north_km / KM_PER_DEGREE, 4)

    @property
    def longitude(self) -> float:
        """WGS84 [degrees]."""
        return round(LONGITUDE + self.east_km / (KM_PER_DEGREE * cos(radians(LATITUDE))), 4)


@dataclass(frozen=True)
class Kind:
    """A kind of station: emission strengths nearby, share of the urban background, and exposure to wind."""

    traffic: float
    heating: float
    urbanity: float
    wind_exposure: float


KINDS = {
    "traffic": Kind(traffic=1.0, heating=0.5, urbanity=1.0, wind_exposure=0.6),
    "urban": Kind(traffic=0.3, heating=0.6, urbanity=0.9, wind_exposure=0.7),
    "suburban": Kind(traffic=0.15, heating=0.5, urbanity=0.5, wind_exposure=0.85),
    "rural": Kind(traffic=0.03, heating=0.1, urbanity=0.12, wind_exposure=1.1),
}

_SITES = (
    Site("Simulated Harbour", "urban", -3.0, 1.0, industry=1.0),
    Site("Simulated Ring Road", "traffic", 2.5, -1.5),
    Site("Simulated Old Town", "urban", 0.0, 0.0),
    Site("Simulated Garden Suburb", "suburban", 6.0, 3.5),
    Site("Simulated Meadows", "rural", 16.0, 8.0),
    Site("Simulated Market Street", "traffic", -0.8, 0.6),
    Site("Simulated Hillside", "suburban", -6.0, -5.0),
    Site("Simulated Lakeside", "rural", -14.0, 11.0),
)


def sites(n_stations: int) -> tuple[Site, ...]:
    """The first `n_stations` sites; after the eighth the pattern repeats further out, with numbers."""
    return tuple(_site(number) for number in range(n_stations))


def _site(number: int) -> Site:
    lap, place = divmod(number, len(_SITES))
    site = _SITES[place]
    if lap == 0:
        return site
    turn, stretch = lap * _GOLDEN_ANGLE, 1 + 0.25 * lap
    east = stretch * (site.east_km * cos(turn) - site.north_km * sin(turn)) + lap
    north = stretch * (site.east_km * sin(turn) + site.north_km * cos(turn))
    return Site(f"{site.name} {lap + 1}", site.kind, round(east, 2), round(north, 2), site.industry)


_WEEKDAY_TRAFFIC = np.array(
    [
        [0.15, 0.1, 0.08, 0.08, 0.12, 0.3, 0.7, 1.25, 1.45, 1.1, 0.9, 0.9],
        [0.95, 0.95, 0.95, 1.0, 1.15, 1.4, 1.45, 1.15, 0.8, 0.55, 0.4, 0.25],
    ]
).ravel()
_WEEKEND_TRAFFIC = np.array(
    [
        [0.3, 0.22, 0.15, 0.1, 0.1, 0.12, 0.18, 0.28, 0.4, 0.55, 0.7, 0.8],
        [0.85, 0.8, 0.75, 0.75, 0.8, 0.85, 0.85, 0.75, 0.6, 0.5, 0.42, 0.35],
    ]
).ravel()
_HEATING = np.array(
    [
        [0.6, 0.5, 0.45, 0.45, 0.5, 0.7, 1.1, 1.3, 1.1, 0.9, 0.8, 0.75],
        [0.7, 0.7, 0.7, 0.75, 0.9, 1.2, 1.45, 1.6, 1.6, 1.5, 1.2, 0.85],
    ]
).ravel()
_HEATED_BELOW_C = 16.0
_SATURDAY = 6


def local_clock(hours: Hours) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Hour of day 0…23 and weekday 1…7 (Monday first) by the city's clocks, summer time included."""
    local = pl.from_epoch(pl.Series(hours * 3600), time_unit="s").dt.replace_time_zone("UTC")
    local = local.dt.convert_time_zone(TIMEZONE)
    return local.dt.hour().to_numpy(), local.dt.weekday().to_numpy()


def activity(hours: Hours, temperature_c: Floats) -> dict[str, Floats]:
    """Activity in each hour, 1 = an average working day: traffic, heating (by temperature), industry."""
    hour, weekday = local_clock(hours)
    working = weekday < _SATURDAY
    coldness = np.maximum(0.0, _HEATED_BELOW_C - temperature_c) / _HEATED_BELOW_C
    return {
        "traffic": np.where(working, _WEEKDAY_TRAFFIC[hour], _WEEKEND_TRAFFIC[hour]),
        "heating": _HEATING[hour] * coldness,
        "industry": np.where(working, 1.0, 0.6),
    }
