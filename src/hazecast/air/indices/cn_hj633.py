"""China's Air Quality Index: HJ 633-2012, and HJ 633-2026 in force since 2026-03-01.

Concentrations are rounded to whole µg/m³, and CO to a tenth of mg/m³, as China publishes them (HJ 663-2013, GB/T 8170);
sub-indices are rounded up. The 2026 nodes (PM2.5 and PM10 at 100) come from a secondary source; the official Table 1
could not be read, see docs/indices.md. The hourly report takes the gases' 1-hour means, ozone's 8-hour mean too, and
24-hour running means of particles; a 24-hour mean needs 20 hours (GB 3095-2012 Table 4).
"""

from collections.abc import Mapping

from hazecast.air.averages import Window, mean_of
from hazecast.air.indices.engine import Index
from hazecast.air.indices.result import Band
from hazecast.air.indices.scales import Line, Scale, pieces_through, round_up
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import CN_REFERENCE_C, Unit

_INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
_ONE_HOUR: dict[str, Window] = {"1h": mean_of(1, needs=1)}
_ONE_DAY: dict[str, Window] = {"24h": mean_of(24, needs=20)}


def _line(unit: Unit, nodes: str, *, beyond: str = "the index ends at 500") -> Line:
    pieces = pieces_through(nodes, _INDEX)
    return Line(
        unit,
        pieces,
        rounding=round_up,
        decimals=1 if unit is Unit.MGM3 else 0,
        rounds_concentration=True,
        highest=pieces[-1].index_upper,
        beyond=beyond,
    )


_GASES: Mapping[Pollutant, Mapping[str, Scale]] = {
    Pollutant.SO2: {
        "24h": _line(Unit.UGM3, "0 50 150 475 800 1600 2100 2620"),
        "1h": _line(Unit.UGM3, "0 150 500 650 800", beyond="above 800 µg/m³ the 24-hour mean decides"),
    },
    Pollutant.NO2: {
        "24h": _line(Unit.UGM3, "0 40 80 180 280 565 750 940"),
        "1h": _line(Unit.UGM3, "0 100 200 700 1200 2340 3090 3840"),
    },
    Pollutant.CO: {
        "24h": _line(Unit.MGM3, "0 2 4 14 24 36 48 60"),
        "1h": _line(Unit.MGM3, "0 5 10 35 60 90 120 150"),
    },
    Pollutant.O3: {
        "8h": _line(Unit.UGM3, "0 100 160 215 265 800", beyond="above 800 µg/m³ the 1-hour mean decides"),
        "1h": _line(Unit.UGM3, "0 160 200 300 400 800 1000 1200"),
    },
}


def _edition(year: int, *, pm25: str, pm10: str, notes: tuple[str, ...] = ()) -> Index:
    particles = {Pollutant.PM25: _line(Unit.UGM3, pm25), Pollutant.PM10: _line(Unit.UGM3, pm10)}
    return Index(
        name=f"cn-hj633-{year}",
        title="China Air Quality Index",
        version=f"HJ 633-{year}",
        authority="https://air.cnemc.cn:18007/",
        bands=(
            Band("优 (Excellent)", 50, "#00E400", 1),
            Band("良 (Good)", 100, "#FFFF00", 2),
            Band("轻度污染 (Lightly Polluted)", 150, "#FF7E00", 3),
            Band("中度污染 (Moderately Polluted)", 200, "#FF0000", 4),
            Band("重度污染 (Heavily Polluted)", 300, "#99004C", 5),
            Band("严重污染 (Severely Polluted)", 500, "#7E0023", 6),
        ),
        scales={**{p: {"24h": line, "1h": line} for p, line in particles.items()}, **_GASES},
        hourly={
            **dict.fromkeys(particles, _ONE_DAY),
            **dict.fromkeys((Pollutant.SO2, Pollutant.NO2, Pollutant.CO), _ONE_HOUR),
            Pollutant.O3: {"8h": mean_of(8, needs=6), **_ONE_HOUR},
        },
        reference_c=CN_REFERENCE_C,
        primary_above=50,
        notes=notes,
    )


CN_2012 = _edition(2012, pm25="0 35 75 115 150 250 350 500", pm10="0 50 150 250 350 420 500 600")
CN_2026 = _edition(
    2026,
    pm25="0 35 60 115 150 250 350 500",
    pm10="0 50 120 250 350 420 500 600",
    notes=("nodes of HJ 633-2026 from a secondary source",),
)
