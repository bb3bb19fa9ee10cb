"""A local copy of the latest champion, for forecasts while the registry is unreachable or damaged."""

import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import structlog

from hazecast.errors import ModelUnusable
from hazecast.models import Model, load_model, save_model

_VERSION = "version"
_MODEL = "model"

log = structlog.get_logger()


class ChampionCache:
    """One model and its version in a folder; replaced atomically, so that no reader finds an incomplete one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def store(self, forecaster: Model, version: str) -> None:
        """Replace the cached model by another one; a folder that cannot be written to keeps what it has."""
        cached = self.read()
        if cached is not None and (cached[1], cached[0].trained_until) == (version, forecaster.trained_until):
            return
        fresh, old = (self._folder.with_name(f"{self._folder.name}.{uuid4().hex}") for _ in range(2))
        try:
            save_model(forecaster, fresh / _MODEL)
            (fresh / _VERSION).write_text(version)
            if self._folder.exists():
                self._folder.rename(old)
            fresh.rename(self._folder)
        except OSError as err:
            log.warning("the champion is not copied to this machine", reason=str(err))
        finally:
            for left in self._folder.parent.glob(f"{self._folder.name}.*"):
                shutil.rmtree(left, ignore_errors=True)

    def read(self) -> tuple[Model, str] | None:
        """The model and its version; None if nothing is cached, by a release with other inputs, or damaged."""
        with suppress(ModelUnusable, OSError):
            return load_model(self._folder / _MODEL), (self._folder / _VERSION).read_text()
        return None
