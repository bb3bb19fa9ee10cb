"""Open-Meteo: weather forecasts as they were issued, and CAMS air quality as what it is, a model."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hazecast.sources.area import Latitude, Longitude
from hazecast.sources.open_meteo.api import PUBLIC_URL, OpenMeteo
from hazecast.sources.open_meteo.cams import CamsForecast, is_in_europe
from hazecast.sources.open_meteo.source import OpenMeteoSource, Spot
from hazecast.sources.open_meteo.weather import OpenMeteoWeather
from hazecast.sources.provider import Background, NetworkConfig, Provider, Services

__all__ = [
    "PROVIDER",
    "PUBLIC_URL",
    "CamsForecast",
    "OpenMeteo",
    "OpenMeteoObservations",
    "OpenMeteoSource",
    "OpenMeteoWeather",
    "Point",
    "client_of",
    "is_in_europe",
]


class Point(BaseModel):
    """A spot where model data substitute for a station."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    station_id: str = Field(min_length=1)
    name: str
    latitude: Latitude
    longitude: Longitude


class OpenMeteoObservations(NetworkConfig):
    """No instruments: CAMS model data at chosen points substitute for stations, and are labelled so."""

    source: Literal["open_meteo"] = "open_meteo"
    points: tuple[Point, ...] = Field(min_length=1)


def client_of(services: Services) -> OpenMeteo:
    """Open-Meteo, the public service or a self-hosted one."""
    return OpenMeteo(
        services.client, url=services.setting("open_meteo_url"), api_key=services.setting("open_meteo_api_key")
    )


def _build(
    services: Services, config: OpenMeteoObservations, pollutants: Sequence[str], timezone: str
) -> OpenMeteoSource:
    spots = [Spot(**point.model_dump()) for point in config.points]
    return OpenMeteoSource(client_of(services), spots=spots, timezone=timezone, pollutants=pollutants)


def _cams(domain: str, services: Services) -> CamsForecast:
    return CamsForecast(client_of(services), domain)


PROVIDER = Provider(
    name="open_meteo",
    title="CAMS model data",
    config=OpenMeteoObservations,
    build=_build,
    backgrounds={
        "cams_europe": Background(build=partial(_cams, "cams_europe"), covers=is_in_europe),
        "cams_global": Background(build=partial(_cams, "cams_global")),
    },
)
