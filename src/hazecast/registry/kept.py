"""The champion read last, kept on this machine: it forecasts when the registry is out of reach."""

import shutil
from pathlib import Path
from uuid import uuid4

from hazecast.errors import ModelOutdated
from hazecast.models import Model, load_model

_VERSION = "version"
_MODEL = "model"


class KeptChampion:
    """One model and its version in a folder; replaced as a whole, so that no reader finds half of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, forecaster: Model, version: str) -> None:
        """Replace what is kept."""
        fresh, old = (self._folder.with_name(f"{self._folder.name}.{uuid4().hex}") for _ in range(2))
        forecaster.save(fresh / _MODEL)
        (fresh / _VERSION).write_text(version)
        if self._folder.exists():
            self._folder.rename(old)
        fresh.rename(self._folder)
        shutil.rmtree(old, ignore_errors=True)

    def read(self) -> tuple[Model, str] | None:
        """The model and its version; None when nothing was kept yet, or by another release on other inputs."""
        if not self._folder.exists():
            return None
        try:
            forecaster = load_model(self._folder / _MODEL)
        except ModelOutdated:
            return None
        return forecaster, (self._folder / _VERSION).read_text()
