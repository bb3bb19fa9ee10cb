"""Alert rules as data: conditions, recipients, delays and cool-downs (`config/alerts.yaml`)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hazecast.air.averages import DAY_STATISTICS
from hazecast.air.pollutants import Pollutant
from hazecast.air.verdicts import CHECKS

Measure = Literal["mean_24h", "max_1h", "mda8", "probability", "day_maximum", "day_mean"]
# A warning of its own accord closes when the probability is well below the one that opened it.
_CLOSE_SHARE = 0.7
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
        by: the statistic of a local day that is compared with it. For the statistics of `air.tables.DayForecasts`
            (mean_24h, max_1h, mda8) the rule looks at the probability of exceeding the value. The others look at
            hours: the highest hourly median (day_maximum), the mean of the hourly medians (day_mean; needs 18 hours)
            or the highest hourly probability (probability).
        cost_loss_ratio: instead of `open_at`, for a probability: the cost of acting divided by the loss that acting
            prevents, 0…1. Acting pays from this probability on (Murphy 1977, Mon. Weather Rev. 105, 803).
        open_at: bad from here on: a probability, or a multiple of the value for day_maximum and day_mean.
        close_at: clear below this; between both an incident stays as it is. Default: 0.7 × open_at.
        days_ahead: local days evaluated, including today.
        severity: of its incidents.
    """

    above_ugm3: dict[Pollutant, Annotated[float, Field(gt=0)]] = Field(min_length=1)
    by: Measure
    cost_loss_ratio: float | None = Field(None, gt=0, lt=1)
    open_at: float = Field(gt=0)
    close_at: float = Field(gt=0)
    days_ahead: int = Field(3, ge=1, le=6)
    severity: Literal["warning", "critical"] = "warning"

    @property
    def is_of_day_statistic(self) -> bool:
        """Whether it looks at the probability of a day statistic."""
        return self.by in DAY_STATISTICS

    @model_validator(mode="before")
    @classmethod
    def _default_thresholds(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        ratio = given.get("cost_loss_ratio")
        if ratio is not None and "open_at" in given:
            raise ValueError("cost_loss_ratio and open_at are the same threshold; keep one of them")
        if ratio is not None:
            given = {"open_at": ratio} | given
        opens = given.get("open_at")
        return {"close_at": _CLOSE_SHARE * opens} | given if isinstance(opens, int | float) else given

    @model_validator(mode="after")
    def _thresholds_fit(self) -> "ExceedanceRule":
        if self.close_at > self.open_at:
            raise ValueError("close_at must not be above open_at")
        if self.by in {"day_maximum", "day_mean"}:
            if self.cost_loss_ratio is not None:
                raise ValueError(
                    f"cost_loss_ratio is a probability; {self.by} has none: use {', '.join(DAY_STATISTICS)}"
                )
        elif self.open_at > 1:
            raise ValueError(f"by {self.by}, open_at is a probability between 0 and 1")
        return self


class Rules(_Part):
    """All rules; names are unique.

    Attributes:
        operators: rules for operators.
        public: rules for the public.
        languages: of the messages to the public, in this order.
    """

    languages: tuple[str, ...] = Field(default=("en",), min_length=1)
    operators: tuple[HealthRule, ...] = ()
    public: tuple[ExceedanceRule, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Rules":
        names = [rule.name for rule in (*self.operators, *self.public)]
        if len(names) != len(set(names)):
            raise ValueError("two rules have the same name")
        return self
