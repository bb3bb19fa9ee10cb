"""What was knowable at issue time: the panel, the as-of view cut from it, and the features built from that view."""

from hazecast.features.build import Features, Rows, build_features, log_level
from hazecast.features.panel import Panel, build_panel
from hazecast.features.view import FutureWeather, View, look

__all__ = ["Features", "FutureWeather", "Panel", "Rows", "View", "build_features", "build_panel", "log_level", "look"]
