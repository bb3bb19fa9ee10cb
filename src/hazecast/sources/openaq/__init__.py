"""OpenAQ: public networks of the world, gathered by openaq.org."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from hazecast.air.pollutants import POLLUTANTS
from hazecast.errors import SourceRefused
from hazecast.sources.area import Area, Box, Circle
from hazecast.sources.openaq.source import OpenAQSource
from hazecast.sources.provider import NetworkConfig, Provider, Services, area_of

__all__ = ["PROVIDER", "OpenAQObservations", "OpenAQSource"]


class OpenAQObservations(NetworkConfig):
    """Stations of OpenAQ: the locations listed, or all near a point or in a box."""

    source: Literal["openaq"] = "openaq"
    stations: tuple[int, ...] = ()
    near: Circle | None = None
    box: Box | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if [bool(self.stations), self.near is not None, self.box is not None].count(True) != 1:
            raise ValueError("name either `stations`, `near` or a `box`")
        return self


def _source(services: Services, area: Area, pollutants: Sequence[str]) -> OpenAQSource:
    return OpenAQSource(
        services.client,
        api_key=services.setting("openaq_api_key"),
        area=area,
        pollutants=pollutants,
        base_url=services.setting("openaq_url"),
        archive_url=services.setting("openaq_archive_url"),
    )


def _discover(services: Services, area: Circle) -> OpenAQObservations:
    ids = _source(services, area, POLLUTANTS).fetch_stations()["station_id"]
    if ids.is_empty():
        raise SourceRefused(f"no station in {area}")
    return OpenAQObservations(stations=tuple(int(number) for number in ids.str.strip_prefix("openaq-")))


PROVIDER = Provider(
    name="openaq",
    title="OpenAQ",
    config=OpenAQObservations,
    build=lambda services, config, pollutants, _: _source(
        services, area_of(config.stations, config.near, config.box), pollutants
    ),
    key_setting="openaq_api_key",
    discover=_discover,
)
