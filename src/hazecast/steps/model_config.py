"""Hyper-parameters from `model.yaml` in the config folder and from HAZECAST_MODEL_PARAMETERS or `--set`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from hazecast.errors import SettingsError
from hazecast.models import ModelConfig
from hazecast.models.config import parse_assignments

FILE = "model.yaml"


def read_model_config(folders: Iterable[Path], *, light: bool, assignments: Iterable[str]) -> ModelConfig:
    """The defaults or the light preset, changed by the first `model.yaml` of `folders`, then by the assignments.

    Args:
        folders: where the file may be; it is optional.
        light: start from the light preset.
        assignments: "trees.rounds=80".

    Raises:
        SettingsError: not YAML, an unknown name or a value out of range; the message gives the file and known names.
    """
    config = ModelConfig.light() if light else ModelConfig()
    path = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if path is not None:
        config = config.changed(_read(path), source=str(path))
    return config.changed(parse_assignments(assignments), source="HAZECAST_MODEL_PARAMETERS or --set")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise SettingsError(f"{path} cannot be read: {err}") from err
    if not isinstance(found, dict):
        raise SettingsError(f"{path} must map groups of parameters to values, such as trees: {{rounds: 80}}")
    return found
