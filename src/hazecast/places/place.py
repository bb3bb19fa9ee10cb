"""Schema of a place file."""

import re
from functools import cache
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hazecast.air.indices import INDICES
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import DEFAULT_HORIZON_HOURS, ForecastSpec

BackgroundName = Literal["cams_europe", "cams_global", "silam"]

# OpenAQ searches no wider.
WIDEST_RADIUS_KM = 25.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class Area(_Part):
    """A circle: centre [degrees, WGS84] and radius [km]."""

    latitude: Latitude
    longitude: Longitude
    radius_km: float = Field(gt=0, le=WIDEST_RADIUS_KM)


class Box(_Part):
    """A rectangle [degrees, WGS84]."""

    west: Longitude
    south: Latitude
    east: Longitude
    north: Latitude

    @model_validator(mode="after")
    def _right_way_round(self) -> Self:
        if self.west >= self.east or self.south >= self.north:
            raise ValueError("west must be less than east and south less than north")
        return self


class Point(_Part):
    """A spot for which model data stand in for a station."""

    station_id: str = Field(min_length=1)
    name: str
    latitude: Latitude
    longitude: Longitude


class FmiObservations(_Part):
    """Stations of the Finnish Meteorological Institute: those listed (fmisid), or all in a box."""

    source: Literal["fmi"] = "fmi"
    stations: tuple[str, ...] = ()
    box: Box | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if bool(self.stations) == (self.box is not None):
            raise ValueError("name either `stations` or a `box`")
        return self


class OpenAQObservations(_Part):
    """Stations of OpenAQ: the locations listed, or all near a point or in a box."""

    source: Literal["openaq"] = "openaq"
    stations: tuple[int, ...] = ()
    near: Area | None = None
    box: Box | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if [bool(self.stations), self.near is not None, self.box is not None].count(True) != 1:
            raise ValueError("name either `stations`, `near` or a `box`")
        return self


class OpenMeteoObservations(_Part):
    """No instruments: CAMS model data at chosen points stand in for stations, and are labelled so."""

    source: Literal["open_meteo"] = "open_meteo"
    points: tuple[Point, ...] = Field(min_length=1)


Observing = Annotated[FmiObservations | OpenAQObservations | OpenMeteoObservations, Field(discriminator="source")]


class WeatherChoice(_Part):
    """Which weather model; pinned, because a model trained on one should not be served by another."""

    source: Literal["open_meteo"] = "open_meteo"
    model: str = "ecmwf_ifs025"


class Place(_Part):
    """One place: what is observed where, what weather and background belong to it, by which clock and index."""

    place: str
    title: str
    timezone: str
    index: str
    pollutants: tuple[Pollutant, ...] = Field(min_length=1)
    observations: Observing
    weather: WeatherChoice = WeatherChoice()
    background: tuple[BackgroundName, ...] = ()
    horizon_hours: int = DEFAULT_HORIZON_HOURS

    @field_validator("horizon_hours")
    @classmethod
    def _horizon_is_supported(cls, hours: int) -> int:
        return ForecastSpec(hours).horizon_hours

    @field_validator("place")
    @classmethod
    def _fit_for_a_folder(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("use small letters, digits and hyphens, as in los-angeles")
        return name

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in _zones():
            raise ValueError(f"{name!r} is not an IANA zone such as Europe/Helsinki")
        return name

    @field_validator("index")
    @classmethod
    def _known_index(cls, name: str) -> str:
        if name not in INDICES:
            raise ValueError(f"{name!r} is not one of {', '.join(INDICES)}")
        return name

    @property
    def needs_openaq_key(self) -> bool:
        """Whether nothing can be observed here without a key."""
        return isinstance(self.observations, OpenAQObservations)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
