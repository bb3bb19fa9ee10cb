"""CAMS in place of observations, where there are no stations; the source is named `cams_model`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.tables import FetchedObservations, Stations, Weather, conform
from hazecast.sources.open_meteo.api import OpenMeteo
from hazecast.sources.open_meteo.cams import ATTRIBUTION, LICENCE, hourly_means, is_in_europe

# An hour's value is final, as far as it ever is, once the run that starts within the day is out.
KNOWN_AFTER = 12 * HOUR


class Spot(NamedTuple):
    """Where a station would stand."""

    station_id: str
    name: str
    latitude: float
    longitude: float


class OpenMeteoSource:
    """Hourly CAMS values at chosen points, labelled as model data.

    Args:
        api: the Open-Meteo client.
        spots: where.
        timezone: IANA name.
        pollutants: which of the six.
    """

    name = "cams_model"
    simulated = False

    def __init__(self, api: OpenMeteo, *, spots: Sequence[Spot], timezone: str, pollutants: Sequence[str]) -> None:
        self._api, self._spots, self._timezone, self._pollutants = api, tuple(spots), timezone, tuple(pollutants)

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """None: up to now, as far back as CAMS goes."""
        return None

    def fetch_stations(self) -> pl.DataFrame:
        """One row per point; no request is made."""
        described = {
            "timezone": self._timezone,
            "source": self.name,
            "attribution": f"Model data, not measured. {ATTRIBUTION}",
            "licence": LICENCE,
        }
        rows = pl.DataFrame(self._spots, schema=list(Spot._fields), orient="row")
        return conform(Stations, rows.with_columns(pl.lit(value).alias(key) for key, value in described.items()))

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Hourly means of the model that start in [since, until) [µg/m³]."""
        if since >= until:
            return FetchedObservations.create_empty()
        points = self.fetch_stations()
        covered = all(is_in_europe(spot.latitude, spot.longitude) for spot in self._spots)
        domain = "cams_europe" if covered else "cams_global"
        last = (until + timedelta(hours=1)).date()
        rows = hourly_means(self._api, points, domain=domain, first=since.date(), last=last)
        wanted = rows.filter(
            pl.col("at").is_between(since, until, closed="left"), pl.col("pollutant").is_in(self._pollutants)
        ).rename({"at": "observed_at"})
        known = pl.col("observed_at") + KNOWN_AFTER
        return conform(FetchedObservations, wanted.with_columns(source=pl.lit(self.name), available_at=known))

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:  # noqa: ARG002 - as all sources
        """None of its own; the weather of a place comes from its weather model."""
        return Weather.create_empty()
