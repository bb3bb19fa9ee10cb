"""Alert rules as data: conditions, recipients, delays and cool-downs (`config/alerts.yaml`)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hazecast.air.pollutants import Pollutant
from hazecast.air.verdicts import CHECKS

Measure = Literal["probability", "day_maximum", "day_mean"]
Hours = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Part):
    """When an incident opens, is resolved and may be notified again.

    Attributes:
        name: identifies the rule and its incidents.
        label: shown to people.
        open_after_hours: must have been bad for so long [h].
        close_after_hours: must have been clear for so long [h].
        cool_down_hours: updates are at least so far apart; coming back sooner than this after the end is the same
            incident [h].
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    label: str
    open_after_hours: Hours = 0.0
    close_after_hours: Hours = 0.0
    cool_down_hours: Hours = 24.0


class HealthRule(Rule):
    """For operators: verdicts of monitoring that open an incident."""

    checks: tuple[str, ...] = Field(min_length=1)
    severities: tuple[Literal["warning", "critical"], ...] = ("warning", "critical")

    @field_validator("checks")
    @classmethod
    def _checks_exist(cls, checks: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(checks) - set(CHECKS))
        if unknown:
            raise ValueError(f"unknown check {', '.join(unknown)}; known: {', '.join(CHECKS)}")
        return checks


class ExceedanceRule(Rule):
    """For the public: predicted exceedances.

    Attributes:
        above_ugm3: the value not to be exceeded, by pollutant [µg/m³].
        by: the statistic compared with it, per local day: the highest hourly median (day_maximum), the mean of the
            hourly medians (day_mean; needs 18 hours), or the highest hourly probability above it (probability).
        open_at: bad from here on: a multiple of the value, or a probability.
        close_at: clear below this; between both an incident stays as it is.
        days_ahead: local days evaluated, including today.
        severity: of its incidents.
    """

    above_ugm3: dict[Pollutant, Annotated[float, Field(gt=0)]] = Field(min_length=1)
    by: Measure
    open_at: float = Field(gt=0)
    close_at: float = Field(gt=0)
    days_ahead: int = Field(3, ge=1, le=4)
    severity: Literal["warning", "critical"] = "warning"

    @model_validator(mode="after")
    def _closes_below(self) -> "ExceedanceRule":
        if self.close_at > self.open_at:
            raise ValueError("close_at must not be above open_at")
        if self.by == "probability" and self.open_at > 1:
            raise ValueError("by probability, open_at lies between 0 and 1")
        return self


class Rules(_Part):
    """All rules; names are unique."""

    operators: tuple[HealthRule, ...] = ()
    public: tuple[ExceedanceRule, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Rules":
        names = [rule.name for rule in (*self.operators, *self.public)]
        if len(names) != len(set(names)):
            raise ValueError("two rules have the same name")
        return self
