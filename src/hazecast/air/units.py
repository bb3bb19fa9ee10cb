"""Units of concentration: one conversion, always at a stated reference temperature."""

from enum import StrEnum
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
    "micrograms/cubicmeter(lc)": Unit.UGM3,
    "micrograms/cubicmeter(25c)": Unit.UGM3,
    "micrograms/cubicmeter": Unit.UGM3,
    "mg/m3": Unit.MGM3,
    "mgm3": Unit.MGM3,
    "mgm-3": Unit.MGM3,
    "mg.m-3": Unit.MGM3,
    "ppb": Unit.PPB,
    "ppbv": Unit.PPB,
    "partsperbillion": Unit.PPB,
    "nmol/mol": Unit.PPB,
    "ppm": Unit.PPM,
    "ppmv": Unit.PPM,
    "partspermillion": Unit.PPM,
    "umol/mol": Unit.PPM,
}


def parse_unit(text: str) -> Unit | None:
    """The unit written as `text` ("µg/m³", "ug m-3", "ppb"); None where it is not one of ours."""
    plain = text.strip().lower().replace("\u00b5", "u").replace("\u03bc", "u").replace("³", "3").replace("^", "")
    plain = plain.replace("**", "").replace("⁻", "-").replace(" ", "").replace("_", "")
    return _SPELLINGS.get(plain)


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
