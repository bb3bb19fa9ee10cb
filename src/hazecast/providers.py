"""Builds the sources that a place file names, from the registry of providers and the settings."""

from pathlib import Path

from pydantic import SecretStr

from hazecast.air.spec import ForecastSpec
from hazecast.places import SHIPPED, Place, find_place, list_places
from hazecast.settings import Settings
from hazecast.sources import BackgroundModel, Source
from hazecast.sources.http import HttpClient
from hazecast.sources.open_meteo import OpenMeteo, OpenMeteoWeather, client_of
from hazecast.sources.place import PlaceSource
from hazecast.sources.provider import Services
from hazecast.sources.registry import BACKGROUNDS, PROVIDERS


class Providers:
    """Sources and background models, as the settings configure them.

    Args:
        settings: addresses and keys.
        client: the shared HTTP client.
    """

    def __init__(self, settings: Settings, client: HttpClient) -> None:
        self.services = Services(client, lambda name: _plain(getattr(settings, name)))

    @property
    def open_meteo(self) -> OpenMeteo:
        """Open-Meteo, the public service or a self-hosted one."""
        return client_of(self.services)

    def source(self, place: Place, spec: ForecastSpec) -> Source:
        """Observations of `place`, and weather that reaches the horizon of `spec`."""
        weather = OpenMeteoWeather(self.open_meteo, place.weather.model, spec.horizon_hours)
        credits = dict.fromkeys(model.attribution for model in self.backgrounds(place))
        return PlaceSource(self.network(place), weather, credits=tuple(credits))

    def network(self, place: Place) -> Source:
        """Observations of `place`."""
        provider = PROVIDERS[place.observations.source]
        assert provider.build is not None
        pollutants = [pollutant.value for pollutant in place.pollutants]
        return provider.build(self.services, place.observations, pollutants, place.timezone)

    def backgrounds(self, place: Place) -> tuple[BackgroundModel, ...]:
        """The background models to archive for `place`."""
        return tuple(BACKGROUNDS[name].build(self.services) for name in place.background)


def place_folders(settings: Settings) -> list[Path]:
    """Where place files lie: the user's own folder first, then those shipped."""
    return [settings.config, SHIPPED]


def chosen_place(settings: Settings) -> Place | None:
    """The live place that is chosen; None: simulated data or a dataset folder.

    Raises:
        NotKnown: there is no place of that name.
        SettingsError: its file is malformed.
    """
    if settings.source != "auto" or settings.place in ("", "simulated"):
        return None
    return find_place(settings.place, place_folders(settings))


def known_places(settings: Settings) -> list[Place]:
    """Every place that can be chosen."""
    return list_places(place_folders(settings))


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
