"""One station and pollutant as data frames: observations, forecast, physics models and limits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.air.spec import QUANTILES
from hazecast.api import schemas
from hazecast.dashboard.context import PageContext, optional

UTC_TIME = pl.Datetime("us", "UTC")
OBSERVED = {"hour_start": UTC_TIME, "observed_ugm3": pl.Float64(), "flag": pl.String(), "flag_reasons": pl.String()}
BACKGROUND = {"source": pl.String(), "hour_start": UTC_TIME, "concentration_ugm3": pl.Float64()}


@dataclass(frozen=True)
class Series:
    """Data of one station and pollutant; `hour_start` is UTC, concentrations are µg/m³.

    Attributes:
        context: of the page.
        pollutant: shown.
        forecast: shown; None if there is none.
        newest_observed_at: start of the newest hour ever observed.
        observed: one row per observed hour: hour_start, observed_ugm3, flag, flag_reasons.
        hours: one row per forecast hour: hour_start, lead_hours, mean, quantiles, p_exceed_<limit>; empty without one.
        background: newest runs of the physics models: source, hour_start, concentration_ugm3.
        days: statistics of the local days of the same issue; empty where none are served.
    """

    context: PageContext
    pollutant: str
    forecast: schemas.Forecast | None
    newest_observed_at: datetime | None
    observed: pl.DataFrame
    hours: pl.DataFrame
    background: pl.DataFrame
    days: tuple[schemas.DayForecast, ...] = ()

    @property
    def background_sources(self) -> list[str]:
        """Names of the physics models."""
        return self.background["source"].unique(maintain_order=True).to_list()

    @property
    def limits(self) -> list[schemas.Limit]:
        """Limits of the pollutant; empty without a forecast or where it has none."""
        return list(self.forecast.limits) if self.forecast else []

    def day(self, statistic: str, *, ahead: int) -> schemas.DayForecast | None:
        """The statistic of the local day `ahead` days from today; None: not forecast."""
        wanted = self.context.now.astimezone(self.context.zone).date() + timedelta(days=ahead)
        return next((one for one in self.days if (one.statistic, one.day) == (statistic, wanted)), None)

    def next_hours(self, n_hours: int = 24) -> pl.DataFrame:
        """The forecast of the next hours, from the current hour on."""
        start = floor_hour(self.context.now)
        end = start + timedelta(hours=n_hours)
        return self.hours.filter(pl.col("hour_start").is_between(start, end, closed="left"))

    def table(self) -> pl.DataFrame:
        """Observed and forecast hours with their provenance, for display and download."""
        provenance = {
            "station_id": self.context.station.station_id,
            "pollutant": self.pollutant,
            "source": self.context.station.source,
            "simulated": self.context.simulated,
            "issued_at": f"{self.forecast.issued_at:%Y-%m-%dT%H:%M:%SZ}" if self.forecast else None,
            "model_version": self.forecast.model_version if self.forecast else None,
        }
        joined = self.observed.join(self.hours, on="hour_start", how="full", coalesce=True).sort("hour_start")
        local = pl.col("hour_start").dt.convert_time_zone(self.context.zone.key).dt.strftime("%Y-%m-%dT%H:%M%:z")
        return joined.with_columns(pl.lit(value).alias(name) for name, value in provenance.items()).select(
            pl.col("hour_start").dt.strftime("%Y-%m-%dT%H:%MZ").alias("hour_start_utc"),
            local.alias("hour_start_local"),
            pl.exclude("hour_start"),
        )


def load_series(context: PageContext, pollutant: str) -> Series:
    """The last week of observations, the newest forecast and the physics models for the same hours.

    Raises:
        ApiUnreachable: the API does not answer.
        ApiProblem: the API answers with an error.
    """
    observations = context.api.observations(context.station.station_id, pollutant)
    series = replace(
        _series(context, pollutant, context.forecast, observations), days=_days(context, pollutant, context.forecast)
    )
    background = optional(lambda: context.api.background(context.station.station_id, pollutant))
    rows = [
        (run.source.upper(), hour.valid_at, hour.concentration_ugm3)
        for run in (background.runs if background else [])
        for hour in run.hours
    ]
    found = pl.DataFrame(rows, schema=BACKGROUND, orient="row")
    hours = series.hours["hour_start"].implode()
    return replace(series, background=found.filter(pl.col("hour_start").is_in(hours)))


def load_archived_series(context: PageContext, pollutant: str, *, issued_at: datetime, before: timedelta) -> Series:
    """A forecast of the archive with the observations from `before` its issue to its last hour.

    It has no background: the API serves only the newest runs, which did not exist at the time of the issue.

    Raises:
        ApiUnreachable: the API does not answer.
        ApiProblem: the API answers with an error.
    """
    station_id = context.station.station_id
    forecast = context.api.forecast(station_id, pollutant, issued_at=issued_at)
    end = max(hour.valid_at for hour in forecast.hours) + timedelta(hours=1)
    observations = context.api.observations(station_id, pollutant, since=issued_at - before, until=end)
    return _series(context, pollutant, forecast, observations)


def _days(context: PageContext, pollutant: str, forecast: schemas.Forecast | None) -> tuple[schemas.DayForecast, ...]:
    if forecast is None:
        return ()
    station_id, issued_at = context.station.station_id, forecast.issued_at
    found = optional(lambda: context.api.days(station_id, pollutant, issued_at=issued_at))
    return tuple(found.days) if found else ()


def _series(
    context: PageContext, pollutant: str, forecast: schemas.Forecast | None, observations: schemas.Observations
) -> Series:
    return Series(
        context=context,
        pollutant=pollutant,
        forecast=forecast,
        newest_observed_at=observations.newest_observed_at,
        observed=observation_frame(observations.hours),
        hours=forecast_frame(forecast),
        background=pl.DataFrame(schema=BACKGROUND),
    )


def observation_frame(hours: Sequence[schemas.ObservationHour]) -> pl.DataFrame:
    """One row per observed hour: hour_start, observed_ugm3, flag, flag_reasons."""
    rows = [(hour.observed_at, hour.concentration_ugm3, hour.flag, ", ".join(hour.flag_reasons)) for hour in hours]
    return pl.DataFrame(rows, schema=OBSERVED, orient="row")


def forecast_frame(forecast: schemas.Forecast | None) -> pl.DataFrame:
    """One row per forecast hour: hour_start, lead_hours, mean, quantiles and p_exceed_<key> for each limit."""
    keys = [limit.key for limit in forecast.limits] if forecast else []
    columns = ("mean", *QUANTILES, *(f"p_exceed_{key}" for key in keys))
    schema = {"hour_start": UTC_TIME, "lead_hours": pl.Int32(), **dict.fromkeys(columns, pl.Float64())}
    rows = []
    for hour in forecast.hours if forecast else []:
        values = hour.model_dump()
        probabilities = {f"p_exceed_{key}": value for key, value in values["p_exceed"].items()}
        rows.append({**values, **probabilities, "hour_start": hour.valid_at})
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
