"""Schema of a place file."""

import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal, Union
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hazecast.air.indices import INDICES
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import DEFAULT_HORIZON_HOURS, ForecastSpec
from hazecast.sources.provider import NetworkConfig
from hazecast.sources.registry import BACKGROUNDS, PROVIDERS

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

if TYPE_CHECKING:
    Observing = NetworkConfig
else:
    _CONFIGS = tuple(provider.config for provider in PROVIDERS.values() if provider.config)
    Observing = Annotated[Union[_CONFIGS], Field(discriminator="source")]  # noqa: UP007 - built from the registry


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeatherChoice(_Part):
    """The weather model, pinned because a model trained on one should not be served by another."""

    source: Literal["open_meteo"] = "open_meteo"
    model: str = "ecmwf_ifs025"


class Place(_Part):
    """One place: its observations, weather, background models, timezone and index."""

    place: str
    title: str
    timezone: str
    index: str
    pollutants: tuple[Pollutant, ...] = Field(min_length=1)
    observations: Observing
    weather: WeatherChoice = WeatherChoice()
    background: tuple[str, ...] = ()
    horizon_hours: int = DEFAULT_HORIZON_HOURS

    @field_validator("horizon_hours")
    @classmethod
    def _horizon_is_supported(cls, hours: int) -> int:
        return ForecastSpec(hours).horizon_hours

    @field_validator("place")
    @classmethod
    def _fit_for_a_folder(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("use small letters, digits and hyphens, as in los-angeles")
        return name

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in _zones():
            raise ValueError(f"{name!r} is not an IANA zone such as Europe/Helsinki")
        return name

    @field_validator("index")
    @classmethod
    def _known_index(cls, name: str) -> str:
        if name not in INDICES:
            raise ValueError(f"{name!r} is not one of {', '.join(INDICES)}")
        return name

    @field_validator("background")
    @classmethod
    def _known_backgrounds(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(names) - set(BACKGROUNDS)):
            raise ValueError(f"{unknown[0]!r} is not one of {', '.join(BACKGROUNDS)}")
        return names

    @property
    def key_setting(self) -> str:
        """The setting with the API key that the observations need; empty: none."""
        return PROVIDERS[self.observations.source].key_setting


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
