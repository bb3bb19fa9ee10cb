"""The simulated network as a source."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from hazecast.air.arrays import Floats
from hazecast.air.clock import HOUR
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import DEFAULT_HORIZON_HOURS
from hazecast.air.tables import WEATHER_VARIABLES, FetchedObservations, Stations, Weather, conform
from hazecast.errors import NotKnown
from hazecast.sources.simulated.air import SIMULATED, concentrations
from hazecast.sources.simulated.city import KINDS, TIMEZONE, Site, sites
from hazecast.sources.simulated.faults import Fault
from hazecast.sources.simulated.noise import Hours, normal, stream
from hazecast.sources.simulated.weather import CityWeather, actual_weather, forecast_weather, saturation_hpa

ATTRIBUTION = "Simulated by Hazecast; not real measurements"
LICENCE = "Apache-2.0"
RUN_EVERY_HOURS = 12
# The newest run known at issue is up to 16 h old and must still reach the horizon.
RUN_MARGIN_HOURS = 24
RUN_KNOWN_AFTER = 4 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTRUMENT_NOISE = {"pm25": 0.10, "coarse": 0.10, "no2": 0.05, "o3": 0.04, "so2": 0.10, "co": 0.06}


class SimulatedSource:
    """Air and weather of a fictitious city; the same `seed` gives the same rows at every call.

    Overlapping windows give the same rows. Observations are available when their hour has ended. Weather forecasts are
    issued at 00 and 12 UTC, reach a day further than the horizon, and are available after four hours, as real ones are.

    Args:
        seed: of all random draws.
        n_stations: number of stations.
        pollutants: what the stations measure; pollutants that are not simulated are left out.
        faults: errors in the readings, applied in this order.
        horizon_hours: longest lead of the air-quality forecasts that use the weather [h].

    Raises:
        NotKnown: a fault names a station that is not simulated.
    """

    name = "simulated"
    simulated = True

    def __init__(
        self,
        *,
        seed: int = 0,
        n_stations: int = 6,
        pollutants: Sequence[str] = POLLUTANTS,
        faults: Sequence[Fault] = (),
        horizon_hours: int = DEFAULT_HORIZON_HOURS,
    ) -> None:
        self._pollutants = tuple(pollutant for pollutant in SIMULATED if pollutant in pollutants)
        self._run_length_hours = horizon_hours + RUN_MARGIN_HOURS
        self._seed, self._sites, self._faults = seed, sites(n_stations), tuple(faults)
        known = [site.station_id for site in self._sites]
        for fault in self._faults:
            if fault.station_id not in (None, *known):
                raise NotKnown("station", str(fault.station_id), known)

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """None: any hour can be simulated."""
        return None

    def fetch_stations(self) -> pl.DataFrame:
        """One row per station, at sea, so that no real place is meant."""
        stations = pl.DataFrame(
            {
                "station_id": [site.station_id for site in self._sites],
                "name": [site.name for site in self._sites],
                "latitude": [site.latitude for site in self._sites],
                "longitude": [site.longitude for site in self._sites],
            }
        )
        described = {"timezone": TIMEZONE, "source": self.name, "attribution": ATTRIBUTION, "licence": LICENCE}
        return conform(Stations, stations.with_columns(pl.lit(word).alias(key) for key, word in described.items()))

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Readings [µg/m³, to 0.1] of the hours that start in [since, until), faults included."""
        hours = _hours(since, until, every=1)
        if hours.size == 0:
            return FetchedObservations.create_empty()
        readings = self._readings(hours)
        series = [(site.station_id, pollutant) for site in self._sites for pollutant in self._pollutants]
        observed_at = _moments(np.tile(hours, len(series)))
        rows = pl.DataFrame(
            {
                "station_id": np.repeat([station_id for station_id, _ in series], hours.size),
                "pollutant": np.repeat([pollutant for _, pollutant in series], hours.size),
                "observed_at": observed_at,
                "concentration_ugm3": np.concatenate([readings[key] for key in series]),
                "available_at": observed_at + HOUR,
            }
        )
        arrived = rows.filter(pl.col("concentration_ugm3").is_not_nan())
        return conform(FetchedObservations, arrived.with_columns(source=pl.lit(self.name)))

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observed weather of the hours in [since, until) and every run issued in it."""
        hours = _hours(since, until, every=1)
        runs, length = _hours(since, until, every=RUN_EVERY_HOURS), self._run_length_hours
        issued = np.repeat(runs, length)
        valid = issued + np.tile(np.arange(length), runs.size)
        observed = self._at_stations(hours, actual_weather(self._seed, hours))
        observed = self._with_instrument_noise(observed, hours).with_columns(
            issued_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")), available_at=pl.col("valid_at") + HOUR
        )
        forecast = self._at_stations(valid, forecast_weather(self._seed, valid, issued)).with_columns(
            issued_at=_moments(np.tile(issued, len(self._sites)))
        )
        forecast = forecast.with_columns(available_at=pl.col("issued_at") + RUN_KNOWN_AFTER)
        rows = pl.concat([observed, forecast], how="diagonal")
        return conform(Weather, rows.with_columns(pl.col(WEATHER_VARIABLES).round(1), source=pl.lit(self.name)))

    def _readings(self, hours: Hours) -> dict[tuple[str, str], Floats]:
        truth = concentrations(self._seed, self._sites, hours)
        readings = {}
        for row, site in enumerate(self._sites):
            true = {pollutant: values[row] for pollutant, values in truth.items()}
            for pollutant, reading in self._measured(site, true, hours).items():
                readings[site.station_id, pollutant] = self._with_faults(site.station_id, pollutant, reading, hours)
        return readings

    def _measured(self, site: Site, true: dict[str, Floats], hours: Hours) -> dict[str, Floats]:
        """PM10 is PM2.5 plus coarse particles, so that noise never makes it smaller than PM2.5."""
        parts = {**true, "coarse": true["pm10"] - true["pm25"]}
        read = {}
        for part, sigma in _INSTRUMENT_NOISE.items():
            noise = normal(stream(self._seed, "instrument", site.station_id, part), hours)
            read[part] = parts[part] * np.exp(sigma * noise - sigma**2 / 2)
        read["pm10"] = read["pm25"] + read.pop("coarse")
        return {pollutant: np.round(values, 1) for pollutant, values in read.items()}

    def _with_faults(self, station_id: str, pollutant: str, reading: Floats, hours: Hours) -> Floats:
        for number, fault in enumerate(self._faults):
            if fault.affects(station_id, pollutant):
                key = stream(self._seed, "fault", number, station_id, pollutant)
                reading = fault.apply(reading, hours, key=key)
        return reading

    def _at_stations(self, hours: Hours, weather: CityWeather) -> pl.DataFrame:
        """The city's weather at each station: the same, except for the wind and about one degree."""
        return pl.concat(_at_site(site, hours, weather) for site in self._sites)

    def _with_instrument_noise(self, rows: pl.DataFrame, hours: Hours) -> pl.DataFrame:
        noise = [normal(stream(self._seed, "weather instrument", site.station_id), hours) for site in self._sites]
        jitter = pl.Series(np.concatenate(noise))
        return rows.with_columns(
            temperature_c=pl.col("temperature_c") + 0.15 * jitter,
            wind_speed_ms=pl.col("wind_speed_ms") * (0.08 * jitter).exp(),
        )


