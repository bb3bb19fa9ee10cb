"""Replay: the pipeline run through past or simulated time, with planned faults."""

from hazecast.replay.driver import FailedRun, ReplayRun, ReplayWiring, drive, timetable
from hazecast.replay.integrity import Check, check_integrity
from hazecast.replay.page import page
from hazecast.replay.report import FaultReport, ReplayReport, report_on
from hazecast.replay.scenario import PlannedFault, Scenario, read_scenario
from hazecast.replay.world import ReplayedWorld

__all__ = [
    "Check",
    "FailedRun",
    "FaultReport",
    "PlannedFault",
    "ReplayReport",
    "ReplayRun",
    "ReplayWiring",
    "ReplayedWorld",
    "Scenario",
    "check_integrity",
    "drive",
    "page",
    "read_scenario",
    "report_on",
    "timetable",
]
