"""OpenAQ as a source."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.tables import FetchedObservations, Stations, Weather, conform
from hazecast.errors import SourceRefused
from hazecast.sources.area import Area, Box, Circle, Listed
from hazecast.sources.http import HttpClient
from hazecast.sources.openaq.api import RAW, Location, OpenAQApi
from hazecast.sources.openaq.archive import COMPLETE_AFTER, OpenAQArchive
from hazecast.sources.openaq.hours import hourly_means, unit_of

BASE_URL = "https://api.openaq.org/v3"
ARCHIVE_URL = "https://openaq-data-archive.s3.amazonaws.com"
# Networks differ; most hourly values are there within the next hour.
PUBLISHED_AFTER = HOUR
WINDOW = timedelta(days=30)
LONGEST_SILENCE = timedelta(days=365)

log = logging.getLogger(__name__)


class OpenAQSource:
    """Fixed reference-grade stations of public networks.

    Low-cost sensors, and stations that have been silent for a year, come only where they are listed by id.

    Hours of the last five days come from the API, older ones from the public archive, a file per station and day.
    Values are taken raw and averaged to UTC hours in µg/m³ (`hourly_means`). A sensor in a unit that means nothing for
    its pollutant is left out with a warning.

    Args:
        client: the HTTP client.
        api_key: of the user; empty: refused when first needed.
        area: which stations; ids are OpenAQ's location ids.
        pollutants: which of the six.
        base_url: the API, version included.
        archive_url: the archive.
    """

    name = "openaq"
    simulated = False

    def __init__(
        self,
        client: HttpClient,
        *,
        api_key: str,
        area: Area,
        pollutants: Sequence[str] = POLLUTANTS,
        base_url: str = BASE_URL,
        archive_url: str = ARCHIVE_URL,
    ) -> None:
        self._api = OpenAQApi(client, base_url, api_key)
        self._archive = OpenAQArchive(client, archive_url)
        self._client, self._area, self._pollutants = client, area, pollutants

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """None: any requested span up to now."""
        return None

    def fetch_stations(self) -> pl.DataFrame:
        """One row per station of the area that measures a requested pollutant."""
        rows = [
            {
                "station_id": f"{self.name}-{location.location_id}",
                "name": location.name,
                "latitude": location.latitude,
                "longitude": location.longitude,
                "timezone": location.timezone,
                "source": self.name,
                "attribution": f"{location.credit}, via OpenAQ; licence {location.licence}",
                "licence": location.licence,
            }
            for location in self._locations()
        ]
        return conform(Stations, pl.DataFrame(rows))

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Hourly means [µg/m³] that start in [since, until), with `flag_reasons`: "reported" where OpenAQ flags all."""
        locations, archived_until = self._locations(), floor_hour(self._client.now() - COMPLETE_AFTER)
        raw = pl.concat(
            [
                self._from_archive(locations, since, min(until, archived_until)),
                self._from_api(locations, max(since, archived_until), until),
            ]
        )
        hours = hourly_means(self._in_known_units(raw)).filter(
            pl.col("observed_at").is_between(since, until, closed="left")
        )
        rows = conform(
            FetchedObservations,
            hours.select(
                station_id=pl.lit(f"{self.name}-") + pl.col("station_id"),
                pollutant="pollutant",
                observed_at="observed_at",
                concentration_ugm3="concentration_ugm3",
                source=pl.lit(self.name),
                available_at=pl.col("ends_at") + PUBLISHED_AFTER,
            ),
        )
        return rows.with_columns(hours["flag_reasons"])

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:  # noqa: ARG002
        """Empty: networks report air quality here."""
        return Weather.create_empty()

    def _locations(self) -> list[Location]:
        found = [
            location
            for location in self._matching()
            if self._area.contains(str(location.location_id), location.latitude, location.longitude)
            and (isinstance(self._area, Listed) or self._is_active_reference(location))
            and any(sensor.parameter in self._pollutants for sensor in location.sensors)
        ]
        if not found:
            raise SourceRefused(
                f"openaq: no reference station that measures {', '.join(self._pollutants)} in {self._area}; "
                "widen the area, or list the ids of low-cost sensors"
            )
        return found

    def _is_active_reference(self, location: Location) -> bool:
        alive = location.last is None or location.last > self._client.now() - LONGEST_SILENCE
        return location.is_reference and alive

    def _matching(self) -> list[Location]:
        area = self._area
        if isinstance(area, Listed):
            return [location for location_id in area.station_ids for location in self._api.location(location_id)]
        if isinstance(area, Circle):
            near = {"coordinates": f"{area.latitude},{area.longitude}", "radius": str(round(area.radius_km * 1000))}
            return self._api.locations(near)
        assert isinstance(area, Box)
        return self._api.locations({"bbox": f"{area.west},{area.south},{area.east},{area.north}"})

    def _from_archive(self, locations: list[Location], since: datetime, until: datetime) -> pl.DataFrame:
        days = [
            self._archive.measurements(location, since, until + HOUR)
            for location in locations
            if since < until and _active(location, since, until)
        ]
        return pl.concat([pl.DataFrame(schema=RAW), *days])

    def _from_api(self, locations: list[Location], since: datetime, until: datetime) -> pl.DataFrame:
        """Periods end up to an hour after the hour they start in."""
        parts = [pl.DataFrame(schema=RAW)]
        for location in locations:
            for sensor in location.sensors:
                if sensor.parameter in self._pollutants and _active(location, since, until):
                    parts += [self._api.measurements(location, sensor, *window) for window in _windows(since, until)]
        return pl.concat(parts)

    def _in_known_units(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Rows of the requested pollutants in units that mean something for them."""
        wanted = raw.filter(pl.col("parameter").is_in(list(self._pollutants))).rename({"parameter": "pollutant"})
        kinds = wanted.select("sensor_id", "pollutant", "units").unique().sort("sensor_id").rows()
        strange = [kind for kind in kinds if unit_of(kind[1], kind[2]) is None]
        for sensor_id, pollutant, units in strange:
            log.warning("openaq: sensor %s gives %s in %s, which is left out", sensor_id, pollutant, units)
        return wanted.filter(~pl.col("sensor_id").is_in([sensor_id for sensor_id, _, _ in strange]))


def _active(location: Location, since: datetime, until: datetime) -> bool:
    """Whether the station may have reported hours that start in [since, until)."""
    began = location.first is None or location.first <= until + HOUR
    return began and (location.last is None or location.last > since)


def _windows(since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    starts = []
    while since < until:
        starts.append((since, min(since + WINDOW, until) + HOUR))
        since += WINDOW
    return starts