def _at_site(site: Site, hours: Hours, weather: CityWeather) -> pl.DataFrame:
    kind = KINDS[site.kind]
    temperature = weather.temperature_c + 1.5 * (kind.urbanity - 0.5)
    humidity = 100.0 * saturation_hpa(weather.dew_point_c) / saturation_hpa(temperature)
    return pl.DataFrame(
        {
            "valid_at": _moments(hours),
            "temperature_c": temperature,
            "pressure_hpa": weather.pressure_hpa,
            "dew_point_c": weather.dew_point_c,
            "precipitation_mm": weather.precipitation_mm,
            "wind_direction_deg": weather.wind_direction_deg,
            "wind_speed_ms": weather.wind_speed_ms * kind.wind_exposure,
            "relative_humidity_pct": np.minimum(humidity, 100.0),
        }
    ).with_columns(station_id=pl.lit(site.station_id))


def _hours(since: datetime, until: datetime, *, every: int) -> Hours:
    """Hours since 1970 that start in [since, until) and are multiples of `every`."""
    step = timedelta(hours=every)
    first, end = -((_EPOCH - since) // step), -((_EPOCH - until) // step)
    return np.arange(first, end, dtype=np.int64) * every


def _moments(hours: Hours) -> pl.Series:
    return pl.Series(hours * 3_600_000_000, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
