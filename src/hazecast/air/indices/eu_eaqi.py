"""European Air Quality Index of the European Environment Agency: bands without a number, worst pollutant wins.

Where the official bounds are integers with gaps (0–5, 6–15), a concentration up to the upper bound belongs to the
lower band, unrounded: the agency states no rounding.
"""

from hazecast.air.averages import mean_of
from hazecast.air.indices.engine import Index
from hazecast.air.indices.result import Band
from hazecast.air.indices.scales import Steps
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit

_ONE_HOUR = {"1h": mean_of(1, needs=1)}
_ONE_DAY = {"24h": mean_of(24, needs=18)}
_GASES = (Pollutant.O3, Pollutant.NO2, Pollutant.SO2)
_AUTHORITY = "https://airindex.eea.europa.eu/AQI/index.html"
_BANDS = (
    Band("Good", 1, "#50F0E6", 1),
    Band("Fair", 2, "#50CCAA", 2),
    Band("Moderate", 3, "#F0E641", 3),
    Band("Poor", 4, "#FF5050", 4),
    Band("Very poor", 5, "#960032", 5),
    Band("Extremely poor", 6, "#7D2181", 6),
)


def _hourly_bands(*uppers: float) -> dict[str, Steps]:
    return {"1h": Steps(Unit.UGM3, uppers)}


def _bounded(averaging: str, *uppers: float) -> dict[str, Steps]:
    return {averaging: Steps(Unit.UGM3, uppers, bounded=True)}


EU_EAQI = Index(
    name="eu-eaqi",
    title="European Air Quality Index",
    version="2024",
    authority=_AUTHORITY,
    bands=_BANDS,
    scales={
        Pollutant.PM25: _hourly_bands(5, 15, 50, 90, 140),
        Pollutant.PM10: _hourly_bands(15, 45, 120, 195, 270),
        Pollutant.O3: _hourly_bands(60, 100, 120, 160, 180),
        Pollutant.NO2: _hourly_bands(10, 25, 60, 100, 150),
        Pollutant.SO2: _hourly_bands(20, 40, 125, 190, 275),
    },
    hourly=dict.fromkeys((Pollutant.PM25, Pollutant.PM10, *_GASES), _ONE_HOUR),
    has_value=False,
)

EU_EAQI_OLD = Index(
    name="eu-eaqi",
    title="European Air Quality Index",
    version="before-2024",
    authority=_AUTHORITY,
    bands=_BANDS,
    scales={
        Pollutant.PM25: _bounded("24h", 10, 20, 25, 50, 75, 800),
        Pollutant.PM10: _bounded("24h", 20, 40, 50, 100, 150, 1200),
        Pollutant.O3: _bounded("1h", 50, 100, 130, 240, 380, 800),
        Pollutant.NO2: _bounded("1h", 40, 90, 120, 230, 340, 1000),
        Pollutant.SO2: _bounded("1h", 100, 200, 350, 500, 750, 1250),
    },
    hourly={Pollutant.PM25: _ONE_DAY, Pollutant.PM10: _ONE_DAY, **dict.fromkeys(_GASES, _ONE_HOUR)},
    has_value=False,
)

EU_EAQI_2017 = Index(
    name="eu-eaqi",
    title="European Air Quality Index",
    version="2017",
    authority=_AUTHORITY,
    bands=_BANDS[:5],
    scales={
        Pollutant.PM25: _bounded("24h", 10, 20, 25, 50, 800),
        Pollutant.PM10: _bounded("24h", 20, 35, 50, 100, 1200),
        Pollutant.O3: _bounded("1h", 80, 120, 180, 240, 600),
        Pollutant.NO2: _bounded("1h", 40, 100, 200, 400, 1000),
    },
    hourly={
        Pollutant.PM25: _ONE_DAY,
        Pollutant.PM10: _ONE_DAY,
        Pollutant.O3: _ONE_HOUR,
        Pollutant.NO2: _ONE_HOUR,
    },
    has_value=False,
    notes=("bands from secondary sources; those of SO₂ could not be found and are left out",),
)
