"""Forecast models behind one protocol (`models.base`), the baselines, and the promotion test."""

from hazecast.models.base import (
    DEFAULT_KIND,
    KINDS,
    Explainable,
    Model,
    load_model,
    model_class,
    register_model,
    save_model,
)
from hazecast.models.config import ModelConfig

__all__ = [
    "DEFAULT_KIND",
    "KINDS",
    "Explainable",
    "Model",
    "ModelConfig",
    "load_model",
    "model_class",
    "register_model",
    "save_model",
]
