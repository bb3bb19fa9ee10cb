"""India's National Air Quality Index (CPCB, 2014): piecewise linear, three pollutants, one of them particles."""

from hazecast.air.averages import Window, mean_of
from hazecast.air.indices.engine import Index
from hazecast.air.indices.result import Band
from hazecast.air.indices.scales import Line, pieces_through
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit

_INDEX = (0, 50, 100, 200, 300, 400)
_SEVERE = "Severe has no official upper bound: the last slope goes on, up to 500"


def _line(unit: Unit, nodes: str) -> Line:
    return Line(unit, pieces_through(nodes, _INDEX), highest=500, beyond=_SEVERE)


_ONE_DAY: dict[str, Window] = {"24h": mean_of(24, needs=16)}
_O3_8H = Line(
    Unit.UGM3,
    pieces_through("0 50 100 168 208", _INDEX),
    highest=300,
    beyond="above 208 µg/m³ the 1-hour mean decides; this average defines no more than 300",
)
_O3_1H = Line(
    Unit.UGM3,
    pieces_through("208 748", (300, 400)),
    highest=500,
    beyond=_SEVERE,
)

IN_NAQI = Index(
    name="in-naqi",
    title="India National Air Quality Index",
    version="2014",
    authority="https://airquality.cpcb.gov.in/AQI_India/",
    bands=(
        Band("Good", 50, "#00B050", 1),
        Band("Satisfactory", 100, "#92D051", 2),
        Band("Moderately Polluted", 200, "#FFFF00", 3),
        Band("Poor", 300, "#FF6500", 4),
        Band("Very Poor", 400, "#FF0000", 5),
        Band("Severe", 500, "#C00000", 6),
    ),
    scales={
        Pollutant.PM25: {"24h": _line(Unit.UGM3, "0 30 60 90 120 250")},
        Pollutant.PM10: {"24h": _line(Unit.UGM3, "0 50 100 250 350 430")},
        Pollutant.NO2: {"24h": _line(Unit.UGM3, "0 40 80 180 280 400")},
        Pollutant.SO2: {"24h": _line(Unit.UGM3, "0 40 80 380 800 1600")},
        Pollutant.CO: {"8h": _line(Unit.MGM3, "0 1 2 10 17 34")},
        Pollutant.O3: {"8h": _O3_8H, "1h": _O3_1H},
    },
    hourly={
        Pollutant.PM25: _ONE_DAY,
        Pollutant.PM10: _ONE_DAY,
        Pollutant.NO2: _ONE_DAY,
        Pollutant.SO2: _ONE_DAY,
        Pollutant.CO: {"8h": mean_of(8, needs=6)},
        Pollutant.O3: {"8h": mean_of(8, needs=6), "1h": mean_of(1, needs=1)},
    },
    least_pollutants=3,
    needs_particles=True,
)
