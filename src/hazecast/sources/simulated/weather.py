"""Weather over the simulated city: highs and lows, sun, rain, and forecasts with errors that grow with lead."""

from dataclasses import dataclass

import numpy as np

from hazecast.air.arrays import Floats
from hazecast.sources.simulated.city import LATITUDE, LONGITUDE
from hazecast.sources.simulated.noise import Hours, smooth, stream, wander

# Drivers of the weather, each a standard normal with its own time scales (knot distance [h]: weight).
_DRIVERS: dict[str, dict[int, float]] = {
    "pressure": {60: 1.0, 24: 0.5},
    "wind_east": {30: 1.0, 10: 0.5, 3: 0.25},
    "wind_north": {30: 1.0, 10: 0.5, 3: 0.25},
    "warmth": {80: 1.0, 30: 0.5, 8: 0.2},
    "moisture": {24: 1.0, 8: 0.6, 3: 0.3},
    "cloud": {16: 1.0, 5: 0.6},
}
Drivers = dict[str, Floats]


@dataclass(frozen=True)
class CityWeather:
    """Hourly weather over the city; `cloud` and `sun` (of an overhead clear sky) run 0…1, wind blows TOWARDS."""

    temperature_c: Floats
    dew_point_c: Floats
    pressure_hpa: Floats
    precipitation_mm: Floats
    wind_east_ms: Floats
    wind_north_ms: Floats
    cloud: Floats
    sun: Floats
    mixing_height_m: Floats

    @property
    def wind_speed_ms(self) -> Floats:
        """[m/s]."""
        return np.hypot(self.wind_east_ms, self.wind_north_ms)

    @property
    def wind_direction_deg(self) -> Floats:
        """Where it blows FROM [degrees clockwise from north]."""
        direction: Floats = np.degrees(np.arctan2(-self.wind_east_ms, -self.wind_north_ms)) % 360.0
        return direction


def actual_weather(seed: int, hours: Hours) -> CityWeather:
    """The observed weather."""
    return _weather(hours, _drivers(seed, hours))


def forecast_weather(seed: int, hours: Hours, issued: Hours) -> CityWeather:
    """Weather of `hours` as forecast at the hours `issued`: errors are autocorrelated within a run and grow with lead.

    Errors are added to the drivers, not the outcome, so that forecasts stay physically consistent; after four days the
    error of a driver is 0.7 of its own spread.
    """
    drivers = _drivers(seed, hours)
    size = 0.08 + 0.62 * ((hours - issued + 1) / 96.0) ** 0.8
    with_errors = {
        name: value + size * smooth(stream(seed, "forecast", name), hours, every_hours=9, series=issued)
        for name, value in drivers.items()
    }
    return _weather(hours, with_errors)


def saturation_hpa(temperature_c: Floats) -> Floats:
    """Vapour pressure at saturation over water [hPa] (Magnus, Alduchov & Eskridge 1996)."""
    result: Floats = 6.1094 * np.exp(17.625 * temperature_c / (temperature_c + 243.04))
    return result


def daylight(hours: Hours) -> Floats:
    """Sine of the sun's height, 0 at night, at the middle of each hour."""
    day = _day_of_year(hours)
    declination = np.radians(23.44) * np.sin(2 * np.pi * (day - 81) / 365.25)
    hour_angle = 2 * np.pi * (_solar_hour(hours) - 12) / 24
    latitude = np.radians(LATITUDE)
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    above: Floats = np.maximum(0.0, height)
    return above


def summerness(hours: Hours) -> Floats:
    """The season as the air feels it: 1 in late July, -1 in late January."""
    result: Floats = np.cos(2 * np.pi * (_day_of_year(hours) - 205) / 365.25)
    return result


def _day_of_year(hours: Hours) -> Floats:
    return np.asarray(hours / 24.0 % 365.25, dtype=np.float64)


def _solar_hour(hours: Hours) -> Floats:
    return np.asarray((hours + 0.5 + LONGITUDE / 15.0) % 24.0, dtype=np.float64)


def _drivers(seed: int, hours: Hours) -> Drivers:
    return {name: wander(stream(seed, "weather", name), hours, shares) for name, shares in _DRIVERS.items()}


def _weather(hours: Hours, drivers: Drivers) -> CityWeather:
    lows = -drivers["pressure"]
    wetness = (drivers["moisture"] + 0.8 * lows) / 1.28
    cloud = 1.0 / (1.0 + np.exp(-(1.3 * drivers["cloud"] + 1.2 * wetness)))
    precipitation = 1.8 * np.maximum(0.0, wetness - 1.25) ** 1.4
    sun = daylight(hours) * (1.0 - 0.75 * cloud**2)
    temperature = _temperature(hours, drivers, cloud)
    dew_point = 12.0 + 7.5 * summerness(hours) + 2.6 * drivers["warmth"] - 4.0 + 2.2 * wetness
    east, north = _wind(hours, drivers, sun)
    warmed = daylight(hours - 2) * (1.0 - 0.5 * cloud)
    return CityWeather(
        temperature_c=temperature,
        dew_point_c=np.minimum(dew_point, temperature - 0.1),
        pressure_hpa=1015.0 - 9.0 * lows,
        precipitation_mm=precipitation,
        wind_east_ms=east,
        wind_north_ms=north,
        cloud=cloud,
        sun=sun,
        mixing_height_m=110.0 + 75.0 * np.hypot(east, north) + 1300.0 * warmed,
    )


def _temperature(hours: Hours, drivers: Drivers, cloud: Floats) -> Floats:
    season = summerness(hours)
    swing = (2.0 + 3.0 * (1.0 - cloud)) * (1.0 + 0.3 * season)
    result: Floats = 12.0 + 8.0 * season + 3.0 * drivers["warmth"]
    return result + swing * np.cos(2 * np.pi * (_solar_hour(hours) - 15.0) / 24.0)


def _wind(hours: Hours, drivers: Drivers, sun: Floats) -> tuple[Floats, Floats]:
    """Westerlies, calmer under highs and at night, and a breeze off the sea in the afternoon."""
    liveliness = np.exp(-0.25 * drivers["pressure"]) * (0.75 + 0.5 * sun)
    breeze = 1.2 * daylight(hours - 2)
    east = liveliness * (0.9 + 2.6 * drivers["wind_east"]) + breeze
    north = liveliness * (0.3 + 2.2 * drivers["wind_north"])
    return east, north
