"""Finland: hourly air quality and weather from the open data service of the Finnish Meteorological Institute."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from hazecast.air.pollutants import POLLUTANTS
from hazecast.sources.area import Area, Box, Circle
from hazecast.sources.fmi.source import FmiSource
from hazecast.sources.provider import NetworkConfig, Provider, Services, area_of

__all__ = ["PROVIDER", "FmiObservations", "FmiSource"]

FINLAND = Box(west=19.0, south=59.5, east=31.6, north=70.1)


class FmiObservations(NetworkConfig):
    """Stations of the Finnish Meteorological Institute: those listed (fmisid), or all in a box."""

    source: Literal["fmi"] = "fmi"
    stations: tuple[str, ...] = ()
    box: Box | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if bool(self.stations) == (self.box is not None):
            raise ValueError("name either `stations` or a `box`")
        return self


def _source(services: Services, area: Area, pollutants: Sequence[str]) -> FmiSource:
    return FmiSource(services.client, area=area, pollutants=pollutants, base_url=services.setting("fmi_url"))


def _discover(services: Services, area: Circle) -> FmiObservations | None:
    if not FINLAND.contains("", area.latitude, area.longitude):
        return None
    ids = _source(services, area, POLLUTANTS).fetch_stations()["station_id"]
    return FmiObservations(stations=tuple(ids.str.strip_prefix("fmi-")))


PROVIDER = Provider(
    name="fmi",
    title="FMI",
    config=FmiObservations,
    build=lambda services, config, pollutants, _: _source(services, area_of(config.stations, config.box), pollutants),
    discover=_discover,
)
