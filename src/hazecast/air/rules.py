"""Air-quality law and guidelines as data: every value with its averaging rule."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hazecast.air.pollutants import Pollutant
from hazecast.air.units import EU_REFERENCE_C, Unit, convert


class Authority(StrEnum):
    """Publisher of a rule."""

    WHO_2021 = "who-2021"
    EU_2024 = "eu-2024-2881"
    EU_2008 = "eu-2008-50"
    US_NAAQS = "us-naaqs"


class Kind(StrEnum):
    """Legal nature of a rule."""

    GUIDELINE = "guideline"
    INTERIM = "interim target"
    LIMIT = "limit value"
    TARGET = "target value"
    OBJECTIVE = "long-term objective"
    ALERT = "alert threshold"
    INFORMATION = "information threshold"
    PRIMARY = "primary standard"
    SECONDARY = "secondary standard"


class Statistic(StrEnum):
    """The average compared with the value; `air.averages` computes the first three, with their data requirements."""

    HOUR = "1-hour mean"
    MAX_8H = "highest 8-hour mean of the day"
    DAY = "mean of the local day"
    YEAR = "mean of the calendar year"
    PEAK_SEASON = "mean of daily highest 8-hour means in the worst six months"


@dataclass(frozen=True)
class Rule:
    """A value as its authority publishes it; exceeded means ABOVE it.

    `allowed`: exceedances permitted in a year. `percentile` and `years`: of the year's statistics, averaged over so
    many years. `consecutive_hours`: how long an alert threshold must be exceeded. `applies_from`: first day in force.
    """

    authority: Authority
    kind: Kind
    pollutant: Pollutant
    statistic: Statistic
    value: float
    unit: Unit = Unit.UGM3
    allowed: int | None = None
    percentile: float | None = None
    years: int = 1
    consecutive_hours: int = 1
    applies_from: date | None = None

    @property
    def concentration_ugm3(self) -> float:
        """The value [µg/m³, mixing ratios at 20 °C], comparable with the tables."""
        return convert(self.value, self.pollutant, unit=self.unit, to=Unit.UGM3, reference_c=EU_REFERENCE_C)


_EU_2030 = date(2030, 1, 1)
_WHO, _EU, _EU_OLD, _US = Authority.WHO_2021, Authority.EU_2024, Authority.EU_2008, Authority.US_NAAQS
_PM25, _PM10, _NO2 = Pollutant.PM25, Pollutant.PM10, Pollutant.NO2
_O3, _SO2, _CO = Pollutant.O3, Pollutant.SO2, Pollutant.CO
_HOUR, _MAX_8H, _DAY, _YEAR, _SEASON = Statistic
_GUIDELINE_DAYS = 99.0  # percentile of the year's days: three to four may be above


def _who(pollutant: Pollutant, statistic: Statistic, guideline: float, *interim: float) -> list[Rule]:
    percentile = _GUIDELINE_DAYS if statistic in (_DAY, _MAX_8H) else None
    targets = [Rule(_WHO, Kind.INTERIM, pollutant, statistic, value, percentile=percentile) for value in interim]
    return [Rule(_WHO, Kind.GUIDELINE, pollutant, statistic, guideline, percentile=percentile), *targets]


def _eu(pollutant: Pollutant, statistic: Statistic, value: float, allowed: int | None = None) -> Rule:
    return Rule(_EU, Kind.LIMIT, pollutant, statistic, value, allowed=allowed, applies_from=_EU_2030)


def _eu_old(pollutant: Pollutant, statistic: Statistic, value: float, allowed: int | None = None) -> Rule:
    return Rule(_EU_OLD, Kind.LIMIT, pollutant, statistic, value, allowed=allowed)


# WHO global air quality guidelines 2021, interim targets from the loosest.
_WHO_RULES = (
    *_who(_PM25, _YEAR, 5, 35, 25, 15, 10),
    *_who(_PM25, _DAY, 15, 75, 50, 37.5, 25),
    *_who(_PM10, _YEAR, 15, 70, 50, 30, 20),
    *_who(_PM10, _DAY, 45, 150, 100, 75, 50),
    *_who(_NO2, _YEAR, 10, 40, 30, 20),
    *_who(_NO2, _DAY, 25, 120, 50),
    *_who(_NO2, _HOUR, 200),
    *_who(_O3, _MAX_8H, 100, 160, 120),
    *_who(_O3, _SEASON, 60, 100, 70),
    *_who(_SO2, _DAY, 40, 125, 50),
    *_who(_CO, _DAY, 4_000, 7_000),
    *_who(_CO, _MAX_8H, 10_000),
)

# Directive (EU) 2024/2881, Annex I: sections 1 and 2 from 2030, section 4 thresholds (which a forecast may trigger).
_EU_RULES = (
    _eu(_PM25, _YEAR, 10),
    _eu(_PM25, _DAY, 25, 18),
    _eu(_PM10, _YEAR, 20),
    _eu(_PM10, _DAY, 45, 18),
    _eu(_NO2, _YEAR, 20),
    _eu(_NO2, _DAY, 50, 18),
    _eu(_NO2, _HOUR, 200, 3),
    _eu(_SO2, _YEAR, 20),
    _eu(_SO2, _DAY, 50, 18),
    _eu(_SO2, _HOUR, 350, 3),
    _eu(_CO, _DAY, 4_000, 18),
    _eu(_CO, _MAX_8H, 10_000),
    Rule(_EU, Kind.TARGET, _O3, _MAX_8H, 120, allowed=18, years=3, applies_from=_EU_2030),
    Rule(_EU, Kind.OBJECTIVE, _O3, _MAX_8H, 100, applies_from=date(2050, 1, 1)),
    Rule(_EU, Kind.ALERT, _SO2, _HOUR, 350, consecutive_hours=3),
    Rule(_EU, Kind.ALERT, _NO2, _HOUR, 200, consecutive_hours=3),
    Rule(_EU, Kind.ALERT, _O3, _HOUR, 240, consecutive_hours=3),
    Rule(_EU, Kind.ALERT, _PM25, _DAY, 50),
    Rule(_EU, Kind.ALERT, _PM10, _DAY, 90),
    Rule(_EU, Kind.INFORMATION, _SO2, _HOUR, 275),
    Rule(_EU, Kind.INFORMATION, _NO2, _HOUR, 150),
    Rule(_EU, Kind.INFORMATION, _O3, _HOUR, 180),
    Rule(_EU, Kind.INFORMATION, _PM25, _DAY, 50),
    Rule(_EU, Kind.INFORMATION, _PM10, _DAY, 90),
)

# Directive 2008/50/EC: what is binding until 2030.
_EU_OLD_RULES = (
    _eu_old(_PM25, _YEAR, 25),
    _eu_old(_PM10, _YEAR, 40),
    _eu_old(_PM10, _DAY, 50, 35),
    _eu_old(_NO2, _YEAR, 40),
    _eu_old(_NO2, _HOUR, 200, 18),
    _eu_old(_SO2, _DAY, 125, 3),
    _eu_old(_SO2, _HOUR, 350, 24),
    _eu_old(_CO, _MAX_8H, 10_000),
    Rule(_EU_OLD, Kind.TARGET, _O3, _MAX_8H, 120, allowed=25, years=3),
    Rule(_EU_OLD, Kind.ALERT, _SO2, _HOUR, 500, consecutive_hours=3),
    Rule(_EU_OLD, Kind.ALERT, _NO2, _HOUR, 400, consecutive_hours=3),
    Rule(_EU_OLD, Kind.ALERT, _O3, _HOUR, 240),
    Rule(_EU_OLD, Kind.INFORMATION, _O3, _HOUR, 180),
)

# US National Ambient Air Quality Standards; the 2024 annual PM2.5 standard is under reconsideration.
_US_RULES = (
    Rule(_US, Kind.PRIMARY, _PM25, _YEAR, 9.0, years=3),
    Rule(_US, Kind.SECONDARY, _PM25, _YEAR, 15.0, years=3),
    Rule(_US, Kind.PRIMARY, _PM25, _DAY, 35, percentile=98.0, years=3),
    Rule(_US, Kind.PRIMARY, _PM10, _DAY, 150, allowed=1, years=3),
    Rule(_US, Kind.PRIMARY, _NO2, _YEAR, 53, Unit.PPB),
    Rule(_US, Kind.PRIMARY, _NO2, _HOUR, 100, Unit.PPB, percentile=98.0, years=3),
    Rule(_US, Kind.PRIMARY, _O3, _MAX_8H, 0.070, Unit.PPM, allowed=3, years=3),
    Rule(_US, Kind.PRIMARY, _SO2, _HOUR, 75, Unit.PPB, percentile=99.0, years=3),
    Rule(_US, Kind.PRIMARY, _CO, _MAX_8H, 9, Unit.PPM, allowed=1),
    Rule(_US, Kind.PRIMARY, _CO, _HOUR, 35, Unit.PPM, allowed=1),
)

RULES: tuple[Rule, ...] = (*_WHO_RULES, *_EU_RULES, *_EU_OLD_RULES, *_US_RULES)
