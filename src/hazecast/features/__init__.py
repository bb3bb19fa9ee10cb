"""Features from the data known at issue: the panel, the as-of view of it, and the features built from that view."""

from hazecast.features.build import Features, Rows, build_features, log_level
from hazecast.features.panel import Panel, build_panel
from hazecast.features.sequences import SequenceInputs, build_sequences
from hazecast.features.view import AsOfView, FutureWeather, as_of

__all__ = [
    "AsOfView",
    "Features",
    "FutureWeather",
    "Panel",
    "Rows",
    "SequenceInputs",
    "as_of",
    "build_features",
    "build_panel",
    "build_sequences",
    "log_level",
]
