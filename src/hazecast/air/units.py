"""Units of concentration: one conversion, always at a stated reference temperature."""

import re
from enum import StrEnum
from math import pi
from typing import overload

import numpy as np
from numpy.typing import NDArray

from hazecast.air.pollutants import Pollutant
from hazecast.errors import ContractError

GAS_CONSTANT_JMOLK = 8.314462618
PRESSURE_KPA = 101.325
ZERO_C_K = 273.15
EU_REFERENCE_C = 20.0
US_REFERENCE_C = 25.0
CN_REFERENCE_C = 25.0  # GB 3095-2012, amendment of 2018


class Unit(StrEnum):
    """How a concentration is written."""

    UGM3 = "ugm3"
    MGM3 = "mgm3"
    PPB = "ppb"
    PPM = "ppm"

    @property
    def label(self) -> str:
        """The written form."""
        return {Unit.UGM3: "µg/m³", Unit.MGM3: "mg/m³"}.get(self, self.value)


# µ is a micro sign in some files and a Greek mu in others; nmol/mol and µmol/mol are ppb and ppm.
_SPELLINGS = {
    "ug/m3": Unit.UGM3,
    "ugm3": Unit.UGM3,
    "ugm-3": Unit.UGM3,
    "ug.m-3": Unit.UGM3,
    "ug/cubicmeter(lc)": Unit.UGM3,
    "ug/cubicmeter(25c)": Unit.UGM3,
    "ug/cubicmeter": Unit.UGM3,
    "mg/m3": Unit.MGM3,
    "mgm3": Unit.MGM3,
    "mgm-3": Unit.MGM3,
    "mg.m-3": Unit.MGM3,
    "mg/cubicmeter": Unit.MGM3,
    "ppb": Unit.PPB,
    "ppbv": Unit.PPB,
    "parts/billion": Unit.PPB,
    "nmol/mol": Unit.PPB,
    "nmolmol-1": Unit.PPB,
    "ppm": Unit.PPM,
    "ppmv": Unit.PPM,
    "parts/million": Unit.PPM,
    "umol/mol": Unit.PPM,
    "umolmol-1": Unit.PPM,
}


# Weather in other units: our value = factor * theirs + offset.
_TEMPERATURE = {
    **dict.fromkeys(("c", "°c", "degc", "degreec", "degreesc", "degreecelsius", "celsius"), (1.0, 0.0)),
    **dict.fromkeys(("k", "kelvin"), (1.0, -ZERO_C_K)),
    **dict.fromkeys(("f", "°f", "degf", "fahrenheit"), (5 / 9, -160 / 9)),
}
WEATHER_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "temperature_c": _TEMPERATURE,
    "dew_point_c": _TEMPERATURE,
    "pressure_hpa": {
        **dict.fromkeys(("hpa", "mb", "mbar"), (1.0, 0.0)),
        "pa": (0.01, 0.0),
        "kpa": (10.0, 0.0),
        "bar": (1000.0, 0.0),
        "atm": (1013.25, 0.0),
        **dict.fromkeys(("mmhg", "torr"), (1.333224, 0.0)),
        "inhg": (33.86389, 0.0),
    },
    "precipitation_mm": {
        **dict.fromkeys(("mm", "mm/h", "kgm-2"), (1.0, 0.0)),
        "cm": (10.0, 0.0),
        "in": (25.4, 0.0),
        "m": (1000.0, 0.0),
    },
    "wind_direction_deg": {
        **dict.fromkeys(("deg", "°", "degree", "degrees", "degtrue"), (1.0, 0.0)),
        **dict.fromkeys(("rad", "radian", "radians"), (180 / pi, 0.0)),
    },
    "wind_speed_ms": {
        **dict.fromkeys(("ms", "m/s", "mps", "ms-1"), (1.0, 0.0)),
        **dict.fromkeys(("kmh", "km/h", "kph", "kmh-1"), (1 / 3.6, 0.0)),
        **dict.fromkeys(("cms", "cm/s", "cms-1"), (0.01, 0.0)),
        **dict.fromkeys(("fts", "ft/s"), (0.3048, 0.0)),
        **dict.fromkeys(("kn", "kt", "knots"), (0.514444, 0.0)),
        "mph": (0.44704, 0.0),
    },
    "relative_humidity_pct": {
        **dict.fromkeys(("pct", "%", "percent", "%rh"), (1.0, 0.0)),
        **dict.fromkeys(("fraction", "0-1", "1", "-"), (100.0, 0.0)),
    },
}


def parse_unit(text: str) -> Unit | None:
    """The unit written as `text` ("µg/m³", "ug m-3", "ppb"); None where it is not one of ours."""
    return _SPELLINGS.get(_plain(text))


def weather_unit(variable: str, text: str) -> tuple[float, float] | None:
    """Factor and offset that convert weather written in the unit `text` to ours; None where it is not known."""
    return WEATHER_UNITS[variable].get(_plain(text))


def _plain(text: str) -> str:
    """A unit in lower case and ASCII, without blanks: "µg m⁻³" is "ugm-3"."""
    plain = text.strip().lower().replace("\u00b5", "u").replace("\u03bc", "u").replace("³", "3").replace("²", "2")
    plain = plain.replace("**", "").replace("^", "").replace("⁻", "-").replace("¹", "1").replace("−", "-")
    plain = re.sub(r"\s*\bper\b\s*", "/", plain)
    plain = re.sub(r"\bmicrograms?\b", "ug", re.sub(r"\bmilligrams?\b", "mg", plain)).replace("metre", "meter")
    return re.sub(r"[\s_]+", "", plain)


def ugm3_per(unit: Unit, pollutant: Pollutant, *, reference_c: float) -> float:
    """How many µg/m³ one `unit` of `pollutant` is at `reference_c` [°C] and 101.325 kPa.

    Raises:
        ContractError: a mixing ratio of particles, which have no molar mass.
    """
    if unit in (Unit.UGM3, Unit.MGM3):
        return 1.0 if unit is Unit.UGM3 else 1_000.0
    if pollutant.molar_mass_gmol is None:
        raise ContractError(f"{pollutant} has no molar mass: give it in ugm3, not in {unit}")
    molar_volume_l = GAS_CONSTANT_JMOLK * (ZERO_C_K + reference_c) / PRESSURE_KPA
    ugm3_per_ppb = pollutant.molar_mass_gmol / molar_volume_l
    return ugm3_per_ppb if unit is Unit.PPB else 1_000.0 * ugm3_per_ppb


@overload
def convert(value: float, pollutant: Pollutant, *, unit: Unit, to: Unit, reference_c: float) -> float: ...


@overload
def convert(
    value: NDArray[np.float64], pollutant: Pollutant, *, unit: Unit, to: Unit, reference_c: float
) -> NDArray[np.float64]: ...


def convert(
    value: float | NDArray[np.float64], pollutant: Pollutant, *, unit: Unit, to: Unit, reference_c: float
) -> float | NDArray[np.float64]:
    """`value` of `unit` written in `to`; the same unit returns it untouched.

    Raises:
        ContractError: a mixing ratio of particles.
    """
    if unit is to:
        return value
    factor = ugm3_per(unit, pollutant, reference_c=reference_c) / ugm3_per(to, pollutant, reference_c=reference_c)
    return value * factor
