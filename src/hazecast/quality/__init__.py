"""Quality control: every row keeps its raw value and gains a flag with its reasons."""

from hazecast.quality.check import Flagged, flag, report, verdict
from hazecast.quality.rules import CONTEXT_HOURS, RULES

__all__ = ["CONTEXT_HOURS", "RULES", "Flagged", "flag", "report", "verdict"]
