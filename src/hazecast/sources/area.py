"""Which stations of a network are meant."""

from dataclasses import dataclass

from hazecast.air.distance import distance_km


@dataclass(frozen=True)
class Box:
    """All between these meridians and parallels [degrees, WGS84]."""

    west: float
    south: float
    east: float
    north: float

    def contains(self, station_id: str, latitude: float, longitude: float) -> bool:  # noqa: ARG002
        """Whether the station lies inside."""
        return self.south <= latitude <= self.north and self.west <= longitude <= self.east


@dataclass(frozen=True)
class Circle:
    """All within `radius_km` [km] of a point [degrees, WGS84]."""

    latitude: float
    longitude: float
    radius_km: float

    def contains(self, station_id: str, latitude: float, longitude: float) -> bool:  # noqa: ARG002
        """Whether the station lies inside."""
        return distance_km((self.latitude, self.longitude), (latitude, longitude)) <= self.radius_km


@dataclass(frozen=True)
class Listed:
    """These, by the network's own ids."""

    station_ids: tuple[str, ...]

    def contains(self, station_id: str, latitude: float, longitude: float) -> bool:  # noqa: ARG002
        """Whether the station is listed."""
        return station_id in self.station_ids


Area = Box | Circle | Listed
