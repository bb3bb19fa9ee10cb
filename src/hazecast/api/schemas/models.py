"""The models behind the forecasts, and forecasts for a site of one's own."""

from datetime import datetime

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.api.schemas.air import LARGEST, Question
from hazecast.api.schemas.base import Answer, UtcTime
from hazecast.api.schemas.forecasts import ForecastHour

MOST_OBSERVATIONS = 20_000


class ModelVersion(Answer):
    """One registered model."""

    version: str
    aliases: list[str] = Field(examples=[["champion"]])
    registered_at: datetime
    run_id: str = Field(description="Of the MLflow run that trained it")
    notes: dict[str, str]


class ModelChange(Answer):
    """One change of the champion: the audit trail."""

    at: datetime
    action: str = Field(description="promote or rollback")
    version: str
    replaced: str | None
    by: str
    reason: str


class Models(Answer):
    """Versions, who is champion, and how that came about."""

    registry: str = Field(
        description="ok; held: the registry is silent and this is what it said before; "
        "unavailable: it never answered; none: this API has no registry"
    )
    asked_at: datetime | None = Field(description="When the registry last answered")
    champion: str | None = Field(description="Version in charge; null: none yet, or not known")
    challenger: str | None
    serving: str | None = Field(description="Version that made the newest forecast served")
    versions: list[ModelVersion] = Field(description="Newest first")
    changes: list[ModelChange] = Field(description="Newest first")


class OwnObservation(Question):
    """One measured hourly mean."""

    pollutant: Pollutant
    observed_at: UtcTime = Field(description="Start of the hour, with its zone")
    concentration_ugm3: float = Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False, description="Hourly mean [µg/m³]")


class PredictQuestion(Question):
    """Recent observations of a site of one's own; four weeks of hours serve the model best, a day is little."""

    station_id: str = Field(default="own", min_length=1, max_length=100)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    timezone: str = Field(default="UTC", description="IANA name", max_length=64)
    issued_at: UtcTime | None = Field(
        default=None, description="Whole hour; null: the end of the newest hour observed. Later hours are ignored"
    )
    observations: list[OwnObservation] = Field(min_length=1, max_length=MOST_OBSERVATIONS)


class Predicted(Answer):
    """The 72 hours of one pollutant."""

    pollutant: Pollutant
    status: str = Field(description="baseline: no model could answer, what is usual at these hours stands in")
    hours: list[ForecastHour]


class Prediction(Answer):
    """A forecast for a site of one's own; stored nowhere."""

    station_id: str
    issued_at: datetime
    model_version: str
    forecasts: list[Predicted]
