"""The model registry: the only room that knows MLflow."""

from hazecast.registry.audit import Change
from hazecast.registry.registry import CHALLENGER, CHAMPION, Registry, Version
from hazecast.registry.runs import Record, Training

__all__ = ["CHALLENGER", "CHAMPION", "Change", "Record", "Registry", "Training", "Version"]
