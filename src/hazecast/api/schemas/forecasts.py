"""Forecasts hour by hour and day by day, the list of issues, physics models and drivers."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import MAX_HORIZON_HOURS, QUANTILES
from hazecast.api.schemas.base import (
    ApiModel,
    Concentration,
    Distance,
    NextCursor,
    Probability,
    Status,
    Unit,
    is_absent,
    with_fields,
)

Quantile = Annotated[float | None, Field(description="Quantile [µg/m³]; absent unless requested", exclude_if=is_absent)]
Trend = Literal["rising", "steady", "falling"]
Scope = Literal["station", "highest_station", "mean_of_stations"]
DayStatistic = Literal["mean_24h", "max_1h", "mda8"]
DriverName = Literal["recent_levels", "neighbours", "weather_ahead"]


class Limit(ApiModel):
    """A legal limit or guideline for which exceedance is forecast."""

    key: str = Field(description="Its name under `p_exceed`", examples=["who"])
    label: str = Field(examples=["WHO 2021 guideline, 24 h"])
    concentration_ugm3: Concentration
    averaging_hours: int = Field(
        description="Averaging time of the limit [h]; `p_exceed` compares the mean of the single hour with it"
    )


if TYPE_CHECKING:

    class _ByLimit(ApiModel):
        def __getattr__(self, limit_key: str) -> float | None: ...
else:
    _ByLimit = with_fields(ApiModel, LIMIT_KEYS, Probability)


class Exceedance(_ByLimit):
    """Probability that the hour's mean is above each limit."""


class DayExceedance(_ByLimit):
    """Probability that the day's statistic is above each limit that is written for it."""


class HourIndex(ApiModel):
    """An air-quality index at one hour, from all pollutants of the station together.

    It is computed from the forecast medians and, as far as its averages reach back, from observations before the issue
    that passed the quality check.
    """

    status: str = Field(description="ok, sub-index (one pollutant alone) or insufficient data", examples=["ok"])
    value: int | None = Field(description="null where the index has only bands")
    label: str | None = Field(description="What the authority would display", examples=["102"])
    band: str | None = Field(examples=["Moderate"])
    level: int | None = Field(description="Severity of the band, 1 (good) … 6", examples=[2])
    colour: str = Field(description="The authority's own", examples=["#FFFF00"])
    colour_blind_safe: str = Field(examples=["#FFC907"])
    dominant_pollutant: Pollutant | None


class IndexName(ApiModel):
    """An air-quality index and the version of its table."""

    index: str = Field(examples=["us-epa"])
    title: str
    version: str


class _DayBase(ApiModel):
    scope: Scope = Field(description="station, or the whole place: its highest station, the mean of its stations")
    station_id: str = Field(description="* for the whole place")
    pollutant: Pollutant
    statistic: DayStatistic = Field(
        description="mean_24h: mean of the day; max_1h: highest hour; mda8: highest 8-hour mean that ends in the day"
    )
    day: date = Field(description="Local calendar date at the station")
    day_ahead: int = Field(description="Days from the day of issue, which is 0")
    issued_at: datetime
    n_hours: int = Field(description="Hours of the day with a value")
    n_observed: int = Field(description="Those observed before the issue; they enter as facts")
    mean: Concentration


class _HourBase(ApiModel):
    valid_at: datetime = Field(description="Start of the hour")
    lead_hours: int = Field(
        description="Hours from `issued_at` to the END of the hour, from 1 to the horizon of the place "
        f"(at most {MAX_HORIZON_HOURS})"
    )
    mean: Concentration


if TYPE_CHECKING:

    class _ByQuantile(_HourBase):
        def __getattr__(self, quantile: str) -> float | None: ...

    class _DayByQuantile(_DayBase):
        def __getattr__(self, quantile: str) -> float | None: ...
else:
    _ByQuantile = with_fields(_HourBase, QUANTILES, Quantile, default=None)
    _DayByQuantile = with_fields(_DayBase, QUANTILES, Quantile, default=None)


class ForecastHour(_ByQuantile):
    """One hour: mean and quantiles of its hourly mean concentration [µg/m³]; the 80 % interval is q10…q90."""

    p_exceed: Exceedance
    index: Annotated[HourIndex | None, Field(description="Absent unless requested", exclude_if=is_absent)] = None


class DayForecast(_DayByQuantile):
    """One statistic of one local day: mean and quantiles [µg/m³]; the 80 % interval is q10…q90."""

    p_exceed: DayExceedance
    status: Status
    model_version: str


class DayForecasts(ApiModel):
    """Forecasts of whole local days, from joint trajectories of their hours."""

    unit: Unit = "µg/m³"
    days: list[DayForecast]


class EnsembleHour(ApiModel):
    """One hour of all members, in the order of the members."""

    valid_at: datetime = Field(description="Start of the hour")
    members: list[float] = Field(description="Concentrations [µg/m³]")


class Ensemble(ApiModel):
    """Members of one issue: possible courses of its hours, equally likely.

    Every hour's members have the issued quantiles. Member k belongs to the same course at every station and pollutant
    of the issue.
    """

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    issued_at: datetime
    model_version: str
    n_members: int
    hours: list[EnsembleHour]


