"""A provider: everything the rest of Hazecast needs to offer a data service, exposed by its folder as `PROVIDER`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from hazecast.sources import BackgroundModel, Source
from hazecast.sources.area import Area, Box, Circle, Listed
from hazecast.sources.http import HttpClient


class NetworkConfig(BaseModel):
    """`observations` of a place file; each provider adds its own keys and pins `source` to its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str

    @property
    def n_stations(self) -> int:
        """Number of listed stations."""
        return len(getattr(self, "stations", ()))


@dataclass(frozen=True)
class Services:
    """What a provider is built from.

    Args:
        client: the shared HTTP client.
        setting: value of a setting by its name, secrets included.
    """

    client: HttpClient
    setting: Callable[[str], str]


@dataclass(frozen=True)
class Background:
    """A background model that a provider offers, and the points it covers (latitude, longitude)."""

    build: Callable[[Services], BackgroundModel]
    covers: Callable[[float, float], bool] = lambda latitude, longitude: True  # noqa: ARG005


@dataclass(frozen=True)
class Provider:
    """One service.

    Args:
        name: value of `observations.source` in a place file.
        title: name for people.
        config: schema of `observations`; None: it observes nothing.
        build: the source for a config, pollutants and an IANA timezone.
        key_setting: the setting with the API key it needs; empty: none.
        discover: the config for the stations in a circle; None where it covers none. Raises SourceError.
        backgrounds: background models by name.
    """

    name: str
    title: str
    config: type[NetworkConfig] | None = None
    build: Callable[[Services, Any, Sequence[str], str], Source] | None = None
    key_setting: str = ""
    discover: Callable[[Services, Circle], NetworkConfig | None] | None = None
    backgrounds: Mapping[str, Background] = field(default_factory=dict)


def area_of(stations: Sequence[object], *choices: Box | Circle | None) -> Area:
    """The one area that a config chooses: listed stations, or the first of `choices` that is set."""
    if stations:
        return Listed(tuple(str(station) for station in stations))
    return next(choice for choice in choices if choice is not None)
