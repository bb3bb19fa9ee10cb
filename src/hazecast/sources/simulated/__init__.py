"""A simulated network around a fictitious city, with known truth and optional faults, for demos and tests."""

from hazecast.sources.simulated.faults import (
    Fault,
    Flatline,
    Gap,
    Outage,
    RegimeChange,
    SensorDrift,
    Spikes,
    UnitMistake,
)
from hazecast.sources.simulated.source import SimulatedSource

__all__ = [
    "Fault",
    "Flatline",
    "Gap",
    "Outage",
    "RegimeChange",
    "SensorDrift",
    "SimulatedSource",
    "Spikes",
    "UnitMistake",
]
