"""The pipeline: its steps at one moment, the sequences they form, and the runner that executes a sequence.

The commands, the replay and the Prefect flows run the same sequences.
"""

from hazecast.pipeline.pipeline import Pipeline
from hazecast.pipeline.runner import Outcome, Runner
from hazecast.pipeline.sequences import FIRST, FULL, MONITORING, PREDICTION, SEQUENCES, TRAINING, Sequence, Step

__all__ = [
    "FIRST",
    "FULL",
    "MONITORING",
    "PREDICTION",
    "SEQUENCES",
    "TRAINING",
    "Outcome",
    "Pipeline",
    "Runner",
    "Sequence",
    "Step",
]
