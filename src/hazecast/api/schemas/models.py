"""Registered models, and forecasts for sites outside the network."""

from datetime import datetime

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.api.schemas.base import ApiModel, RequestModel, UtcTime
from hazecast.api.schemas.forecasts import ForecastHour
from hazecast.api.schemas.indices import MAX_CONCENTRATION

# Six pollutants for almost 20 weeks of hours; the model reads four weeks.
MAX_OBSERVATIONS = 20_000


class ModelVersion(ApiModel):
    """One registered model."""

    version: str
    aliases: list[str] = Field(examples=[["champion"]])
    registered_at: datetime
    run_id: str = Field(description="Of the MLflow run that trained it")
    notes: dict[str, str]


class ModelChange(ApiModel):
    """One entry of the audit trail: a promotion or rollback."""

    at: datetime
    action: str = Field(description="promote or rollback")
    version: str
    replaced: str | None
    by: str
    reason: str


class Models(ApiModel):
    """Registered versions, the champion and its audit trail."""

    registry: str = Field(
        description="ok; held: the registry is unreachable, this is its last response; "
        "unavailable: it has never responded; none: this API has no registry"
    )
    asked_at: datetime | None = Field(description="When the registry last responded")
    champion: str | None = Field(description="Version with the champion alias; null: none, or not known")
    challenger: str | None
    serving: str | None = Field(description="Version that made the newest served forecast")
    versions: list[ModelVersion] = Field(description="Newest first")
    changes: list[ModelChange] = Field(description="Newest first")


class ObservationIn(RequestModel):
    """One measured hourly mean."""

    pollutant: Pollutant
    observed_at: UtcTime = Field(description="Start of the hour, with its zone")
    concentration_ugm3: float = Field(
        ge=-MAX_CONCENTRATION,
        le=MAX_CONCENTRATION,
        allow_inf_nan=False,
        strict=True,
        description="Hourly mean [µg/m³]",
    )


class PredictRequest(RequestModel):
    """Recent observations of a site outside the network; best with four weeks of hours, poor with one day."""

    station_id: str = Field(default="own", min_length=1, max_length=100)
    latitude: float | None = Field(default=None, ge=-90, le=90, strict=True)
    longitude: float | None = Field(default=None, ge=-180, le=180, strict=True)
    timezone: str = Field(default="UTC", description="IANA name", max_length=64)
    issued_at: UtcTime | None = Field(
        default=None, description="Whole hour; null: the end of the newest observed hour. Later hours are ignored"
    )
    observations: list[ObservationIn] = Field(min_length=1, max_length=MAX_OBSERVATIONS)


class PredictedSeries(ApiModel):
    """The forecast of one pollutant, hour by hour up to the model's horizon."""

    pollutant: Pollutant
    status: str = Field(description="baseline: climatology, no model could forecast")
    hours: list[ForecastHour]


class Prediction(ApiModel):
    """A forecast for a site outside the network; it is not stored."""

    station_id: str
    issued_at: datetime
    model_version: str
    forecasts: list[PredictedSeries]
