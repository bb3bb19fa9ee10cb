"""Input and output of an index."""

from dataclasses import asdict, dataclass
from typing import Any

from hazecast.air.advice import UNKNOWN, Advice
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit

OK, SUB_INDEX, INSUFFICIENT = "ok", "sub-index", "insufficient data"

# The ColorVision Assist palette (South Coast AQMD for US EPA, 2024), by severity; used for every index.
COLOUR_BLIND_SAFE = ("#9DFF91", "#FFC907", "#FF8203", "#F12100", "#890997", "#640115")
NO_COLOUR = "#9E9E9E"


@dataclass(frozen=True)
class Reading:
    """A concentration (≥ 0) of `unit`, averaged over `averaging` ("24h"); unit None: the index's own."""

    pollutant: Pollutant
    averaging: str
    concentration: float
    unit: Unit | None = None


@dataclass(frozen=True)
class Band:
    """A category of an index: values up to `upto`, the last band's without end; `level` is its severity, 1 … 6."""

    name: str
    upto: int
    colour: str
    level: int
    label: str = ""


@dataclass(frozen=True)
class SubIndex:
    """The sub-index of one reading, in the unit of the index; `value` is null where an index has only bands."""

    pollutant: Pollutant
    averaging: str
    concentration: float
    unit: Unit
    rank: float | None
    value: int | None
    band: str | None
    remark: str


@dataclass(frozen=True)
class IndexResult:
    """An index value with the readings it was computed from.

    `status`: "ok"; "sub-index" when only one pollutant was given and the index requires more (the value is that
    pollutant's alone); "insufficient data" with neither value nor band. `label` is what the authority would display.
    `pollutant`, `averaging`, `concentration` and `unit` are the reading with the highest sub-index;
    `dominant_pollutant` is null where the index names none.
    """

    index: str
    title: str
    version: str
    status: str
    value: int | None = None
    label: str | None = None
    band: str | None = None
    pollutant: Pollutant | None = None
    averaging: str | None = None
    concentration: float | None = None
    unit: Unit | None = None
    dominant_pollutant: Pollutant | None = None
    colour: str = NO_COLOUR
    colour_blind_safe: str = NO_COLOUR
    advice: Advice = UNKNOWN
    notes: tuple[str, ...] = ()
    sub_indices: tuple[SubIndex, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without ranks and remarks."""
        plain = asdict(self)
        for sub in plain["sub_indices"]:
            del sub["rank"], sub["remark"]
        return plain
