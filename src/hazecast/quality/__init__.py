"""Quality control: every row keeps its raw value and gains a flag with its reasons."""

from hazecast.quality.check import Flagged, check_background, flag, report, verdict
from hazecast.quality.rules import CONTEXT_HOURS, RULES
from hazecast.quality.weather import CheckedWeather, check_weather

__all__ = [
    "CONTEXT_HOURS",
    "RULES",
    "CheckedWeather",
    "Flagged",
    "check_background",
    "check_weather",
    "flag",
    "report",
    "verdict",
]
