"""FMI as a source."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR, as_iso
from hazecast.air.distance import distance_km
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.tables import WEATHER_VARIABLES, FetchedObservations, Stations, Weather, conform
from hazecast.errors import SourceRefused
from hazecast.sources.area import Area
from hazecast.sources.fmi.wfs import FMI, NO_ROWS, FmiStation, read_coverage, read_stations
from hazecast.sources.http import HttpClient, Request

BASE_URL = "https://opendata.fmi.fi/wfs"
LICENCE = "CC BY 4.0"
ATTRIBUTION = f"Municipalities and the Finnish Meteorological Institute, FMI open data, {LICENCE}"
TIMEZONE = "Europe/Helsinki"
AIR_QUALITY, AUTOMATIC_WEATHER = "151", "121"  # networks of the registry
LONGEST = timedelta(hours=168)
# An hour's mean is seen up to forty minutes after the hour.
PUBLISHED_AFTER = timedelta(minutes=40)
NEAR_KM = 25.0
# CO in clean air is 80 µg/m³ and more, in a polluted street below 20 mg/m³: the magnitude identifies the unit.
HIGHEST_CO_MGM3 = 20.0

_PARAMETERS = {
    "PM25_PT1H_avg": "pm25",
    "PM10_PT1H_avg": "pm10",
    "NO2_PT1H_avg": "no2",
    "O3_PT1H_avg": "o3",
    "SO2_PT1H_avg": "so2",
    "CO_PT1H_avg": "co",
}
_WEATHER = {
    "TA_PT1H_AVG": "temperature_c",
    "PA_PT1H_AVG": "pressure_hpa",
    "PRA_PT1H_ACC": "precipitation_mm",
    "WD_PT1H_AVG": "wind_direction_deg",
    "WS_PT1H_AVG": "wind_speed_ms",
    "RH_PT1H_AVG": "relative_humidity_pct",
}


class FmiSource:
    """Stations of Finnish municipalities and FMI: hourly means as published, and the weather at the nearest station.

    FMI labels an hour by its end, UTC; the rows are named by its start. Gases are µg/m³ at 20 °C, as EU law has it;
    the service does not state whether carbon monoxide is in µg/m³ or mg/m³; its magnitude decides. No key is needed.

    Args:
        client: the HTTP client.
        area: which stations; ids are FMI's `fmisid`.
        pollutants: which of the six.
        base_url: the WFS endpoint.
    """

    name = "fmi"
    simulated = False

    def __init__(
        self, client: HttpClient, *, area: Area, pollutants: Sequence[str] = POLLUTANTS, base_url: str = BASE_URL
    ) -> None:
        self._client, self._area, self._base_url = client, area, base_url
        self._wanted = {name: pollutant for name, pollutant in _PARAMETERS.items() if pollutant in pollutants}

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """None: any requested span up to now."""
        return None

    def fetch_stations(self) -> pl.DataFrame:
        """One row per station of the area that measures air quality."""
        rows = [
            {
                "station_id": f"{self.name}-{station.fmisid}",
                "name": station.name,
                "latitude": station.latitude,
                "longitude": station.longitude,
            }
            for station in self._stations()
        ]
        described = {"timezone": TIMEZONE, "source": self.name, "attribution": ATTRIBUTION, "licence": LICENCE}
        return conform(
            Stations, pl.DataFrame(rows).with_columns(pl.lit(value).alias(key) for key, value in described.items())
        )

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Hourly means [µg/m³] that start in [since, until), requested a week at a time."""
        fmisids = [station.fmisid for station in self._stations()]
        rows = self._coverage("urban::observations::airquality::hourly::multipointcoverage", fmisids, since, until)
        return conform(FetchedObservations, self._observations(rows))

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observed weather of the hours in [since, until) at the weather station nearest to each, within 25 km."""
        nearest = self._nearest_weather()
        if not nearest:
            return Weather.create_empty()
        fmisids = sorted(set(nearest.values()))
        rows = self._coverage("fmi::observations::weather::hourly::multipointcoverage", fmisids, since, until)
        return conform(Weather, self._weather(rows, nearest))

    def _stations(self) -> list[FmiStation]:
        stations = [
            station
            for station in self._network(AIR_QUALITY)
            if self._area.contains(station.fmisid, station.latitude, station.longitude)
        ]
        if not stations:
            raise SourceRefused(f"fmi: no air-quality station in {self._area}; widen the area or check the ids")
        return stations

    def _nearest_weather(self) -> dict[str, str]:
        """Weather station nearest to each air-quality station, by fmisid; absent where none is near."""
        candidates = self._network(AUTOMATIC_WEATHER)
        nearest = {}
        for station in self._stations():
            distances = {
                other.fmisid: distance_km((station.latitude, station.longitude), (other.latitude, other.longitude))
                for other in candidates
            }
            closest = min(distances, key=distances.__getitem__, default=None)
            if closest is not None and distances[closest] <= NEAR_KM:
                nearest[station.fmisid] = closest
        return nearest

    def _network(self, network: str) -> list[FmiStation]:
        return self._client.get(FMI, self._request("fmi::ef::stations", networkid=network), read_stations)

    def _coverage(self, query: str, fmisids: list[str], since: datetime, until: datetime) -> pl.DataFrame:
        """Rows of the hours in [since, until), week by week; the service takes labels, its end included."""
        parts = [NO_ROWS]
        for start, end in _weeks(since, until):
            window = {"starttime": as_iso(start + HOUR), "endtime": as_iso(end), "timestep": "60"}
            parts.append(self._client.get(FMI, self._request(query, fmisid=fmisids, **window), read_coverage))
        return pl.concat(parts, how="diagonal")

    def _request(self, query: str, **params: str | list[str]) -> Request:
        fixed = {"service": "WFS", "version": "2.0.0", "request": "getFeature", "storedquery_id": query}
        return Request(self._base_url, {**fixed, **params})

    def _observations(self, rows: pl.DataFrame) -> pl.DataFrame:
        names = [name for name in self._wanted if name in rows.columns]
        long = rows.unpivot(
            on=names, index=["station_id", "labelled_at"], variable_name="name", value_name="concentration_ugm3"
        )
        measured = long.cast({"concentration_ugm3": pl.Float64}).drop_nulls("concentration_ugm3")
        return measured.select(
            station_id=pl.lit(f"{self.name}-") + pl.col("station_id"),
            pollutant=pl.col("name").replace_strict(self._wanted, return_dtype=pl.String),
            observed_at=pl.col("labelled_at") - HOUR,
            concentration_ugm3=_co_in_ugm3(),
            source=pl.lit(self.name),
            available_at=pl.col("labelled_at") + PUBLISHED_AFTER,
        )

    def _weather(self, rows: pl.DataFrame, nearest: dict[str, str]) -> pl.DataFrame:
        pairs = pl.DataFrame(list(nearest.items()), schema=["station_id", "weather_id"], orient="row")
        joined = pairs.join(rows.unique(["station_id", "labelled_at"]), left_on="weather_id", right_on="station_id")
        known = {variable: pl.col(name) for name, variable in _WEATHER.items() if name in rows.columns}
        measured = {variable: known.get(variable, pl.lit(None, dtype=pl.Float64)) for variable in WEATHER_VARIABLES}
        return joined.select(
            station_id=pl.lit(f"{self.name}-") + pl.col("station_id"),
            valid_at=pl.col("labelled_at") - HOUR,
            issued_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
            **measured,
            source=pl.lit(self.name),
            available_at=pl.col("labelled_at") + PUBLISHED_AFTER,
        )


def _co_in_ugm3() -> pl.Expr:
    """The values, carbon monoxide in mg/m³ converted; sentinels stay what they are."""
    value, is_co = pl.col("concentration_ugm3"), pl.col("name") == "CO_PT1H_avg"
    typical = value.filter(value > 0).median().over("station_id", "name")
    in_mgm3 = is_co & (typical < HIGHEST_CO_MGM3) & (value.abs() < HIGHEST_CO_MGM3 * 5)
    return pl.when(in_mgm3).then(value * 1000.0).otherwise(value)


def _weeks(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(since + LONGEST, until)
        yield since, end
        since = end
