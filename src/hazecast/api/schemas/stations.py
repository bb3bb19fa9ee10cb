"""Stations and their observations."""

from datetime import datetime

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.api.schemas.base import ApiModel, Concentration, Distance, Flag, NextCursor, Unit


class Station(ApiModel):
    """A fixed monitoring site."""

    station_id: str = Field(examples=["beijing/dongsi"])
    name: str = Field(examples=["Dongsi"])
    latitude: float | None = Field(description="WGS84 [degrees], null where unknown", examples=[39.93])
    longitude: float | None = Field(description="WGS84 [degrees], null where unknown", examples=[116.42])
    timezone: str = Field(
        description="IANA name; for local days and display, all times of the API are UTC", examples=["Asia/Shanghai"]
    )
    source: str = Field(description="Source of its observations", examples=["files"])
    simulated: bool = Field(description="True: not real measurements")
    attribution: str = Field(description="Credit to display with these values")
    licence: str = Field(description="Licence of its observations", examples=["CC BY 4.0", "not stated"])
    pollutants: list[Pollutant] = Field(description="Those with forecasts or observations")
    distance_km: Distance = None


class Stations(ApiModel):
    """Stations by id, or by distance from the requested coordinate."""

    simulated: bool = Field(description="True when any of the stations is simulated")
    stations: list[Station]
    next_cursor: NextCursor = None


class ObservationHour(ApiModel):
    """One measured hourly mean, raw, with its quality flag."""

    observed_at: datetime = Field(description="Start of the hour")
    concentration_ugm3: Concentration
    flag: Flag
    flag_reasons: list[str] = Field(description="Names of the rules that flagged it", examples=[["spike"]])


class Observations(ApiModel):
    """Hourly means of one pollutant at one station that start in [since, until); hours without a value are absent."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    since: datetime
    until: datetime
    source: str
    simulated: bool
    attribution: str
    newest_observed_at: datetime | None = Field(description="Newest hour of this series at any time; null: none yet")
    data_age_hours: float | None = Field(description="Hours since the END of that hour")
    hours: list[ObservationHour]
