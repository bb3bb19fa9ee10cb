"""Forecasts: hour by hour, day by day, and what they are held against."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.api.schemas.base import (
    Answer,
    Concentration,
    Cursor,
    Distance,
    Probability,
    Status,
    Unit,
    is_absent,
)

Quantile = Annotated[
    float | None, Field(description="Quantile [µg/m³]; absent when not asked for", exclude_if=is_absent)
]
Trend = Literal["rising", "steady", "falling"]
DriverName = Literal["recent_levels", "neighbours", "weather_ahead"]


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


class HourIndex(Answer):
    """An air-quality index at one hour, from all pollutants of the station together.

    It rests on the forecast medians and, as far as its averages reach back, on trusted observations before the issue.
    """

    status: str = Field(description="ok, sub-index (one pollutant alone) or insufficient data", examples=["ok"])
    value: int | None = Field(description="null where the index has only bands")
    label: str | None = Field(description="What the authority would display", examples=["102"])
    band: str | None = Field(examples=["Moderate"])
    level: int | None = Field(description="Severity of the band, 1 (good) … 6", examples=[2])
    colour: str = Field(description="The authority's own", examples=["#FFFF00"])
    colour_blind_safe: str = Field(examples=["#FFC907"])
    dominant_pollutant: Pollutant | None


AskedIndex = Annotated[HourIndex | None, Field(description="Absent when no index was asked for", exclude_if=is_absent)]


class IndexName(Answer):
    """Which index, by which table."""

    index: str = Field(examples=["us-epa"])
    title: str
    version: str


class ForecastHour(Answer):
    """One hour: mean and quantiles of its hourly mean concentration [µg/m³]; the 80 % band is q10…q90."""

    valid_at: datetime = Field(description="Start of the hour")
    lead_hours: int = Field(description="Hours from `issued_at` to the END of the hour, 1…72")
    mean: Concentration
    q05: Quantile = None
    q10: Quantile = None
    q25: Quantile = None
    q50: Quantile = None
    q75: Quantile = None
    q90: Quantile = None
    q95: Quantile = None
    p_exceed: Exceedance
    index: Annotated[
        HourIndex | None, Field(description="Absent when no index was asked for", exclude_if=is_absent)
    ] = None


class Forecast(Answer):
    """One issued forecast of one pollutant at one station, with its age and provenance."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    distance_km: Distance = None
    issued_at: datetime
    next_issue_at: datetime | None = Field(description="When the next one is scheduled; null: nothing is")
    now: datetime = Field(description="What ages are counted to, right to the minute")
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
    index: Annotated[IndexName | None, Field(description="Absent when none was asked for", exclude_if=is_absent)] = None
    hours: list[ForecastHour]


class Forecasts(Answer):
    """Forecasts of several stations and pollutants, by station (or distance) and pollutant."""

    simulated: bool = Field(description="True when any of them is made from simulated observations")
    forecasts: list[Forecast]
    next_cursor: Cursor = None


class PollutantDay(Answer):
    """One pollutant on one local day: the forecast hours ahead, in numbers and words."""

    pollutant: Pollutant
    mean_ugm3: Concentration
    max_ugm3: float = Field(description="Highest median of an hour [µg/m³]")
    max_at: datetime = Field(description="Start of that hour")
    max_q10_ugm3: float = Field(description="10 % quantile of that hour [µg/m³]")
    max_q90_ugm3: float = Field(description="90 % quantile of that hour [µg/m³]")
    p_exceed_who: Probability = Field(description="Largest probability of an hour's mean above the WHO value")
    p_exceed_eu: Probability = Field(description="Largest probability of an hour's mean above the EU value")
    trend: Trend | None = Field(description="Against the day before; null when that is not known")
    words: str = Field(examples=["PM2.5 falls from 32 to 18 µg/m³; highest around 08:00"])


class Day(Answer):
    """One local day at a station, from the hours that are still ahead."""

    day: date = Field(description="Calendar day in the station's time zone")
    n_hours: int = Field(description="Forecast hours ahead on that day; fewer than 23 to 25: only a part of the day")
    index: HourIndex = Field(description="Of the worst hour")
    worst_at: datetime | None = Field(description="Start of the hour with the worst index; null: no index")
    best_at: datetime | None = Field(description="Start of the hour with the best index; null: no index")
    advice: str = Field(description="For everyone, at the worst hour")
    advice_sensitive: str = Field(description="For sensitive groups, at the worst hour")
    pollutants: list[PollutantDay]


class Summary(Answer):
    """The days ahead at one station."""

    station_id: str
    name: str
    latitude: float | None
    longitude: float | None
    timezone: str
    distance_km: Distance = None
    issued_at: datetime
    now: datetime
    status: Status
    simulated: bool
    attribution: str
    index: IndexName
    days: list[Day] = Field(description="Empty when all forecast hours are past")


class Summaries(Answer):
    """The days ahead at several stations: what a map shows."""

    simulated: bool
    summaries: list[Summary]
    next_cursor: Cursor = None


class BackgroundHour(Answer):
    """One hour of a physics model."""

    valid_at: datetime = Field(description="Start of the hour")
    concentration_ugm3: Concentration


class BackgroundRun(Answer):
    """One run of one physics model."""

    source: str = Field(examples=["cams"])
    issued_at: datetime = Field(description="When the run started from")
    available_at: datetime = Field(description="When anybody could first have it")
    hours: list[BackgroundHour]


class Background(Answer):
    """What physics models say of the same hours: each model's newest run, to be shown beside the forecast."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    runs: list[BackgroundRun] = Field(description="Empty: none is archived for this station and pollutant")


class Driver(Answer):
    """How far one group of inputs moved the median of an hour, all else as it was.

    recent_levels: against the station's last 24 hours having been like the same hours of its six days before;
    neighbours: against the stations around having measured what this one did; weather_ahead: against the weather of the
    last 24 hours going on.
    """

    driver: DriverName
    effect_ugm3: float = Field(description="The median less what it would be otherwise [µg/m³]")


class DrivenHour(Answer):
    """One hour of the forecast and what moved it; the effects do not add up."""

    valid_at: datetime = Field(description="Start of the hour")
    drivers: list[Driver]


class Drivers(Answer):
    """What moved one issued forecast, at an hour of each lead block: answers of the model that made it."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    issued_at: datetime
    model_version: str
    hours: list[DrivenHour] = Field(description="Empty: not known, as where the climatology speaks")
