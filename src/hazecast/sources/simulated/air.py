"""Concentrations over the simulated city, from emissions, mixing, transport, rain and photochemistry.

Every value is a function of its own hour and the day before; there is no state.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazecast.air.arrays import Floats
from hazecast.sources.simulated.city import KINDS, Site, activity
from hazecast.sources.simulated.noise import Hours, stream, wander
from hazecast.sources.simulated.weather import CityWeather, actual_weather, saturation_hpa, summerness

SIMULATED = ("pm25", "pm10", "no2", "o3", "so2", "co")
MEMORY_HOURS = 24
_NO2_UGM3_PER_PPB, _O3_UGM3_PER_PPB = 1.9125, 1.9953  # 20 °C, 101.3 kPa
_PRIMARY_NO2 = 0.15
# J/k at full sun, and the unmixed remainder at night.
_PHOTOLYSIS_PPB, _UNMIXED_PPB = 20.0, 1.0

# Emission factors: concentration per unit of load (NOx in ppb, the others in µg/m³).
_FACTORS: dict[str, dict[str, float]] = {
    "nox": {"traffic": 26.0, "heating": 6.0, "industry": 9.0},
    "co": {"traffic": 125.0, "heating": 130.0, "industry": 40.0},
    "pm25": {"traffic": 3.0, "heating": 11.0, "industry": 3.0},
    "coarse": {"traffic": 5.0, "heating": 0.5, "industry": 4.0},
    "so2": {"traffic": 0.2, "heating": 1.6, "industry": 5.0},
}


@dataclass(frozen=True)
class Surroundings:
    """Weather and mixing common to all stations, from `MEMORY_HOURS` before the first hour on."""

    hours: Hours
    weather: CityWeather
    dilution: Floats
    burnt: dict[str, Floats]


def concentrations(seed: int, places: tuple[Site, ...], hours: Hours) -> dict[str, Floats]:
    """True hourly means [µg/m³] per pollutant: one row per place, one column per hour.

    Args:
        seed: of all random draws.
        places: the stations; emissions at one are also transported to the others.
        hours: consecutive hours since 1970.
    """
    around = _surroundings(seed, np.arange(hours[0] - MEMORY_HOURS, hours[-1] + 1))
    loads = {source: _loads(seed, places, around, source) for source in ("traffic", "heating", "industry")}
    emitted = {
        substance: np.sum([factor * loads[source] for source, factor in factors.items()], axis=0)
        for substance, factors in _FACTORS.items()
    }
    washed = _washout(around)
    pm25 = (_regional_pm25(seed, around) + emitted["pm25"]) * washed
    no2, o3 = _titrate(1.5 + emitted["nox"], _regional_oxidant_ppb(seed, around), _now(around.weather.sun))
    return {
        "pm25": pm25,
        "pm10": pm25 + _coarse(seed, around, emitted["coarse"]) * washed,
        "no2": no2 * _NO2_UGM3_PER_PPB,
        "o3": o3 * _O3_UGM3_PER_PPB,
        "so2": 1.5 + emitted["so2"],
        "co": 190.0 - 30.0 * summerness(hours) + emitted["co"],
    }


def _surroundings(seed: int, hours: Hours) -> Surroundings:
    weather = actual_weather(seed, hours)
    ventilation = (weather.mixing_height_m / 500.0) ** 0.8 * ((weather.wind_speed_ms + 0.5) / 3.0) ** 0.8
    return Surroundings(hours, weather, np.clip(1.0 / ventilation, 0.2, 6.0), activity(hours, weather.temperature_c))


def _loads(seed: int, places: tuple[Site, ...], around: Surroundings, source: str) -> Floats:
    """Load of one kind of source at each place: local, transported from the other places, and the urban background."""
    fresh = np.stack([_fresh(seed, place, around, source) for place in places])
    urbanity = np.array([KINDS[place.kind].urbanity for place in places])[:, None]
    return _now(fresh) + _drifted(fresh, places, around) + urbanity * _city_air(around, source)


def _fresh(seed: int, place: Site, around: Surroundings, source: str) -> Floats:
    kind = KINDS[place.kind]
    strength = {"traffic": kind.traffic, "heating": kind.heating, "industry": place.industry}[source]
    unrest = wander(stream(seed, "unrest", place.station_id, source), around.hours, {6: 1.0, 2: 0.7})
    return strength * around.burnt[source] * around.dilution * np.exp(0.3 * unrest)


def _drifted(fresh: Floats, places: tuple[Site, ...], around: Surroundings) -> Floats:
    """Emissions transported from the other places; the delay grows with distance and with calmer wind."""
    east, north = _now(around.weather.wind_east_ms), _now(around.weather.wind_north_ms)
    speed_kmh = 3.6 * np.maximum(np.hypot(east, north), 0.8)
    now = np.arange(MEMORY_HOURS, fresh.shape[1])
    arrived = np.zeros((len(places), now.size))
    for (here, place), (there, origin) in permutations(enumerate(places), 2):
        dx, dy = place.east_km - origin.east_km, place.north_km - origin.north_km
        km = max(float(np.hypot(dx, dy)), 1.0)
        along = (east * dx + north * dy) / (km * speed_kmh / 3.6)
        delay = np.minimum(np.rint(km / speed_kmh).astype(np.int64), MEMORY_HOURS)
        plume = 0.6 * np.exp(-km / 15.0) * np.maximum(0.0, along) ** 6
        arrived[here] += plume * fresh[there, now - delay]
    return arrived


def _city_air(around: Surroundings, source: str) -> Floats:
    """Emissions of the whole city in the last day that the wind has not yet dispersed."""
    if source == "industry":
        return np.zeros(around.hours.size - MEMORY_HOURS)
    kept = np.exp(-(0.2 + around.weather.wind_speed_ms / 7.0))
    still_here = np.ones(around.hours.size - MEMORY_HOURS)
    pool = np.zeros_like(still_here)
    for age in range(MEMORY_HOURS):
        pool += still_here * _ago(around.burnt[source] * around.dilution, age)
        still_here = still_here * _ago(kept, age)
    return 0.12 * pool


def _washout(around: Surroundings) -> Floats:
    """Share of particles that the rain of the last hours has not washed out."""
    wet = np.sum([0.8**age * _ago(around.weather.precipitation_mm, age) for age in range(12)], axis=0)
    left: Floats = 0.35 + 0.65 * np.exp(-0.35 * wet)
    return left


def _regional_pm25(seed: int, around: Surroundings) -> Floats:
    """Regional background of particles [µg/m³]: more with continental (easterly) winds, with occasional episodes."""
    slow = wander(stream(seed, "region", "pm25"), _now(around.hours), {70: 1.0, 24: 0.5})
    continental = np.clip(-_now(around.weather.wind_east_ms) / 3.0, -1.0, 1.5)
    ordinary = 5.5 * np.exp(0.4 * slow + 0.3 * continental)
    return ordinary + 12.0 * np.maximum(0.0, slow - 1.3)


def _coarse(seed: int, around: Surroundings, stirred: Floats) -> Floats:
    """Particles between PM2.5 and PM10 [µg/m³]: dust resuspended on dry streets and by wind, and sea salt."""
    weather = around.weather
    moist = _now(saturation_hpa(weather.dew_point_c) / saturation_hpa(weather.temperature_c))
    gusty = wander(stream(seed, "region", "coarse"), _now(around.hours), {30: 1.0, 8: 0.5})
    blown = 2.5 * np.exp(0.45 * gusty) * (0.5 + _now(weather.wind_speed_ms) / 6.0)
    return blown + stirred * (1.4 - moist)


def _regional_oxidant_ppb(seed: int, around: Surroundings) -> Floats:
    """Regional ozone before titration by NO [ppb]: formed by sun and warmth, deposited at night."""
    weather, hours = around.weather, _now(around.hours)
    brewing = weather.sun * np.maximum(0.0, weather.temperature_c - 5.0) / 15.0
    brewed = np.sum([0.85**age * _ago(brewing, age) for age in range(12)], axis=0)
    spring = np.cos(2 * np.pi * (hours / 24.0 % 365.25 - 125.0) / 365.25)
    aloft = 33.0 + 6.0 * spring + 4.5 * brewed + 4.0 * wander(stream(seed, "region", "o3"), hours, {60: 1.0, 12: 0.4})
    exchanged = 0.55 + 0.45 * np.tanh(_now(weather.mixing_height_m) / 500.0)
    oxidant: Floats = np.maximum(aloft, 5.0) * exchanged
    return oxidant


def _titrate(nox_ppb: Floats, ozone_ppb: Floats, sun: Floats) -> tuple[Floats, Floats]:
    """NO2 and O3 [ppb] in the equilibrium NO + O3 ⇌ NO2.

    Source: photostationary state (Leighton 1961): NO · O3 = J/k · NO2, NOx and oxidant (O3 + NO2) being conserved.
    """
    oxidant = ozone_ppb + _PRIMARY_NO2 * nox_ppb
    total = nox_ppb + oxidant + _UNMIXED_PPB + _PHOTOLYSIS_PPB * sun
    no2 = (total - np.sqrt(total**2 - 4.0 * nox_ppb * oxidant)) / 2.0
    return no2, oxidant - no2


def _now(values: NDArray[Any]) -> NDArray[Any]:
    return _ago(values, 0)


def _ago(values: NDArray[Any], age: int) -> NDArray[Any]:
    """The values `age` hours before each of the requested hours."""
    return values[..., MEMORY_HOURS - age : values.shape[-1] - age]
