"""A new place from what the services offer around a point."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from hazecast.air.pollutants import Pollutant
from hazecast.errors import SourceError, SourceRefused
from hazecast.places import (
    BackgroundName,
    FmiObservations,
    Observing,
    OpenAQObservations,
    OpenMeteoObservations,
    Place,
    Point,
)
from hazecast.providers import Providers
from hazecast.sources.area import Box, Circle
from hazecast.sources.open_meteo import is_in_europe

FINLAND = Box(west=19.0, south=59.5, east=31.6, north=70.1)
Measured = FmiObservations | OpenAQObservations
_INDEX_OF_COUNTRY = {
    "CA": "ca-aqhi",
    "CN": "cn-hj633-2026",
    "FI": "fi-hsy",
    "GB": "uk-daqi",
    "IN": "in-naqi",
    "US": "us-epa",
}


@dataclass(frozen=True)
class Discovery:
    """A place that would work, and how it was come by, as lines for people."""

    place: Place
    told: tuple[str, ...]


def discover(providers: Providers, area: Circle, *, name: str) -> Discovery:
    """The best that can be had in `area`: measured by FMI or OpenAQ, else CAMS at its centre.

    Raises:
        SourceError: Open-Meteo, without which there is no weather, does not answer.
    """
    timezone = providers.open_meteo.timezone_at(area.latitude, area.longitude)
    observing, told = _observing(providers, area, name)
    place = Place(
        place=name,
        title=name.replace("-", " ").title() + (" (model data)" if observing.source == "open_meteo" else ""),
        timezone=timezone,
        index=index_of(timezone),
        pollutants=tuple(Pollutant),
        observations=observing,
        background=_backgrounds(area),
    )
    return Discovery(place, told)


def index_of(timezone: str) -> str:
    """The index people of that zone know: their country's own, the European one, else the American, widely copied."""
    country = _country_of(timezone)
    return _INDEX_OF_COUNTRY.get(country, "eu-eaqi" if timezone.startswith("Europe/") else "us-epa")


def _observing(providers: Providers, area: Circle, name: str) -> tuple[Observing, tuple[str, ...]]:
    told = []
    networks: dict[str, Callable[[Providers, Circle], Measured]] = {"FMI": _fmi, "OpenAQ": _openaq}
    if not FINLAND.contains("", area.latitude, area.longitude):
        del networks["FMI"]
    for network, ask in networks.items():
        try:
            found = ask(providers, area)
        except SourceError as err:
            told.append(f"{network}: {err}")
            continue
        return found, (*told, f"{network}: {len(found.stations)} stations")
    point = Point(station_id=f"{name}-centre", name="Centre", latitude=area.latitude, longitude=area.longitude)
    told.append("no station found: CAMS model data at the centre stand in, and are labelled so")
    return OpenMeteoObservations(points=(point,)), tuple(told)


def _fmi(providers: Providers, area: Circle) -> FmiObservations:
    ids = providers.fmi(area, list(Pollutant)).fetch_stations()["station_id"]
    return FmiObservations(stations=tuple(ids.str.strip_prefix("fmi-")))


def _openaq(providers: Providers, area: Circle) -> OpenAQObservations:
    ids = providers.openaq(area, list(Pollutant)).fetch_stations()["station_id"]
    if ids.is_empty():
        raise SourceRefused(f"no station in {area}")
    return OpenAQObservations(stations=tuple(int(number) for number in ids.str.strip_prefix("openaq-")))


def _backgrounds(area: Circle) -> tuple[BackgroundName, ...]:
    if is_in_europe(area.latitude, area.longitude):
        return ("cams_europe", "cams_global", "silam")
    return ("cams_global",)


def _country_of(timezone: str) -> str:
    """ISO 3166 code of the zone's country, by the tz database; empty where it has none."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return next((row[0] for row in rows if row[2] == timezone), "")
