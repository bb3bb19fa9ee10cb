"""The model registry behind a cache, so that the API responds when MLflow is slow or down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hazecast.api.background import BackgroundCache
from hazecast.api.errors import ModelUnavailable
from hazecast.errors import RegistryError

if TYPE_CHECKING:
    from hazecast.models import Model
    from hazecast.registry import Change, Registry, Version

REFRESH_SECONDS = 5.0
# A champion may have to be downloaded before the first request can be served.
FIRST_LOAD_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class RegistrySnapshot:
    """The registry at one time; `changes` newest first."""

    read_at: datetime
    champion: str | None
    challenger: str | None
    versions: "tuple[Version, ...]"
    changes: "tuple[Change, ...]"


class RegistryCache:
    """The registry as the endpoints see it.

    Args:
        registry: opens the registry, in a background thread (MLflow takes seconds to import); None: there is none.
        clock: returns the current time.
        refresh_seconds: least time between two requests to the registry [s].
    """

    def __init__(
        self,
        registry: "Callable[[], Registry] | None",
        clock: Callable[[], datetime],
        *,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._registry, self._clock = registry, clock
        self._snapshots: BackgroundCache[RegistrySnapshot] = BackgroundCache(
            self._read, name="model registry", refresh_seconds=refresh_seconds
        )
        self._champions: BackgroundCache[tuple[Model, str]] = BackgroundCache(
            self._load,
            name="champion",
            refresh_seconds=refresh_seconds,
            first_timeout_seconds=FIRST_LOAD_TIMEOUT_SECONDS,
        )

    def snapshot(self) -> tuple[str, RegistrySnapshot | None]:
        """State of the registry (ok, held, unavailable, none) and the last snapshot."""
        if self._registry is None:
            return "none", None
        snapshot, error = self._snapshots.get()
        if snapshot is None:
            return "unavailable", None
        return ("ok" if error is None else "held"), snapshot

    def champion(self) -> "tuple[Model, str]":
        """The champion and its version; a moved alias takes effect within seconds.

        Raises:
            ModelUnavailable: there is no registry, no champion, or it is not loaded yet.
        """
        if self._registry is None:
            raise ModelUnavailable("this API was started without a model registry; it serves stored forecasts only")
        champion, error = self._champions.get()
        if champion is None:
            raise ModelUnavailable(_reason(error))
        return champion

    def _read(self, _: RegistrySnapshot | None) -> RegistrySnapshot:
        assert self._registry is not None
        registry = self._registry()
        return RegistrySnapshot(
            read_at=self._clock(),
            champion=registry.champion_version(),
            challenger=registry.challenger_version(),
            versions=tuple(registry.versions()),
            changes=tuple(reversed(registry.history())),
        )

    def _load(self, cached: "tuple[Model, str] | None") -> "tuple[Model, str]":
        assert self._registry is not None
        registry = self._registry()
        if cached is not None and registry.champion_version() == cached[1]:
            return cached
        return registry.champion()


def _reason(error: Exception | None) -> str:
    """A remedy for the client, without messages of the registry, which may contain addresses."""
    if error is None:
        return "the champion is still loading; retry in a minute"
    if type(error) is RegistryError:
        return "the model registry is unreachable; see the log of the API"
    return str(error)
