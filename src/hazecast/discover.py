"""A new place from what the services offer around a point."""

from dataclasses import dataclass
from importlib.resources import files

from hazecast.air.pollutants import Pollutant
from hazecast.errors import SourceError
from hazecast.places import Place
from hazecast.providers import Providers
from hazecast.sources.area import Circle
from hazecast.sources.open_meteo import OpenMeteoObservations, Point
from hazecast.sources.provider import NetworkConfig
from hazecast.sources.registry import BACKGROUNDS, PROVIDERS

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
    """A place that would work, and how it was found, as lines for people."""

    place: Place
    messages: tuple[str, ...]


def discover(providers: Providers, area: Circle, *, name: str) -> Discovery:
    """The best network in `area`, in the order of the registry; else CAMS model data at its centre.

    Raises:
        SourceError: Open-Meteo, without which there is no weather, does not answer.
    """
    timezone = providers.open_meteo.timezone_at(area.latitude, area.longitude)
    observing, messages = _observing(providers, area, name)
    place = Place(
        place=name,
        title=name.replace("-", " ").title() + (" (model data)" if observing.source == "open_meteo" else ""),
        timezone=timezone,
        index=index_of(timezone),
        pollutants=tuple(Pollutant),
        observations=observing,
        background=tuple(name for name, offer in BACKGROUNDS.items() if offer.covers(area.latitude, area.longitude)),
    )
    return Discovery(place, messages)


def index_of(timezone: str) -> str:
    """The index people of that zone know: their country's own, the European one, else the American, widely copied."""
    country = _country_of(timezone)
    return _INDEX_OF_COUNTRY.get(country, "eu-eaqi" if timezone.startswith("Europe/") else "us-epa")


def _observing(providers: Providers, area: Circle, name: str) -> tuple[NetworkConfig, tuple[str, ...]]:
    messages = []
    for provider in PROVIDERS.values():
        try:
            found = provider.discover(providers.services, area) if provider.discover else None
        except SourceError as err:
            messages.append(f"{provider.title}: {err}")
            continue
        if found is not None:
            return found, (*messages, f"{provider.title}: {found.n_stations} stations")
    point = Point(station_id=f"{name}-centre", name="Centre", latitude=area.latitude, longitude=area.longitude)
    messages.append("no station found: using CAMS model data at the centre, labelled as model data")
    return OpenMeteoObservations(points=(point,)), tuple(messages)


def _country_of(timezone: str) -> str:
    """ISO 3166 code of the zone's country, by the tz database; empty where it has none."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return next((row[0] for row in rows if row[2] == timezone), "")
