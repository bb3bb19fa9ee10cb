"""Limits with an exceedance probability, one row each; `air.rules` lists every legal value in full.

A new limit is a new row, a new authority is rows with a new key. Columns `p_exceed_<key>` and `<key>_observed` …, API
fields and dashboard measures derive from the keys. A pollutant may lack a row under a key, or have none at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import polars as pl

from hazecast.air.averages import MAX_1H, MDA8, MEAN_24H
from hazecast.air.pollutants import Pollutant
from hazecast.air.rules import Authority, Statistic
from hazecast.air.units import EU_REFERENCE_C, Unit, convert

_AVERAGING_HOURS = {Statistic.HOUR: 1, Statistic.MAX_8H: 8, Statistic.DAY: 24}
_DAY_STATISTIC = {Statistic.HOUR: MAX_1H, Statistic.MAX_8H: MDA8, Statistic.DAY: MEAN_24H}
# The statistic of a local day for the averaging time of a limit [h].
STATISTIC_OF_AVERAGING = {_AVERAGING_HOURS[one]: _DAY_STATISTIC[one] for one in _DAY_STATISTIC}


@dataclass(frozen=True)
class Limit:
    """A concentration not to be exceeded.

    The hourly exceedance probability compares the HOUR's mean with the value, also where the rule averages over 8 or 24
    hours. API and dashboard show `averaging_hours` next to it.

    Attributes:
        key: short name in columns and JSON fields.
        authority: publisher of the value.
        name: the value's name without its averaging time.
        pollutant: the pollutant it applies to.
        statistic: the average that the rule is written for: hour, highest 8 hours or day.
        value: in `unit`; one row per key and pollutant.
        valid_from: first day on which the value applies.
        unit: µg/m³ unless the authority writes a mixing ratio.
    """

    key: str
    authority: Authority
    name: str
    pollutant: Pollutant
    statistic: Statistic
    value: float
    valid_from: date
    unit: Unit = Unit.UGM3

    @property
    def averaging_hours(self) -> int:
        """Length of the average [h]."""
        return _AVERAGING_HOURS[self.statistic]

    @property
    def day_statistic(self) -> str:
        """The statistic of a local day that exceeds the value if and only if the rule is exceeded on that day."""
        return _DAY_STATISTIC[self.statistic]

    @property
    def label(self) -> str:
        """Name and averaging time: "WHO 2021 guideline, 24 h"."""
        return f"{self.name}, {self.averaging_hours} h"

    @property
    def concentration_ugm3(self) -> float:
        """The value [µg/m³]; mixing ratios are converted at 20 °C, the reference of stored observations."""
        return convert(self.value, self.pollutant, unit=self.unit, to=Unit.UGM3, reference_c=EU_REFERENCE_C)


_WHO, _EU = Authority.WHO_2021, Authority.EU_2024
_DAY, _MAX_8H, _HOUR = Statistic.DAY, Statistic.MAX_8H, Statistic.HOUR
_IN_2021, _IN_2030 = date(2021, 9, 22), date(2030, 1, 1)

LIMITS: tuple[Limit, ...] = (
    # WHO global air quality guidelines 2021, short-term levels.
    Limit("who", _WHO, "WHO 2021 guideline", Pollutant.PM25, _DAY, 15.0, _IN_2021),
    Limit("who", _WHO, "WHO 2021 guideline", Pollutant.PM10, _DAY, 45.0, _IN_2021),
    Limit("who", _WHO, "WHO 2021 guideline", Pollutant.NO2, _DAY, 25.0, _IN_2021),
    Limit("who", _WHO, "WHO 2021 guideline", Pollutant.O3, _MAX_8H, 100.0, _IN_2021),
    Limit("who", _WHO, "WHO 2021 guideline", Pollutant.SO2, _DAY, 40.0, _IN_2021),
    Limit("who", _WHO, "WHO 2021 guideline", Pollutant.CO, _DAY, 4_000.0, _IN_2021),
    # Directive (EU) 2024/2881, Annex I: limit values to be met by 2030; for ozone the target value.
    Limit("eu", _EU, "EU 2030 limit", Pollutant.PM25, _DAY, 25.0, _IN_2030),
    Limit("eu", _EU, "EU 2030 limit", Pollutant.PM10, _DAY, 45.0, _IN_2030),
    Limit("eu", _EU, "EU 2030 limit", Pollutant.NO2, _HOUR, 200.0, _IN_2030),
    Limit("eu", _EU, "EU target", Pollutant.O3, _MAX_8H, 120.0, _IN_2030),
    Limit("eu", _EU, "EU 2030 limit", Pollutant.SO2, _HOUR, 350.0, _IN_2030),
    Limit("eu", _EU, "EU 2030 limit", Pollutant.CO, _MAX_8H, 10_000.0, _IN_2030),
)

# In the order of the rows.
LIMIT_KEYS: tuple[str, ...] = tuple(dict.fromkeys(limit.key for limit in LIMITS))
_BY_KEY = {
    key: MappingProxyType({limit.pollutant.value: limit.concentration_ugm3 for limit in LIMITS if limit.key == key})
    for key in LIMIT_KEYS
}


def limits_of(pollutant: str) -> tuple[Limit, ...]:
    """The limits of `pollutant` in the order of LIMIT_KEYS; empty where it has none."""
    return tuple(limit for key in LIMIT_KEYS for limit in LIMITS if (limit.key, limit.pollutant) == (key, pollutant))


def limit_values(key: str) -> Mapping[str, float]:
    """Concentrations [µg/m³] of the limits under `key`, by pollutant; pollutants without such a limit are absent."""
    return _BY_KEY[key]


def day_limits() -> pl.DataFrame:
    """The limits by the day statistic that they are written for: pollutant, statistic, and one column per key [µg/m³].

    Null where the pollutant has no such limit under that key.
    """
    rows = [(limit.pollutant.value, limit.day_statistic, limit.key, limit.concentration_ugm3) for limit in LIMITS]
    frame = pl.DataFrame(rows, schema=["pollutant", "statistic", "key", "limit_ugm3"], orient="row")
    return frame.pivot("key", index=["pollutant", "statistic"], values="limit_ugm3")
