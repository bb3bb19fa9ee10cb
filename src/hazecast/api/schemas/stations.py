"""Stations and what was measured there."""

from datetime import datetime

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.api.schemas.base import Answer, Concentration, Cursor, Distance, Flag, Unit


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
    licence: str = Field(description="Terms its observations may be used on", examples=["CC BY 4.0", "not stated"])
    pollutants: list[Pollutant] = Field(description="Those with forecasts or observations")
    distance_km: Distance = None


class Stations(Answer):
    """Stations by id, or by distance from the coordinate asked for."""

    simulated: bool = Field(description="True when any of the stations is simulated")
    stations: list[Station]
    next_cursor: Cursor = None


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
