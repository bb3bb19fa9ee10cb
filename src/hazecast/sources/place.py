"""The sources of one place joined to one: stations and observations from a network, weather from a model."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

import polars as pl

from hazecast.air.distance import without_null_island
from hazecast.air.tables import Weather, conform
from hazecast.sources import Source
from hazecast.sources.open_meteo import OpenMeteoWeather
from hazecast.sources.open_meteo.weather import ATTRIBUTION


class PlaceSource:
    """What the network of a place observes, with the weather its stations are forecast.

    Where the network observes weather itself, that is the observed weather; the model's analysis fills in for stations
    and hours without. Its stations are fetched once.

    Args:
        network: source of the observations; the joined source has its name.
        weather: source of the weather.
        credits: further credit lines, appended to each station's attribution after that of the weather.
    """

    name = "place"
    simulated = False

    def __init__(self, network: Source, weather: OpenMeteoWeather, *, credits: Sequence[str] = ()) -> None:
        self.name = network.name
        self._network, self._weather, self._credits = network, weather, (ATTRIBUTION, *credits)

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """Span of the network."""
        return self._network.fetch_span()

    def fetch_stations(self) -> pl.DataFrame:
        """The network's stations, credited with the weather and the background models."""
        return self._stations

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """The network's observations."""
        return self._network.fetch_observations(since=since, until=until)

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Weather observed or analysed in the hours in [since, until) and every forecast issued in it."""
        observed = self._network.fetch_weather(since=since, until=until)
        modelled = self._weather.at(self._stations, since=since, until=until)
        key = ["station_id", "valid_at", "issued_at"]
        return conform(Weather, pl.concat([observed, modelled.join(observed, on=key, how="anti", nulls_equal=True)]))

    @cached_property
    def _stations(self) -> pl.DataFrame:
        parts = [pl.col("attribution"), *map(pl.lit, self._credits)]
        return without_null_island(self._network.fetch_stations()).with_columns(
            attribution=pl.concat_str(parts, separator=". ")
        )
