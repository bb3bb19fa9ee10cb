"""The pollutants: one row each, all concentrations [µg/m³]. A new pollutant is a new row.

A row is: value, label, molar mass [g/mol] (None for particles, which have no mixing ratio), the plausible range of
hourly means, and whether the pollutant is photochemical. A row has no unit: every source converts to µg/m³ where it
reads, so that stored values, limits and errors compare without a conversion. Instruments near zero report small
negatives; below the noise floor they are wrong. Values above `suspicious_above_ugm3` are flagged; values above
`invalid_above_ugm3` are not used.

Sources: NIST molar masses, as in pyaerocom's molmasses. Suspicious: NOAA qc_site_pm25 (500), common network practice.
Invalid is above the hourly means recorded on Earth: PM10 15 366 (New South Wales, dust storm of 23 September 2009),
PM2.5 several thousand (wildfires, dust); O3 1 360 (0.68 ppm, Los Angeles 1955); NO2 809 (423 ppb, London, December
1991); SO2 some 20 000 (Holuhraun eruption, Iceland 2014); CO some 60 000 (street canyons of the 1960s).
"""

from enum import StrEnum
from typing import Any


class Pollutant(StrEnum):
    """What Hazecast forecasts; the values are the names used in every table and address."""

    _value_: str
    label: str
    molar_mass_gmol: float | None
    noise_floor_ugm3: float
    suspicious_above_ugm3: float
    invalid_above_ugm3: float
    # Formed in the air within hours: models predict the level, not the departure from a naive forecast.
    photochemical: bool

    PM25 = "pm25", "PM2.5", None, -10.0, 500.0, 10_000.0, False
    PM10 = "pm10", "PM10", None, -10.0, 1_000.0, 30_000.0, False
    NO2 = "no2", "NO₂", 46.0055, -5.0, 500.0, 3_000.0, False
    O3 = "o3", "O₃", 47.998, -5.0, 400.0, 1_500.0, True
    SO2 = "so2", "SO₂", 64.064, -5.0, 1_000.0, 40_000.0, False
    CO = "co", "CO", 28.010, -200.0, 30_000.0, 100_000.0, False

    def __new__(cls, value: str, *row: Any) -> "Pollutant":
        """A member from its row."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label, member.molar_mass_gmol, *plausible, member.photochemical = row
        member.noise_floor_ugm3, member.suspicious_above_ugm3, member.invalid_above_ugm3 = plausible
        return member


POLLUTANTS: tuple[str, ...] = tuple(pollutant.value for pollutant in Pollutant)
