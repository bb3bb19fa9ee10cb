"""What one page shows: a station and pollutant with its forecast and last week, as frames."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from hazecast.air.clock import floor_hour, parse_utc
from hazecast.air.tables import QUANTILES
from hazecast.dashboard.client import Api, ApiProblem

UTC_TIME = pl.Datetime("us", "UTC")
NOT_FOUND = 404

OBSERVED = {"hour_start": UTC_TIME, "observed_ugm3": pl.Float64(), "flag": pl.String(), "flag_reasons": pl.String()}
FORECAST = {
    "hour_start": UTC_TIME,
    "lead_hours": pl.Int32(),
    **dict.fromkeys(("mean", *QUANTILES, "p_exceed_who", "p_exceed_eu"), pl.Float64()),
}


@dataclass(frozen=True)
class View:
    """Everything about one station and pollutant.

    `observed` has one row per observed hour, `hours` one per forecast hour (both by `hour_start`, UTC, µg/m³);
    `forecast` is None, and `hours` empty, while there is no forecast; `missing` then says why.
    """

    station: dict[str, Any]
    pollutant: str
    now: datetime
    forecast: dict[str, Any] | None
    missing: str
    observations: dict[str, Any]
    observed: pl.DataFrame
    hours: pl.DataFrame

    @property
    def zone(self) -> ZoneInfo:
        """The station's time zone."""
        return ZoneInfo(self.station["timezone"])

    @property
    def limits(self) -> list[dict[str, Any]]:
        """Limits and guidelines for the pollutant; none while there is no forecast."""
        limits: list[dict[str, Any]] = self.forecast["limits"] if self.forecast else []
        return limits

    @property
    def simulated(self) -> bool:
        """Whether anything shown is not a real measurement."""
        return bool(self.station["simulated"] or (self.forecast or {}).get("simulated"))

    def ahead(self, hours: int = 24) -> pl.DataFrame:
        """The forecast of the next hours, the running one first."""
        start = floor_hour(self.now)
        return self.hours.filter(pl.col("hour_start").is_between(start, start + timedelta(hours=hours), closed="left"))

    def table(self) -> pl.DataFrame:
        """Observed and forecast hours side by side with where they come from: what is shown and downloaded."""
        provenance = {
            "station_id": self.station["station_id"],
            "pollutant": self.pollutant,
            "source": self.station["source"],
            "simulated": self.simulated,
            "issued_at": None if self.forecast is None else self.forecast["issued_at"],
        }
        joined = self.observed.join(self.hours, on="hour_start", how="full", coalesce=True).sort("hour_start")
        local = pl.col("hour_start").dt.convert_time_zone(self.zone.key).dt.strftime("%Y-%m-%dT%H:%M%:z")
        return joined.with_columns(pl.lit(value).alias(name) for name, value in provenance.items()).select(
            pl.col("hour_start").dt.strftime("%Y-%m-%dT%H:%MZ").alias("hour_start_utc"),
            local.alias("hour_start_local"),
            pl.exclude("hour_start"),
        )


def load_view(api: Api, station: dict[str, Any], pollutant: str, *, now: datetime) -> View:
    """Ask the API for everything about one station and pollutant.

    Raises:
        ApiDown: no answer.
        ApiProblem: it cannot say; a forecast not made yet is no problem.
    """
    forecast, missing = _forecast_if_any(api, station["station_id"], pollutant)
    observations = api.observations(station["station_id"], pollutant)
    return View(
        station=station,
        pollutant=pollutant,
        now=now,
        forecast=forecast,
        missing=missing,
        observations=observations,
        observed=_observed(observations["hours"]),
        hours=_hours(forecast["hours"] if forecast else []),
    )


def _forecast_if_any(api: Api, station_id: str, pollutant: str) -> tuple[dict[str, Any] | None, str]:
    try:
        return api.forecast(station_id, pollutant), ""
    except ApiProblem as problem:
        if problem.status != NOT_FOUND:
            raise
        return None, problem.detail


def _observed(hours: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [
        (parse_utc(hour["observed_at"]), hour["concentration_ugm3"], hour["flag"], ", ".join(hour["flag_reasons"]))
        for hour in hours
    ]
    return pl.DataFrame(rows, schema=OBSERVED, orient="row")


def _hours(hours: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [
        {
            **hour,
            "hour_start": parse_utc(hour["valid_at"]),
            "p_exceed_who": hour["p_exceed"]["who"],
            "p_exceed_eu": hour["p_exceed"]["eu"],
        }
        for hour in hours
    ]
    return pl.DataFrame([{name: row[name] for name in FORECAST} for row in rows], schema=FORECAST)
