"""A scenario: a simulated city and the faults planned for it, written as YAML (docs/replay.md)."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hazecast.air.pollutants import Pollutant
from hazecast.errors import SettingsError
from hazecast.sources.simulated import Fault, Gap, RegimeChange, SensorDrift

HourOfDay = Annotated[int, Field(ge=0, le=23)]
Kind = Literal["sensor_failing", "sensor_drifting", "source_outage", "regime_change", "poisoned_batch"]

LABELS: dict[Kind, str] = {
    "sensor_failing": "a sensor fails",
    "sensor_drifting": "a sensor drifts",
    "source_outage": "the source is unreachable",
    "regime_change": "concentrations change",
    "poisoned_batch": "a poisoned batch arrives",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedFault(_Part):
    """A fault and its time.

    Attributes:
        kind: sensor_failing (delivers nothing), sensor_drifting (its zero drifts by `per_day_ugm3`), source_outage
            (nothing can be fetched until its end), regime_change (true concentrations times `factor`),
            poisoned_batch (all values fetched during the fault, older hours too, are multiplied by `factor`).
        from_day: start, counted from the start of the replay [d].
        for_days: duration [d].
        station: for the two kinds of sensor faults.
        pollutant: the sensor of that station; for a regime change None means all.
        per_day_ugm3: drift [µg/m³ per day].
        factor: of the concentrations.
        hours: first and last hour of the day (UTC) in which a regime change applies; None: all hours.
    """

    kind: Kind
    from_day: float = Field(ge=0)
    for_days: float = Field(gt=0)
    station: str | None = None
    pollutant: Pollutant | None = None
    per_day_ugm3: float | None = None
    factor: float | None = Field(default=None, gt=0)
    hours: tuple[HourOfDay, HourOfDay] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> "PlannedFault":
        needed = {
            "sensor_failing": ("station", "pollutant"),
            "sensor_drifting": ("station", "pollutant", "per_day_ugm3"),
            "source_outage": (),
            "regime_change": ("factor",),
            "poisoned_batch": ("factor",),
        }[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.kind} needs {', '.join(missing)}")
        return self

    @property
    def label(self) -> str:
        """The fault, for people."""
        where = f" ({self.station} {self.pollutant})" if self.station else ""
        return LABELS[self.kind] + where

    def span(self, start: datetime) -> tuple[datetime, datetime]:
        """Start and end in a replay from `start`."""
        since = start + timedelta(days=self.from_day)
        return since, since + timedelta(days=self.for_days)

    def fault(self, start: datetime) -> Fault | None:
        """Its effect on instruments or air; None if it only affects fetching."""
        since, until = self.span(start)
        if self.kind == "sensor_failing":
            return Gap(station_id=self.station, pollutant=self.pollutant, since=since, until=until)
        if self.kind == "sensor_drifting":
            drift = self.per_day_ugm3 or 0.0
            where = {"station_id": self.station, "pollutant": self.pollutant}
            return SensorDrift(**where, since=since, until=until, per_day_ugm3=drift)  # type: ignore[arg-type]
        if self.kind == "regime_change":
            factor = self.factor or 1.0
            return RegimeChange(pollutant=self.pollutant, since=since, until=until, factor=factor, hours=self.hours)
        return None


class City(_Part):
    """The simulated city: number of stations, and pollutants."""

    stations: int = Field(default=6, ge=1)
    pollutants: tuple[Pollutant, ...] = tuple(Pollutant)


class Scenario(_Part):
    """The plan of a replay.

    Attributes:
        name: title of the report.
        city: for the simulated source; a dataset folder has its own stations.
        history_days: collected before the replay starts, from the simulated source [d].
        validation_days: held out to validate candidates [d].
        light_training: train in a fraction of the time, with worse forecasts, for a quick replay.
        faults: what goes wrong; the key `troubles` of earlier releases is accepted.
    """

    name: str = "no faults"
    city: City = City()
    history_days: int = Field(default=180, ge=40)
    validation_days: int = Field(default=28, ge=5)
    light_training: bool = False
    faults: tuple[PlannedFault, ...] = Field(default=(), validation_alias=AliasChoices("faults", "troubles"))


def read_scenario(path: Path) -> Scenario:
    """The scenario in a YAML file.

    Raises:
        SettingsError: it cannot be read or is invalid; the message names the key.
    """
    try:
        return Scenario.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError) as err:
        raise SettingsError(f"the scenario {path} cannot be read: {err}") from err
    except ValidationError as err:
        problems = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in err.errors())
        raise SettingsError(f"the scenario {path} is invalid: {problems}") from err