class Forecast(ApiModel):
    """One issued forecast of one pollutant at one station, with its age and provenance."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    distance_km: Distance = None
    issued_at: datetime
    next_issue_at: datetime | None = Field(description="When the next one is scheduled; null: no schedule")
    now: datetime = Field(description="Reference time of the ages, to the minute")
    status: Status = Field(description="baseline: climatology, no model could forecast; stale: issued too long ago")
    status_reason: str = Field(description="`status` in a sentence for people")
    data_age_hours: float = Field(description="Age NOW of the newest observation that this forecast used [h]")
    forecast_age_hours: float = Field(description="Hours since it was issued")
    model_version: str
    observations_version: int = Field(description="Version of the observations table it was made from")
    source: str
    simulated: bool = Field(description="True: made from simulated observations")
    attribution: str
    limits: list[Limit]
    index: Annotated[IndexName | None, Field(description="Absent unless requested", exclude_if=is_absent)] = None
    hours: list[ForecastHour]


class Forecasts(ApiModel):
    """Forecasts of several stations and pollutants, by station (or distance) and pollutant."""

    simulated: bool = Field(description="True when any of them is made from simulated observations")
    forecasts: list[Forecast]
    next_cursor: NextCursor = None


class Issue(ApiModel):
    """One issued forecast in the archive."""

    issued_at: datetime = Field(description="Pass it as `issued_at` to get this forecast")
    model_version: str


class Issues(ApiModel):
    """Archived forecasts of one pollutant at one station, newest first."""

    station_id: str
    pollutant: Pollutant
    issues: list[Issue]
    next_before: datetime | None = Field(description="Pass it as `before` for the next page; null: last page")


class _PollutantDayBase(ApiModel):
    pollutant: Pollutant
    mean_ugm3: Concentration
    max_ugm3: float = Field(description="Highest median of an hour [µg/m³]")
    max_at: datetime = Field(description="Start of that hour")
    max_q10_ugm3: float = Field(description="10 % quantile of that hour [µg/m³]")
    max_q90_ugm3: float = Field(description="90 % quantile of that hour [µg/m³]")


DayProbability = Annotated[
    float | None,
    Field(description="Largest probability of an hour's mean above this limit, 0…1; null where there is no such limit"),
]
if TYPE_CHECKING:

    class _PollutantDayByLimit(_PollutantDayBase):
        def __getattr__(self, p_exceed: str) -> float | None: ...
else:
    _PollutantDayByLimit = with_fields(_PollutantDayBase, [f"p_exceed_{key}" for key in LIMIT_KEYS], DayProbability)


class PollutantDay(_PollutantDayByLimit):
    """One pollutant on one local day: the forecast hours ahead, in numbers and words."""

    trend: Trend | None = Field(description="Compared with the day before; null without enough data for that day")
    words: str = Field(examples=["PM2.5 falls from 32 to 18 µg/m³; highest around 08:00"])


class Day(ApiModel):
    """One local day at a station, from the hours that are still ahead."""

    day: date = Field(description="Calendar day in the station's time zone")
    n_hours: int = Field(description="Forecast hours ahead on that day; fewer than 23 to 25: only a part of the day")
    index: HourIndex = Field(description="Of the worst hour")
    worst_at: datetime | None = Field(
        description="Start of the worst hours, by concentration relative to the bands of the index; null: no index, or "
        "all hours alike"
    )
    worst_until: datetime | None = Field(None, description="End of the worst hours")
    best_at: datetime | None = Field(description="Start of the best hours; null: no index, or all hours alike")
    best_until: datetime | None = Field(None, description="End of the best hours")
    hours_alike: bool = Field(False, description="True: the hours differ too little to name worst and best")
    advice: str = Field(description="For everyone, at the worst hour")
    advice_sensitive: str = Field(description="For sensitive groups, at the worst hour")
    pollutants: list[PollutantDay]


class Summary(ApiModel):
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


class Summaries(ApiModel):
    """The days ahead at several stations, for maps."""

    simulated: bool
    summaries: list[Summary]
    next_cursor: NextCursor = None


class BackgroundHour(ApiModel):
    """One hour of a physics model."""

    valid_at: datetime = Field(description="Start of the hour")
    concentration_ugm3: Concentration


class BackgroundRun(ApiModel):
    """One run of one physics model."""

    source: str = Field(examples=["cams"])
    issued_at: datetime = Field(description="Initialisation time of the run")
    available_at: datetime = Field(description="When the run was first published")
    hours: list[BackgroundHour]


class Background(ApiModel):
    """Forecasts of physics models for the same hours, the newest run of each, for comparison with the forecast."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    runs: list[BackgroundRun] = Field(description="Empty: none is archived for this station and pollutant")


class Driver(ApiModel):
    """How far one group of inputs moved the median of an hour, all other inputs unchanged.

    recent_levels: replaces the station's last 24 hours by the mean of the same hours of the six days before;
    neighbours: replaces the surrounding stations' observations by this station's; weather_ahead: replaces the forecast
    weather by that of the last 24 hours.
    """

    driver: DriverName
    effect_ugm3: float = Field(description="Median less the median with the replaced inputs [µg/m³]")


class DriversHour(ApiModel):
    """One hour of the forecast and its drivers; the effects do not add up."""

    valid_at: datetime = Field(description="Start of the hour")
    drivers: list[Driver]


class Drivers(ApiModel):
    """Drivers of one issued forecast at one hour of each lead block, computed by the model that made it."""

    station_id: str
    pollutant: Pollutant
    unit: Unit = "µg/m³"
    issued_at: datetime
    model_version: str
    hours: list[DriversHour] = Field(description="Empty: not available, as for a climatology forecast")
