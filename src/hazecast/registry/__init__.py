"""The model registry: the only room that knows MLflow."""

from hazecast.registry.registry import Registry, Training

__all__ = ["Registry", "Training"]
