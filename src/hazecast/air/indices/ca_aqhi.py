"""Canada's Air Quality Health Index: the summed excess risk of three pollutants, 3-hour means (Stieb et al. 2008)."""

from collections.abc import Sequence

from hazecast.air.averages import mean_of
from hazecast.air.indices.engine import Index
from hazecast.air.indices.result import Band
from hazecast.air.indices.scales import Risk, half_up
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import US_REFERENCE_C, Unit

_FACTOR = 10 / 10.4 * 100
_COLOURS = ["02CBFF", "0099CA", "01649B", "FFFE02", "FFCB00", "FE9933", "FD6765", "FC0100", "CB0003", "9A0000"]
_RISKS = (("Low", 1),) * 3 + (("Moderate", 3),) * 3 + (("High", 4),) * 4


def _rounded_sum(shares: Sequence[float]) -> int:
    return max(1, half_up(sum(shares)))


_SCALES = {
    Pollutant.NO2: {"3h": Risk(Unit.PPB, 0.000871, _FACTOR)},
    Pollutant.O3: {"3h": Risk(Unit.PPB, 0.000537, _FACTOR)},
    Pollutant.PM25: {"3h": Risk(Unit.UGM3, 0.000487, _FACTOR)},
}

CA_AQHI = Index(
    name="ca-aqhi",
    title="Canada Air Quality Health Index",
    version="2008",
    authority="https://www.canada.ca/en/environment-climate-change/services/air-quality-health-index.html",
    bands=(
        *(
            Band(name, value, f"#{colour}", level)
            for value, ((name, level), colour) in enumerate(zip(_RISKS, _COLOURS, strict=True), 1)
        ),
        Band("Very High", 11, "#650100", 5, label="10+"),
    ),
    scales=_SCALES,
    hourly={pollutant: {"3h": mean_of(3, needs=2)} for pollutant in _SCALES},
    reference_c=US_REFERENCE_C,
    least_pollutants=len(_SCALES),
    combine=_rounded_sum,
)
