"""Selection of the stations of a network: a rectangle, a circle, or a list of ids."""

from typing import Annotated, Self

import polars as pl
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from hazecast.air.distance import distance_km

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]

_FORBID = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_FORBID)
class Box:
    """A rectangle between meridians and parallels [degrees, WGS84]."""

    west: Longitude
    south: Latitude
    east: Longitude
    north: Latitude

    @model_validator(mode="after")
    def _right_way_round(self) -> Self:
        if self.west >= self.east or self.south >= self.north:
            raise ValueError("west must be less than east and south less than north")
        return self

    def contains(self, station_id: str, latitude: float, longitude: float) -> bool:  # noqa: ARG002
        """Whether the station lies inside."""
        return self.south <= latitude <= self.north and self.west <= longitude <= self.east

    def covers(self) -> pl.Expr:
        """Whether the columns `latitude`, `longitude` lie inside."""
        return pl.col("latitude").is_between(self.south, self.north) & pl.col("longitude").is_between(
            self.west, self.east
        )


# The domain of the European models, CAMS and SILAM.
EUROPE = Box(west=-25.0, south=30.0, east=45.0, north=72.0)


@dataclass(frozen=True, config=_FORBID)
class Circle:
    """All within `radius_km` [km] of a point [degrees, WGS84]; OpenAQ searches no wider than 25 km."""

    latitude: Latitude
    longitude: Longitude
    radius_km: Annotated[float, Field(gt=0, le=25.0)]

    def contains(self, station_id: str, latitude: float, longitude: float) -> bool:  # noqa: ARG002
        """Whether the station lies inside."""
        return distance_km((self.latitude, self.longitude), (latitude, longitude)) <= self.radius_km


@dataclass(frozen=True, config=_FORBID)
class Listed:
    """Stations listed by the network's own ids."""

    station_ids: tuple[str, ...]

    def contains(self, station_id: str, latitude: float, longitude: float) -> bool:  # noqa: ARG002
        """Whether the station is listed."""
        return station_id in self.station_ids


Area = Box | Circle | Listed
