"""Hyper-parameters for tests of behaviour, not of skill: one network per fold, trained briefly."""

from hazecast.models import ModelConfig

_BRIEF = dict.fromkeys(("epochs", "epochs_without_weather", "epochs_with_observed_weather"), 1)
_RATES = dict.fromkeys(("learning_rate", "learning_rate_without_weather"), 9e-3)
_FEW = {"members": 100, "origins": 20, "stations": 4}
SMALL = ModelConfig().changed(
    {"gru": {"networks_per_fold": 1, "min_steps": 40, **_BRIEF, **_RATES}, "trajectories": _FEW}, source="tests"
)
LIGHT = ModelConfig.light()
# For tests of the seam, where any fitted model will do.
TINY = SMALL.changed({"sampling.cases": 300, "gru.min_steps": 10, "trees.rounds": 5}, source="tests")
