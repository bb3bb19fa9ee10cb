"""US EPA Air Quality Index, table in force since 2024-05-06."""

from fractions import Fraction

from hazecast.air.averages import Hours, mean_of
from hazecast.air.indices.engine import Index
from hazecast.air.indices.nowcast import ozone_nowcast, particle_nowcast
from hazecast.air.indices.result import Band
from hazecast.air.indices.scales import Line, Segment
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import US_REFERENCE_C, Unit

_INDEX = ((0, 50), (51, 100), (101, 150), (151, 200), (201, 300), (301, 500))
_PPB_PER_PPM = 1_000.0


def _line(unit: Unit, table: str, *, decimals: int, skip: int = 0, highest: int | None = None) -> Line:
    """A row of EPA's table ("0.0-9.0 9.1-35.4 …"); `skip`: the first categories it does not define."""
    ends = [piece.split("-") for piece in table.split()]
    pieces = zip(ends, _INDEX[skip:], strict=False)
    segments = tuple(Segment(Fraction(lower), Fraction(upper), *index) for (lower, upper), index in pieces)
    beyond = f"this average defines no AQI above {highest}" if highest else ""
    return Line(unit, segments, decimals=decimals, highest=highest, beyond=beyond)


def _ozone_nowcast(hours_ppm: Hours) -> float | None:
    nowcast = ozone_nowcast(hours_ppm * _PPB_PER_PPM)
    return None if nowcast is None else nowcast / _PPB_PER_PPM


_PM25 = _line(Unit.UGM3, "0.0-9.0 9.1-35.4 35.5-55.4 55.5-125.4 125.5-225.4 225.5-325.4", decimals=1)
_PM10 = _line(Unit.UGM3, "0-54 55-154 155-254 255-354 355-424 425-604", decimals=0)
_O3_8H = _line(Unit.PPM, "0.000-0.054 0.055-0.070 0.071-0.085 0.086-0.105 0.106-0.200", decimals=3, highest=300)
_O3_1H = _line(Unit.PPM, "0.125-0.164 0.165-0.204 0.205-0.404 0.405-0.604", decimals=3, skip=2)
_CO = _line(Unit.PPM, "0.0-4.4 4.5-9.4 9.5-12.4 12.5-15.4 15.5-30.4 30.5-50.4", decimals=1)
_SO2_1H = _line(Unit.PPB, "0-35 36-75 76-185 186-304", decimals=0, highest=200)
_SO2_24H = _line(Unit.PPB, "305-604 605-1004", decimals=0, skip=4)
_NO2 = _line(Unit.PPB, "0-53 54-100 101-360 361-649 650-1249 1250-2049", decimals=0)

US_EPA = Index(
    name="us-epa",
    title="US EPA Air Quality Index",
    version="2024-05-06",
    authority="https://www.airnow.gov/aqi/aqi-basics/",
    bands=(
        Band("Good", 50, "#00E400", 1),
        Band("Moderate", 100, "#FFFF00", 2),
        Band("Unhealthy for Sensitive Groups", 150, "#FF7E00", 3),
        Band("Unhealthy", 200, "#FF0000", 4),
        Band("Very Unhealthy", 300, "#8F3F97", 5),
        Band("Hazardous", 500, "#7E0023", 6),
    ),
    scales={
        Pollutant.PM25: {"24h": _PM25, "nowcast": _PM25},
        Pollutant.PM10: {"24h": _PM10, "nowcast": _PM10},
        Pollutant.O3: {"8h": _O3_8H, "1h": _O3_1H, "nowcast": _O3_8H},
        Pollutant.CO: {"8h": _CO},
        Pollutant.SO2: {"1h": _SO2_1H, "24h": _SO2_24H},
        Pollutant.NO2: {"1h": _NO2},
    },
    hourly={
        Pollutant.PM25: {"nowcast": particle_nowcast},
        Pollutant.PM10: {"nowcast": particle_nowcast},
        Pollutant.O3: {"nowcast": _ozone_nowcast},
        Pollutant.CO: {"8h": mean_of(8, needs=6)},
        Pollutant.SO2: {"1h": mean_of(1, needs=1), "24h": mean_of(24, needs=18)},
        Pollutant.NO2: {"1h": mean_of(1, needs=1)},
    },
    reference_c=US_REFERENCE_C,
)
