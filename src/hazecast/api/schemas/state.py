"""Liveness, readiness, and a summary of freshness and skill."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.api.schemas.base import ApiModel

StoreState = Literal["ok", "held", "empty"]


class Health(ApiModel):
    """The process is alive; no statement about the forecasts."""

    status: Literal["ok"] = "ok"
    version: str = Field(description="Version of Hazecast", examples=["0.1.0"])
    now: datetime = Field(description="The clock of this installation")
    clock_replayed: bool = Field(description="True when the clock replays the past instead of showing the real time")


class Readiness(ApiModel):
    """Forecasts exist and are recent enough."""

    status: Literal["ready"] = "ready"
    issued_at: datetime = Field(description="When the newest forecast was issued")
    forecast_age_hours: float = Field(description="Hours since then", examples=[3.2])


class TableState(ApiModel):
    """A stored table; `version` counts its commits, null: nothing stored yet."""

    table: str
    version: int | None


class QualitySummary(ApiModel):
    """The latest check of observations over all stations and pollutants."""

    checked_at: datetime
    share_suspicious: float = Field(description="Of the observed hours, 0…1")
    share_invalid: float = Field(description="Of the observed hours, 0…1")
    worst_completeness: float = Field(description="Smallest share of hours present in any series, 0…1")
    worst_station_id: str
    worst_pollutant: Pollutant


class Score(ApiModel):
    """The latest verification of one model for one pollutant over all leads."""

    model: str
    pollutant: Pollutant
    window_start: datetime
    window_end: datetime
    n: int = Field(description="Hours compared")
    mae: float | None = Field(description="Mean absolute error of the median [µg/m³]")
    rmse: float | None = Field(description="Root mean squared error of the mean [µg/m³]")
    bias: float | None = Field(description="Mean error of the mean [µg/m³]")
    rmae: float | None = Field(description="MAE over that of the seasonal naive on the same hours; below 1 is better")
    crps: float | None = Field(description="Continuous ranked probability score [µg/m³]")
    coverage_80: float | None = Field(description="Share of observations inside q10…q90; 0.8 is perfect calibration")


class TrainingProgress(ApiModel):
    """A training that is running."""

    step: Literal["train", "validate"]
    line: str = Field(description="What it does now", examples=["trees for leads 25-48 h"])
    share: float = Field(description="Share of the step that is done, 0…1")
    started_at: datetime = Field(description="When the step started")
    updated_at: datetime = Field(description="When it last reported progress")


class State(ApiModel):
    """Freshness and skill of the installation."""

    now: datetime
    clock_replayed: bool
    simulated: bool = Field(description="True when any of the stations is simulated")
    n_stations: int
    newest_observed_at: datetime | None
    newest_issued_at: datetime | None
    next_issue_at: datetime | None = Field(description="When the next forecast is scheduled; null: no schedule")
    index: str = Field(description="Name of the place's own air-quality index", examples=["fi-hsy"])
    model_version: str | None = Field(description="Of the newest forecast")
    training: TrainingProgress | None = Field(None, description="null: none is running, or not on this machine")
    store: StoreState = Field(
        default="ok",
        description="held: the stored tables cannot be read now, the rows read last are served; empty: nothing stored",
    )
    tables: list[TableState]
    quality: QualitySummary | None = Field(description="null: not checked yet")
    scores: list[Score] = Field(description="Empty: not verified yet")
