"""A local copy of the latest champion, for forecasts while the registry is unreachable."""

import shutil
from pathlib import Path
from uuid import uuid4

from hazecast.errors import ModelOutdated
from hazecast.models import Model, load_model

_VERSION = "version"
_MODEL = "model"


class ChampionCache:
    """One model and its version in a folder; replaced atomically, so that no reader finds an incomplete one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def store(self, forecaster: Model, version: str) -> None:
        """Replace the cached model."""
        fresh, old = (self._folder.with_name(f"{self._folder.name}.{uuid4().hex}") for _ in range(2))
        forecaster.save(fresh / _MODEL)
        (fresh / _VERSION).write_text(version)
        if self._folder.exists():
            self._folder.rename(old)
        fresh.rename(self._folder)
        shutil.rmtree(old, ignore_errors=True)

    def read(self) -> tuple[Model, str] | None:
        """The model and its version; None if nothing is cached, or by a release with other inputs."""
        if not self._folder.exists():
            return None
        try:
            forecaster = load_model(self._folder / _MODEL)
        except ModelOutdated:
            return None
        return forecaster, (self._folder / _VERSION).read_text()
