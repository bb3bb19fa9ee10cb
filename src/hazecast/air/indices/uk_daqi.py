"""UK Daily Air Quality Index (COMEAP/Defra): 1 … 10, concentrations rounded to integers first."""

from hazecast.air.averages import mean_of
from hazecast.air.indices.engine import Index
from hazecast.air.indices.result import Band
from hazecast.air.indices.scales import Steps
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit

_COLOURS = ["9CFF9C", "31FF00", "31CF00", "FFFF00", "FFCF00", "FF9A00", "FF6464", "FF0000", "990000", "CE30FF"]
_NAMES = ("Low",) * 3 + ("Moderate",) * 3 + ("High",) * 3 + ("Very High",)
_LEVELS = (1, 1, 2, 3, 3, 3, 4, 4, 4, 5)


def _steps(uppers: str) -> Steps:
    return Steps(Unit.UGM3, tuple(float(upper) for upper in uppers.split()), rounded=True)


UK_DAQI = Index(
    name="uk-daqi",
    title="UK Daily Air Quality Index",
    version="2013",
    authority="https://uk-air.defra.gov.uk/air-pollution/daqi",
    bands=tuple(
        Band(name, value, f"#{colour}", level)
        for value, (name, colour, level) in enumerate(zip(_NAMES, _COLOURS, _LEVELS, strict=True), 1)
    ),
    scales={
        Pollutant.PM25: {"24h": _steps("11 23 35 41 47 53 58 64 70")},
        Pollutant.PM10: {"24h": _steps("16 33 50 58 66 75 83 91 100")},
        Pollutant.O3: {"8h": _steps("33 66 100 120 140 160 187 213 240")},
        Pollutant.NO2: {"1h": _steps("67 134 200 267 334 400 467 534 600")},
        Pollutant.SO2: {"15min": _steps("88 177 266 354 443 532 710 887 1064")},
    },
    hourly={
        Pollutant.PM25: {"24h": mean_of(24, needs=18)},
        Pollutant.PM10: {"24h": mean_of(24, needs=18)},
        Pollutant.O3: {"8h": mean_of(8, needs=6)},
        Pollutant.NO2: {"1h": mean_of(1, needs=1)},
    },
)
