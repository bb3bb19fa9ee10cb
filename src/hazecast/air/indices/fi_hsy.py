"""Finland's hourly index (HSY, THL and FMI): five bands, worst pollutant wins.

FMI's table has no carbon monoxide; its row is HSY's. Bounds as in eu_eaqi: up to the upper bound, unrounded.
"""

from hazecast.air.averages import mean_of
from hazecast.air.indices.engine import Index
from hazecast.air.indices.result import Band
from hazecast.air.indices.scales import Steps
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit

_SCALES = {
    Pollutant.PM25: {"1h": Steps(Unit.UGM3, (10, 25, 50, 75))},
    Pollutant.PM10: {"1h": Steps(Unit.UGM3, (20, 50, 100, 200))},
    Pollutant.O3: {"1h": Steps(Unit.UGM3, (60, 100, 140, 180))},
    Pollutant.NO2: {"1h": Steps(Unit.UGM3, (40, 70, 150, 200))},
    Pollutant.SO2: {"1h": Steps(Unit.UGM3, (20, 80, 250, 350))},
    Pollutant.CO: {"1h": Steps(Unit.MGM3, (4, 8, 20, 30))},
}

FI_HSY = Index(
    name="fi-hsy",
    title="Finnish air quality index",
    version="2024-07",
    authority="https://www.hsy.fi/en/air-quality-and-climate/",
    bands=(
        Band("Good", 1, "#67E567", 1),
        Band("Satisfactory", 2, "#FFF055", 2),
        Band("Fair", 3, "#FFBB58", 3),
        Band("Poor", 4, "#FE4543", 4),
        Band("Very poor", 5, "#B5468B", 5),
    ),
    scales=_SCALES,
    hourly={pollutant: {"1h": mean_of(1, needs=1)} for pollutant in _SCALES},
    has_value=False,
)
