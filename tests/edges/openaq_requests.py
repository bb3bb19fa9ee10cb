"""Asking the OpenAQ server, and what must come of it."""

from datetime import UTC, datetime, timedelta

import polars as pl
from servers.clock import Clock
from servers.openaq import KEY, OpenAQServer
from servers.openaq_stations import Station, raw_truth

from hazecast.sources.area import Area, Circle
from hazecast.sources.http import HttpClient, RetryPolicy
from hazecast.sources.openaq import OpenAQSource

NOW = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
UGM3 = {  # of one unit, at 20 °C where it is a mixing ratio (rounded factors of the conversion tables)
    ("o3", "ppm"): 1995.3,
    ("no2", "ppm"): 1912.5,
    ("co", "ppm"): 1164.4,
    ("so2", "ppb"): 2.6632,
    ("co", "mg/m³"): 1000.0,
}


def client_at(clock: Clock) -> HttpClient:
    return HttpClient(retry_policy=RetryPolicy(attempts=2, backoff_seconds=0.001), clock=clock, sleep=clock.sleep)


def source_at(server: OpenAQServer, client: HttpClient, area: Area | Station, **kwargs: object) -> OpenAQSource:
    where = Circle(area.latitude, area.longitude, 20) if isinstance(area, Station) else area
    arguments = {"api_key": KEY, "base_url": server.base_url, "archive_url": server.url, **kwargs}
    return OpenAQSource(client, area=where, **arguments)


def rows_of(frame: pl.DataFrame) -> dict[tuple[str, str, datetime], float]:
    return {(row[0], row[1], row[2]): row[3] for row in frame.iter_rows()}


def expected(station: Station, since: datetime, until: datetime) -> dict[tuple[str, str, datetime], float]:
    """Hour by hour, from the periods that start in it: the long way round."""
    values = {}
    for number in range((until - since) // HOUR):
        hour = since + number * HOUR
        offset = station.zone.utcoffset(hour.replace(tzinfo=None)) % HOUR
        starts = [hour + timedelta(minutes=minute) for minute in range(60)]
        starts = [s for s in starts if (s + offset).minute % station.step == 0]
        for sensor in station.sensors:
            if sensor.parameter in ("pm25", "pm10", "no2", "o3", "so2", "co"):
                mean = sum(raw_truth(sensor, start) for start in starts) / len(starts)
                key = (f"openaq-{station.location_id}", sensor.parameter, hour)
                values[key] = mean * UGM3.get((sensor.parameter, sensor.units), 1.0)
    return values
