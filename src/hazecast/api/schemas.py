"""What the API answers: one class per answer, units in the names and descriptions, times UTC with Z."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from hazecast.air.clock import parse_utc
from hazecast.air.pollutants import Pollutant

FIRST_YEAR, LAST_YEAR = 1900, 2200


def read_time(text: str) -> datetime:
    """An ISO 8601 time with its zone, as UTC, in a year somebody may have measured.

    Raises:
        ValueError: not ISO 8601, without a zone, or outside 1900…2200.
    """
    year = text[:4]
    if not (year.isdecimal() and FIRST_YEAR <= int(year) <= LAST_YEAR):
        raise ValueError(f"{text!r} is not an ISO 8601 time in the years {FIRST_YEAR} to {LAST_YEAR}")
    # A bare + in an address arrives as a space.
    return parse_utc(text.replace(" ", "+"))


UtcTime = Annotated[AwareDatetime, BeforeValidator(read_time)]
Concentration = Annotated[float, Field(description="Concentration [µg/m³]", examples=[18.4])]
Probability = Annotated[float | None, Field(description="Probability 0…1; null where there is no such limit")]
Status = Literal["ok", "degraded", "stale", "baseline"]
Flag = Literal["ok", "suspicious", "invalid"]
Unit = Literal["µg/m³"]


class Answer(BaseModel):
    """Base of all answers: immutable."""

    model_config = ConfigDict(frozen=True)


class Health(Answer):
    """The process is alive; says nothing about the forecasts."""

    status: Literal["ok"] = "ok"
    version: str = Field(description="Version of Hazecast", examples=["0.1.0"])
    now: datetime = Field(description="What the clock of this installation says")
    clock_replayed: bool = Field(description="True when the clock replays the past instead of showing the real time")


class Readiness(Answer):
    """Forecasts exist and are recent enough."""

    status: Literal["ready"] = "ready"
    issued_at: datetime = Field(description="When the newest forecast was made")
    forecast_age_hours: float = Field(description="Hours since then", examples=[3.2])


class Station(Answer):
    """A fixed monitoring site."""

    station_id: str = Field(examples=["beijing/dongsi"])
    name: str = Field(examples=["Dongsi"])
    latitude: float | None = Field(description="WGS84 [degrees], null where unknown", examples=[39.93])
    longitude: float | None = Field(description="WGS84 [degrees], null where unknown", examples=[116.42])
    timezone: str = Field(
        description="IANA name; all times of the API are UTC all the same", examples=["Asia/Shanghai"]
    )
    source: str = Field(description="Where its observations come from", examples=["files"])
    simulated: bool = Field(description="True: not real measurements")
    attribution: str = Field(description="Whom to credit when showing these values")
    pollutants: list[Pollutant] = Field(description="Those with forecasts or observations")


class Stations(Answer):
    """Every station."""

    simulated: bool = Field(description="True when any of the stations is simulated")
    stations: list[Station]


class Limit(Answer):
    """A legal limit or guideline whose exceedance is forecast."""

    key: str = Field(description="Its name under `p_exceed`", examples=["who"])
    label: str = Field(examples=["WHO 2021 guideline, 24 h"])
    concentration_ugm3: Concentration
    averaging_hours: int = Field(
        description="Averaging time the limit is written for [h]; `p_exceed` compares the single hour's mean with it"
    )


class Exceedance(Answer):
    """Probability that the hour's mean is above each limit."""

    who: Probability
    eu: Probability


class ForecastHour(Answer):
    """One hour: mean and quantiles of its hourly mean concentration [µg/m³]; the 80 % band is q10…q90."""

    valid_at: datetime = Field(description="Start of the hour")
    lead_hours: int = Field(description="Hours from `issued_at` to the END of the hour, 1…72")
    mean: Concentration
    q05: Concentration
    q10: Concentration
    q25: Concentration
    q50: Concentration
    q75: Concentration
    q90: Concentration
    q95: Concentration
    p_exceed: Exceedance


class Forecast(Answer):
    """One issued forecast of one pollutant at one station, with its age and provenance."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    issued_at: datetime
    now: datetime
    status: Status = Field(description="baseline: no model could answer; stale: issued too long ago")
    status_reason: str = Field(description="`status` in a sentence for people")
    data_age_hours: float = Field(description="Age NOW of the newest observation this forecast knew [h]")
    forecast_age_hours: float = Field(description="Hours since it was issued")
    model_version: str
    observations_version: int = Field(description="Version of the observations table it was made from")
    source: str
    simulated: bool = Field(description="True: made from simulated observations")
    attribution: str
    limits: list[Limit]
    hours: list[ForecastHour]


class ObservationHour(Answer):
    """One measured hourly mean, raw, with the doubts about it."""

    observed_at: datetime = Field(description="Start of the hour")
    concentration_ugm3: Concentration
    flag: Flag
    flag_reasons: list[str] = Field(description="Names of the rules that doubt it", examples=[["spike"]])


class Observations(Answer):
    """Hourly means of one pollutant at one station that start in [since, until); hours without a value are absent."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    since: datetime
    until: datetime
    source: str
    simulated: bool
    attribution: str
    newest_observed_at: datetime | None = Field(description="Of this station and pollutant at all; null: none yet")
    data_age_hours: float | None = Field(description="Hours since the END of that hour")
    hours: list[ObservationHour]


class TableState(Answer):
    """A stored table; `version` counts its commits, null: nothing stored yet."""

    table: str
    version: int | None


class QualitySummary(Answer):
    """The latest check of observations over all stations and pollutants."""

    checked_at: datetime
    share_suspicious: float = Field(description="Of the hours observed, 0…1")
    share_invalid: float = Field(description="Of the hours observed, 0…1")
    worst_completeness: float = Field(description="Smallest share of hours present in any series, 0…1")
    worst_station_id: str
    worst_pollutant: Pollutant


class Score(Answer):
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
    coverage_80: float | None = Field(description="Share of observations inside q10…q90; 0.8 is right")


class State(Answer):
    """How fresh and how good everything is."""

    now: datetime
    clock_replayed: bool
    simulated: bool = Field(description="True when any of the stations is simulated")
    n_stations: int
    newest_observed_at: datetime | None
    newest_issued_at: datetime | None
    model_version: str | None = Field(description="Of the newest forecast")
    tables: list[TableState]
    quality: QualitySummary | None = Field(description="null: not checked yet")
    scores: list[Score] = Field(description="Empty: not verified yet")


class Problem(BaseModel):
    """Why there is no answer (RFC 9457, media type application/problem+json)."""

    type: str = Field(examples=["urn:hazecast:problem:not-known"])
    title: str = Field(examples=["Not known"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["unknown station 'dongsi'"])
    known: list[str] | None = Field(default=None, description="What may be asked for instead, at most 100")
