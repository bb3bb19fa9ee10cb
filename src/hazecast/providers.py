"""What a place file names becomes parts that ask the network."""

from pathlib import Path

from hazecast.places import (
    SHIPPED,
    FmiObservations,
    OpenAQObservations,
    OpenMeteoObservations,
    Place,
    find_place,
    list_places,
)
from hazecast.settings import Settings
from hazecast.sources import BackgroundModel, Source
from hazecast.sources.area import Area, Box, Circle, Listed
from hazecast.sources.fmi import FmiSource
from hazecast.sources.http import HttpClient
from hazecast.sources.open_meteo import CamsForecast, OpenMeteo, OpenMeteoSource, OpenMeteoWeather
from hazecast.sources.open_meteo.source import Spot
from hazecast.sources.openaq import OpenAQSource
from hazecast.sources.place import PlaceSource
from hazecast.sources.silam import SilamForecast


class Providers:
    """The services of the network, as the settings have them.

    Args:
        settings: addresses and keys.
        client: asks.
    """

    def __init__(self, settings: Settings, client: HttpClient) -> None:
        self._settings, self._client = settings, client

    @property
    def open_meteo(self) -> OpenMeteo:
        """Open-Meteo, the public one or another."""
        key = self._settings.open_meteo_api_key.get_secret_value()
        return OpenMeteo(self._client, url=self._settings.open_meteo_url, api_key=key)

    def source(self, place: Place) -> Source:
        """Observations and weather of `place`."""
        weather = OpenMeteoWeather(self.open_meteo, place.weather.model)
        credits = dict.fromkeys(model.attribution for model in self.backgrounds(place))
        return PlaceSource(self.network(place), weather, credits=tuple(credits))

    def network(self, place: Place) -> Source:
        """Who observes at `place`."""
        pollutants = [pollutant.value for pollutant in place.pollutants]
        chosen = place.observations
        if isinstance(chosen, OpenMeteoObservations):
            spots = [Spot(**point.model_dump()) for point in chosen.points]
            return OpenMeteoSource(self.open_meteo, spots=spots, timezone=place.timezone, pollutants=pollutants)
        if isinstance(chosen, FmiObservations):
            return self.fmi(_area(chosen), pollutants)
        return self.openaq(_area(chosen), pollutants)

    def fmi(self, area: Area, pollutants: list[str]) -> Source:
        """Finnish stations in `area`."""
        return FmiSource(self._client, area=area, pollutants=pollutants, base_url=self._settings.fmi_url)

    def openaq(self, area: Area, pollutants: list[str]) -> Source:
        """OpenAQ's stations in `area`; without a key it refuses when first asked."""
        return OpenAQSource(
            self._client,
            api_key=self._settings.openaq_api_key.get_secret_value(),
            area=area,
            pollutants=pollutants,
            base_url=self._settings.openaq_url,
            archive_url=self._settings.openaq_archive_url,
        )

    def backgrounds(self, place: Place) -> tuple[BackgroundModel, ...]:
        """The physics models to archive for `place`."""
        return tuple(
            SilamForecast(self._client, url=self._settings.fmi_url)
            if name == "silam"
            else CamsForecast(self.open_meteo, name)
            for name in place.background
        )


def place_folders(settings: Settings) -> list[Path]:
    """Where place files lie: one's own folder first, then those shipped."""
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


def _area(chosen: FmiObservations | OpenAQObservations) -> Area:
    if chosen.stations:
        return Listed(tuple(str(station) for station in chosen.stations))
    if chosen.box is not None:
        return Box(**chosen.box.model_dump())
    assert isinstance(chosen, OpenAQObservations) and chosen.near is not None
    return Circle(**chosen.near.model_dump())
