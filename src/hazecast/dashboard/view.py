"""What the Forecast page shows: a station and pollutant with its forecast and last week, as frames."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from hazecast.air.clock import floor_hour, parse_utc
from hazecast.air.spec import QUANTILES
from hazecast.dashboard.visit import Visit

UTC_TIME = pl.Datetime("us", "UTC")

BACKGROUND = {"source": pl.String(), "hour_start": UTC_TIME, "concentration_ugm3": pl.Float64()}
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
    `hours` is empty while there is no forecast. `background` has the newest runs of physics models: source,
    hour_start, concentration_ugm3.
    """

    visit: Visit
    pollutant: str
    newest_observed_at: str | None
    observed: pl.DataFrame
    hours: pl.DataFrame
    background: pl.DataFrame

    @property
    def background_sources(self) -> list[str]:
        """The physics models there are, at most two."""
        return self.background["source"].unique(maintain_order=True).to_list()[:2]

    @property
    def limits(self) -> list[dict[str, Any]]:
        """Limits and guidelines for the pollutant; none while there is no forecast."""
        limits: list[dict[str, Any]] = self.visit.forecast["limits"] if self.visit.forecast else []
        return limits

    def ahead(self, hours: int = 24) -> pl.DataFrame:
        """The forecast of the next hours, the running one first."""
        start = floor_hour(self.visit.now)
        return self.hours.filter(pl.col("hour_start").is_between(start, start + timedelta(hours=hours), closed="left"))

    def table(self) -> pl.DataFrame:
        """Observed and forecast hours side by side with where they come from: what is shown and downloaded."""
        forecast = self.visit.forecast or {}
        provenance = {
            "station_id": self.visit.station["station_id"],
            "pollutant": self.pollutant,
            "source": self.visit.station["source"],
            "simulated": self.visit.simulated,
            "issued_at": forecast.get("issued_at"),
            "model_version": forecast.get("model_version"),
        }
        joined = self.observed.join(self.hours, on="hour_start", how="full", coalesce=True).sort("hour_start")
        local = pl.col("hour_start").dt.convert_time_zone(self.visit.zone.key).dt.strftime("%Y-%m-%dT%H:%M%:z")
        return joined.with_columns(pl.lit(value).alias(name) for name, value in provenance.items()).select(
            pl.col("hour_start").dt.strftime("%Y-%m-%dT%H:%MZ").alias("hour_start_utc"),
            local.alias("hour_start_local"),
            pl.exclude("hour_start"),
        )


def load_view(visit: Visit, pollutant: str, **span: str) -> View:
    """Ask the API for what was observed of the visit's station and pollutant, beside its forecast.

    Args:
        visit: where, and its forecast.
        pollutant: of what.
        span: `since` and `until`; without them the last week.

    Raises:
        ApiDown: no answer.
        ApiProblem: it cannot say.
    """
    observations = visit.api.observations(visit.station["station_id"], pollutant, **span)
    return View(
        visit=visit,
        pollutant=pollutant,
        newest_observed_at=observations["newest_observed_at"],
        observed=observed_hours(observations["hours"]),
        hours=forecast_hours(visit.forecast["hours"] if visit.forecast else []),
        background=_background(visit, pollutant),
    )


def _background(visit: Visit, pollutant: str) -> pl.DataFrame:
    """The newest run of each physics model, for the hours of the forecast."""
    answer = visit.api.ask_station(visit.station["station_id"], "background", pollutant=pollutant)
    rows = [
        (run["source"].upper(), parse_utc(hour["valid_at"]), hour["concentration_ugm3"])
        for run in (answer or {}).get("runs", [])
        for hour in run["hours"]
    ]
    found = pl.DataFrame(rows, schema=BACKGROUND, orient="row")
    hours = [parse_utc(hour["valid_at"]) for hour in (visit.forecast or {}).get("hours", [])]
    return found.filter(pl.col("hour_start").is_in(hours))


def observed_hours(hours: list[dict[str, Any]]) -> pl.DataFrame:
    """The API's observed hours as a frame, one row per hour."""
    rows = [
        (parse_utc(hour["observed_at"]), hour["concentration_ugm3"], hour["flag"], ", ".join(hour["flag_reasons"]))
        for hour in hours
    ]
    return pl.DataFrame(rows, schema=OBSERVED, orient="row")


def forecast_hours(hours: list[dict[str, Any]]) -> pl.DataFrame:
    """The API's forecast hours as a frame, one row per hour."""
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
