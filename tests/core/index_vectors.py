"""Published index values, each with its origin; `python tests/core/index_vectors.py` prints docs/indices.md's table."""

from dataclasses import dataclass

from hazecast.air.indices import INDICES, Reading
from hazecast.air.pollutants import Pollutant


@dataclass(frozen=True)
class Vector:
    """`given`: "pm25 24h 35.9; …" in the index's own units; `published`: number, display label or "undefined"."""

    index: str
    given: str
    published: str
    origin: str

    @property
    def readings(self) -> list[Reading]:
        parts = [part.split() for part in self.given.split(";")]
        return [Reading(Pollutant(name), averaging, float(value)) for name, averaging, value in parts]

    def ours(self) -> str:
        result = INDICES[self.index].evaluate(self.readings)
        return "undefined" if result.label is None else result.label


def _series(index: str, pollutant: str, origin: str, **published: str) -> list[Vector]:
    """`_24h="9.0→50 9.05→50"`."""
    return [
        Vector(index, f"{pollutant} {averaging[1:]} {concentration}", value, origin)
        for averaging, pairs in published.items()
        for concentration, value in (pair.split("→") for pair in pairs.split())
    ]


AQIHUB = "caiyunapp/aqi-hub tests"
AQIPY = "aqipy tests"
PYTHON_AQI = "python-aqi and aqipy tests"
GASES = "caiyunapp/aqi-hub and python-aqi tests"
AEOLUS = "aeolus tests"
TAD = "EPA Technical Assistance Document, example"
NO_CAP = "computed by EPA's no-cap rule of 2024"

VECTORS: tuple[Vector, ...] = (
    *_series("us-epa", "pm25", AQIHUB, _24h="9.0→50 9.1→51 20.0→71 35.4→100 35.5→101 35.9→102"),
    *_series("us-epa", "pm25", AQIHUB, _24h="55.4→150 125.4→200 125.5→201 225.4→300 325.4→500"),
    *_series("us-epa", "pm25", AEOLUS + " (truncation)", _24h="9.05→50 35.45→100"),
    *_series("us-epa", "pm25", NO_CAP, _24h="425.4→699"),
    *_series("us-epa", "pm25", "forum.airnowtech.org/t/172", _nowcast="28.4→87"),
    *_series("us-epa", "pm10", GASES, _24h="54→50 154→100 154.9→100 604→500"),
    *_series("us-epa", "pm10", "computed by EPA's equation; aqi-hub has 388", _24h="504→389"),
    *_series("us-epa", "o3", PYTHON_AQI, _8h="0.070→100 0.0709→100 0.07853333→126 0.200→300"),
    *_series("us-epa", "o3", PYTHON_AQI, _1h="0.124→undefined 0.162→147"),
    *_series("us-epa", "co", GASES, _8h="8.4→90 40.4→400"),
    *_series("us-epa", "no2", GASES, _1h="53→50 100→100 360→150 649→200 1249→300"),
    *_series("us-epa", "so2", GASES, _1h="304→200"),
    Vector("us-epa", "o3 8h 0.078; pm25 24h 35.9; co 8h 8.4", "126", TAD),
    *_series("cn-hj633-2012", "pm25", AQIHUB, _24h="35→50 50→69 59→80 60→82 75→100 90→119 115→150"),
    *_series("cn-hj633-2026", "pm25", AQIHUB, _24h="35→50 50→80 59→98 60→100 75→114 90→128 115→150"),
    *_series("cn-hj633-2026", "pm10", AQIHUB, _24h="120→100 150→112"),
    Vector("ca-aqhi", "o3 3h 15; no2 3h 0; pm25 3h 100", "6", AQIPY),
    Vector("ca-aqhi", "o3 3h 0; no2 3h 0; pm25 3h 0", "1", AQIPY),
    Vector("ca-aqhi", "o3 3h 30; no2 3h 20; pm25 3h 10", "4", AQIPY),
    Vector("ca-aqhi", "o3 3h 40; no2 3h 10; pm25 3h 200", "10+", AQIPY),
    *_series("uk-daqi", "pm25", AEOLUS, _24h="10→1 11.4→1 11.5→2 40→4 55→7 75→10"),
    *_series("uk-daqi", "o3", AEOLUS, _8h="120→4"),
    *_series("uk-daqi", "no2", AEOLUS, _1h="50→1"),
)


def table() -> str:
    """The table of docs/indices.md."""
    rows = ["| index | concentrations | published | ours | origin |", "|---|---|---|---|---|"]
    rows += [f"| {v.index} | {_said(v)} | {v.published} | {v.ours()} | {v.origin} |" for v in VECTORS]
    return "\n".join(rows)


def _said(vector: Vector) -> str:
    return ", ".join(
        f"{sub.pollutant.label} {sub.averaging} {sub.concentration:.9g} {sub.unit.label}"
        for sub in INDICES[vector.index].evaluate(vector.readings).sub_indices
    )


if __name__ == "__main__":
    print(table())
