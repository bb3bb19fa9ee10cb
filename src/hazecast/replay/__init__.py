"""The time machine: the pipelines driven through historical or simulated time, with troubles on request."""

from hazecast.replay.account import Account, Story, account_for
from hazecast.replay.drive import Drive, Missed, drive
from hazecast.replay.page import page
from hazecast.replay.scenario import Scenario, Trouble, read_scenario
from hazecast.replay.world import ReplayedWorld

__all__ = [
    "Account",
    "Drive",
    "Missed",
    "ReplayedWorld",
    "Scenario",
    "Story",
    "Trouble",
    "account_for",
    "drive",
    "page",
    "read_scenario",
]
