"""Guidelines and limit values whose exceedance is forecast; all rules as the law writes them are in `air.rules`."""

from dataclasses import dataclass

from hazecast.air.pollutants import Pollutant


@dataclass(frozen=True)
class Limit:
    """A value not to be exceeded [µg/m³] and the averaging time it is written for.

    Hazecast's hourly exceedance probability compares the HOUR's mean with the value, also where the rule
    averages over 8 or 24 hours; the surfaces say so by showing `averaging_hours`.
    """

    key: str
    label: str
    concentration_ugm3: float
    averaging_hours: int


# WHO global air quality guidelines 2021, short-term levels.
WHO: dict[Pollutant, Limit] = {
    Pollutant.PM25: Limit("who", "WHO 2021 guideline, 24 h", 15.0, 24),
    Pollutant.PM10: Limit("who", "WHO 2021 guideline, 24 h", 45.0, 24),
    Pollutant.NO2: Limit("who", "WHO 2021 guideline, 24 h", 25.0, 24),
    Pollutant.O3: Limit("who", "WHO 2021 guideline, 8 h", 100.0, 8),
    Pollutant.SO2: Limit("who", "WHO 2021 guideline, 24 h", 40.0, 24),
    Pollutant.CO: Limit("who", "WHO 2021 guideline, 24 h", 4_000.0, 24),
}

# Directive (EU) 2024/2881, Annex I: limit values to be met by 2030; O3 is the target value (daily maximum 8-h mean).
EU: dict[Pollutant, Limit] = {
    Pollutant.PM25: Limit("eu", "EU 2030 limit, 24 h", 25.0, 24),
    Pollutant.PM10: Limit("eu", "EU 2030 limit, 24 h", 45.0, 24),
    Pollutant.NO2: Limit("eu", "EU 2030 limit, 1 h", 200.0, 1),
    Pollutant.O3: Limit("eu", "EU target, 8 h", 120.0, 8),
    Pollutant.SO2: Limit("eu", "EU 2030 limit, 1 h", 350.0, 1),
    Pollutant.CO: Limit("eu", "EU 2030 limit, 8 h", 10_000.0, 8),
}

LIMITS: dict[Pollutant, tuple[Limit, ...]] = {p: (WHO[p], EU[p]) for p in Pollutant}
