"""CAMS, the Copernicus atmosphere service, by way of Open-Meteo: forecasts of the six pollutants by physics."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.tables import Background, conform
from hazecast.sources.area import EUROPE
from hazecast.sources.open_meteo.api import TIME, OpenMeteo, Query

ATTRIBUTION = "Open-Meteo.com; contains modified Copernicus Atmosphere Monitoring Service information (CAMS)"
LICENCE = "CC BY 4.0"
_UNIT = "µg/m³"
_THEIRS = {
    "pm25": "pm2_5",
    "pm10": "pm10",
    "no2": "nitrogen_dioxide",
    "o3": "ozone",
    "so2": "sulphur_dioxide",
    "co": "carbon_monoxide",
}
_RUN_LENGTH = {"cams_europe": timedelta(hours=96), "cams_global": timedelta(hours=120)}


def is_in_europe(latitude: float, longitude: float) -> bool:
    """Whether the European model covers the point; the global one covers all."""
    return EUROPE.contains("", latitude, longitude)


@dataclass(frozen=True)
class CamsForecast:
    """The newest forecast of one CAMS domain, never of two mixed: their seam is a jump.

    Args:
        api: the Open-Meteo client.
        name: cams_europe (0.1°, once a day, four days) or cams_global (0.4°, twice a day, five days).
    """

    api: OpenMeteo
    name: str
    attribution: str = f"Background: {ATTRIBUTION}, {LICENCE}"

    def fetch_background(self, stations: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
        """Background rows of the newest run, from its issue on; empty where the domain has none of the stations.

        A run that was not out at `now` is not known: a replayed clock gets nothing.

        Raises:
            SourceUnavailable: not reachable now.
            SourceRefused: the service has nothing for these stations.
        """
        points = stations.drop_nulls(["latitude", "longitude"])
        if self.name == "cams_europe":
            points = points.filter(EUROPE.covers())
        if points.is_empty():
            return Background.create_empty()
        run = self.api.newest_run("air-quality-api", self.name)
        if run.available_at > now:
            return Background.create_empty()
        end = run.issued_at + _RUN_LENGTH[self.name]
        rows = hourly_means(self.api, points, domain=self.name, first=run.issued_at.date(), last=end.date())
        rows = rows.filter(pl.col("at") >= run.issued_at, pl.col("at") < end).rename({"at": "valid_at"})
        return conform(
            Background,
            rows.with_columns(
                source=pl.lit(self.name),
                issued_at=pl.lit(run.issued_at, TIME),
                available_at=pl.lit(run.available_at, TIME),
            ),
        )


def hourly_means(api: OpenMeteo, points: pl.DataFrame, *, domain: str, first: date, last: date) -> pl.DataFrame:
    """station_id, pollutant, `at` (start of the hour) and concentration_ugm3; hours without a value are absent.

    CAMS gives instants, so the mean of an hour is taken as the mean of the instants at its two ends.
    """
    options = {"domains": domain}
    query = Query("air-quality-api", "/v1/air-quality", dict.fromkeys(_THEIRS.values(), _UNIT), first, last, options)
    instants = api.query(query, points).rename({theirs: ours for ours, theirs in _THEIRS.items()})
    series = instants.unpivot(
        on=list(POLLUTANTS), index=["station_id", "at"], variable_name="pollutant", value_name="concentration_ugm3"
    ).sort("station_id", "pollutant", "at")
    end = pl.col("concentration_ugm3").shift(-1).over("station_id", "pollutant")
    mean = (pl.col("concentration_ugm3") + end) / 2
    return series.with_columns(concentration_ugm3=mean).drop_nulls("concentration_ugm3")
