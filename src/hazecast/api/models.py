"""What the registry says of the models, held, so that the API answers when MLflow does not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hazecast.api.problems import NoModel
from hazecast.api.watched import Watched
from hazecast.errors import RegistryError
from hazecast.models.forecaster import Forecaster

if TYPE_CHECKING:
    from hazecast.registry import Change, Registry, Version

_LOADING_SECONDS = 60.0


@dataclass(frozen=True)
class Told:
    """One answer of the registry."""

    asked_at: datetime
    champion: str | None
    challenger: str | None
    versions: "tuple[Version, ...]"
    changes: "tuple[Change, ...]"


class Models:
    """The registry as the endpoints see it.

    Args:
        registry: opens the registry, in a thread of its own (MLflow takes seconds to import); None: there is none.
        clock: tells the time.
    """

    def __init__(self, registry: "Callable[[], Registry] | None", clock: Callable[[], datetime]) -> None:
        self._registry, self._clock = registry, clock
        self._told: Watched[Told] = Watched(self._ask)
        self._champion: Watched[tuple[Forecaster, str]] = Watched(self._load, first_patience_seconds=_LOADING_SECONDS)

    def tell(self) -> tuple[str, Told | None]:
        """How the registry is (ok, held, unavailable, none) and what it said last."""
        if self._registry is None:
            return "none", None
        told, error = self._told.get()
        if told is None:
            return "unavailable", None
        return ("ok" if error is None else "held"), told

    def champion(self) -> tuple[Forecaster, str]:
        """The champion and its version; a moved alias is noticed within seconds, the old one serves until then.

        Raises:
            NoModel: there is no registry, no champion, or no answer so far.
        """
        if self._registry is None:
            raise NoModel("this API serves stored forecasts only; it was started without a model registry")
        found, error = self._champion.get()
        if found is None:
            raise NoModel(_why(error))
        return found

    def _ask(self, _: Told | None) -> Told:
        assert self._registry is not None
        registry = self._registry()
        return Told(
            asked_at=self._clock(),
            champion=registry.champion_version(),
            challenger=registry.challenger_version(),
            versions=tuple(registry.versions()),
            changes=tuple(reversed(registry.history())),
        )

    def _load(self, held: tuple[Forecaster, str] | None) -> tuple[Forecaster, str]:
        assert self._registry is not None
        registry = self._registry()
        if held is not None and registry.champion_version() == held[1]:
            return held
        return registry.champion()


def _why(error: Exception | None) -> str:
    """Without the registry's own words, which may name addresses, but for what a person can act on."""
    if error is None:
        return "the champion is still being loaded; ask again in a minute"
    if type(error) is RegistryError:
        return "the model registry does not answer; the API's log says why"
    return str(error)
