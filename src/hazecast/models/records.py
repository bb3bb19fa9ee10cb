"""The highest a station has ever had, and how far to believe a forecast beyond it.

On the log scale an error is a factor, alike at every level. Four times what is usual may well come on a clean day; four
times the thickest smoke a station ever had does not.
"""

import numpy as np
import numpy.typing as npt

from hazecast.features import Panel

Floats = npt.NDArray[np.float32]

_BELIEVED = np.float32(0.25)  # of what lies beyond the record, on the log scale
_FEWEST_HOURS = 14 * 24  # a shorter one is no record


def records(panel: Panel, until: int) -> dict[str, dict[str, float]]:
    """Highest trusted concentration [µg/m³] per pollutant and station id, of stations with two weeks of hours.

    Args:
        panel: everything.
        until: panel hour; what was not available by then is not looked at.
    """
    return panel.by_station(until, _highest)


def standing_records(trained: dict[str, float], stations: list[str], history: Floats) -> Floats:
    """The record of each case at its issue [µg/m³]: the highest in training or in the days before.

    A station without a record of its own may reach what any has; where none has one, there is none: infinity.

    Args:
        trained: one pollutant of `records`.
        stations: (case,) ids.
        history: (case, hour) concentrations of the days before, NaN where unknown [µg/m³].
    """
    anywhere = max(trained.values(), default=np.inf)
    known = np.array([trained.get(station, anywhere) for station in stations], np.float32)
    return np.fmax(known, np.fmax.reduce(history, axis=1))


def temper(values: Floats, record: Floats) -> Floats:
    """Concentrations with a quarter, on the log scale, of what lies beyond the record; their order stays.

    Args:
        values: (…, case, any) [µg/m³].
        record: (case,) [µg/m³].
    """
    limit = record[:, None]
    beyond = np.maximum(values / limit, 1)
    return np.asarray(np.minimum(values, limit) * beyond**_BELIEVED)


def _highest(values: Floats) -> float:
    return max(float(values.max()), 0.0) if len(values) >= _FEWEST_HOURS else 0.0
