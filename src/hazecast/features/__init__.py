"""What was knowable at issue time: the panel, the as-of view cut from it, and the features built from that view."""

from hazecast.features.build import Features, Rows, build_features, log_level
from hazecast.features.panel import Panel, build_panel
from hazecast.features.path import Path, build_path
from hazecast.features.view import FutureWeather, View, look

# Raise it whenever what a model is shown, or what is kept of it, changes: a model of before cannot forecast.
INPUTS = 6

__all__ = [
    "INPUTS",
    "Features",
    "FutureWeather",
    "Panel",
    "Path",
    "Rows",
    "View",
    "build_features",
    "build_panel",
    "build_path",
    "log_level",
    "look",
]
