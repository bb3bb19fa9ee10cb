"""The six pollutants and what is plausible for each."""

from dataclasses import dataclass
from enum import StrEnum


class Pollutant(StrEnum):
    """What Hazecast forecasts; the values are the names used in every table and address."""

    PM25 = "pm25"
    PM10 = "pm10"
    NO2 = "no2"
    O3 = "o3"
    SO2 = "so2"
    CO = "co"


@dataclass(frozen=True)
class Plausible:
    """Hourly means beyond these are doubted [µg/m³].

    `noise_floor_ugm3`: instruments near zero report small negatives; below this they are wrong.
    """

    label: str
    noise_floor_ugm3: float
    suspicious_above_ugm3: float
    invalid_above_ugm3: float


# Sources: pyaerocom variables.ini (PM 0-1000), NOAA qc_site_pm25 (500); gases by common network practice.
PLAUSIBLE: dict[Pollutant, Plausible] = {
    Pollutant.PM25: Plausible("PM2.5", -10.0, 500.0, 1_000.0),
    Pollutant.PM10: Plausible("PM10", -10.0, 1_000.0, 5_000.0),
    Pollutant.NO2: Plausible("NO₂", -5.0, 500.0, 1_000.0),
    Pollutant.O3: Plausible("O₃", -5.0, 400.0, 600.0),
    Pollutant.SO2: Plausible("SO₂", -5.0, 1_000.0, 2_500.0),
    Pollutant.CO: Plausible("CO", -200.0, 30_000.0, 100_000.0),
}

POLLUTANTS: tuple[str, ...] = tuple(p.value for p in Pollutant)
