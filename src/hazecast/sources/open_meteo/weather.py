"""Weather as it was known: past forecasts by lead time, the newest forecast, and the analysis."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.spec import DEFAULT_HORIZON_HOURS
from hazecast.air.tables import WEATHER_VARIABLES, Weather
from hazecast.sources.open_meteo.api import TIME, OpenMeteo, Query, Run

ATTRIBUTION = "Weather data by Open-Meteo.com, CC BY 4.0"
# Of earlier runs nothing was kept but temperature.
FIRST_KEPT = datetime(2024, 1, 1, tzinfo=UTC)
# Runs start at 00, 06, 12 and 18 UTC and come out within nine hours.
RUN_KNOWN_AFTER = 9 * HOUR
RUNS_APART = 6 * HOUR
RUN_EVERY = 12 * HOUR
# At issue the newest run is up to 21 h old (12 h apart, known after 9 h), and must still reach the horizon.
RUN_MARGIN_HOURS = 24
LIVE_MARGIN_HOURS = 48
# Sea-level pressure, because the ground of the model's grid is not that of the station.
_VARIABLES = {
    "temperature_2m": ("temperature_c", "°C"),
    "pressure_msl": ("pressure_hpa", "hPa"),
    "dew_point_2m": ("dew_point_c", "°C"),
    "precipitation": ("precipitation_mm", "mm"),
    "wind_direction_10m": ("wind_direction_deg", "°"),
    "wind_speed_10m": ("wind_speed_ms", "m/s"),
    "relative_humidity_2m": ("relative_humidity_pct", "%"),
}
_OURS = {theirs: ours for theirs, (ours, _) in _VARIABLES.items()}


@dataclass(frozen=True)
class OpenMeteoWeather:
    """Weather of one pinned model at stations.

    Three kinds of rows, distinguished by `source`: `…:live`, the newest run as it is served; `…:previous_runs`, what
    runs issued at 00 and 12 UTC would have known of the next hours (a day more than the horizon), made of the values
    predicted whole days before each hour; `…:analysis`, the past, from the shortest forecasts. Reconstructed runs are
    never better than the real run of their time, since they use only runs that had started by then; they are up to a
    day older, so skill in training is underestimated rather than overestimated.

    Args:
        api: the Open-Meteo client.
        model: as Open-Meteo calls it, for instance ecmwf_ifs025.
        horizon_hours: longest lead of the place's forecasts [h].
    """

    api: OpenMeteo
    model: str = "ecmwf_ifs025"
    horizon_hours: int = DEFAULT_HORIZON_HOURS

    @property
    def run_length_hours(self) -> int:
        """Length of the reconstructed runs [h]."""
        return self.horizon_hours + RUN_MARGIN_HOURS

    def at(self, stations: pl.DataFrame, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Weather rows: the analysis of the hours in [since, until) and every run issued in it; none before 2024.

        Raises:
            SourceUnavailable: not reachable now.
            SourceRefused: the model or a station is unknown to the service.
        """
        points, since = stations.drop_nulls(["latitude", "longitude"]), max(since, FIRST_KEPT)
        if points.is_empty() or since >= until:
            return Weather.create_empty()
        newest = self.api.newest_run("api", self.model)
        predicted = self._by_day_of_prediction(points, since, until)
        analysed_until, issued_until = min(until, newest.issued_at + RUNS_APART), min(until, newest.issued_at)
        parts = [self._analysis(predicted, since, analysed_until), self._past_runs(predicted, since, issued_until)]
        # History has no live forecast: the newest run was issued after it.
        if since <= newest.issued_at < until:
            parts.append(self._live_run(points, newest))
        return pl.concat(parts)

    def _by_day_of_prediction(self, points: pl.DataFrame, since: datetime, until: datetime) -> pl.DataFrame:
        """station_id, at, day and our variables; day 0 is the shortest forecast, day n was made n days earlier."""
        suffixes = {0: ""} | {day: f"_previous_day{day}" for day in range(1, self.run_length_hours // 24 + 1)}
        names = {f"{name}{suffix}": unit for suffix in suffixes.values() for name, (_, unit) in _VARIABLES.items()}
        last = until + timedelta(hours=self.run_length_hours)
        response = self.api.query(self._query("previous-runs-api", names, since, last), points)
        days = [
            response.select(
                "station_id",
                "at",
                pl.lit(day, pl.Int64).alias("day"),
                *(pl.col(f"{theirs}{suffix}").alias(ours) for theirs, ours in _OURS.items()),
            )
            for day, suffix in suffixes.items()
        ]
        return _named_by_start(pl.concat(days), by=["station_id", "day"])

    def _analysis(self, predicted: pl.DataFrame, since: datetime, until: datetime) -> pl.DataFrame:
        known = pl.col("at") + RUN_KNOWN_AFTER
        rows = predicted.filter(pl.col("day") == 0, pl.col("at") >= since, pl.col("at") < until)
        return self._as_weather(rows, "analysis", issued_at=pl.lit(None, TIME), available_at=known)

    def _past_runs(self, predicted: pl.DataFrame, since: datetime, until: datetime) -> pl.DataFrame:
        first = since + (FIRST_KEPT - since) % RUN_EVERY
        issued = pl.datetime_range(first, until, RUN_EVERY, closed="left", time_unit="us", eager=True)
        ahead = pl.DataFrame({"ahead": range(self.run_length_hours)})
        hours = (
            pl.DataFrame({"issued_at": issued.cast(TIME)})
            .join(ahead, how="cross")
            .select(
                "issued_at",
                at=pl.col("issued_at") + pl.duration(hours="ahead"),
                day=pl.max_horizontal(1, (pl.col("ahead") + 23) // 24).cast(pl.Int64),
            )
        )
        rows = hours.join(predicted, on=["at", "day"])
        known = pl.col("issued_at") + RUN_KNOWN_AFTER
        return self._as_weather(rows, "previous_runs", issued_at=pl.col("issued_at"), available_at=known)

    def _live_run(self, points: pl.DataFrame, run: Run) -> pl.DataFrame:
        names = {theirs: unit for theirs, (_, unit) in _VARIABLES.items()}
        end = run.issued_at + timedelta(hours=self.horizon_hours + LIVE_MARGIN_HOURS)
        response = self.api.query(self._query("api", names, run.issued_at, end), points).rename(_OURS)
        rows = _named_by_start(response, by=["station_id"]).filter(
            pl.col("at").is_between(run.issued_at, end, closed="left")
        )
        issued_at, available_at = pl.lit(run.issued_at, TIME), pl.lit(run.available_at, TIME)
        return self._as_weather(rows, "live", issued_at=issued_at, available_at=available_at)

    def _query(self, api: str, names: dict[str, str], since: datetime, last: datetime) -> Query:
        # One hour more: precipitation is the sum over the hour before its label.
        until = (last + HOUR).date()
        return Query(api, "/v1/forecast", names, since.date(), until, {"models": self.model, "wind_speed_unit": "ms"})

    def _as_weather(self, rows: pl.DataFrame, kind: str, *, issued_at: pl.Expr, available_at: pl.Expr) -> pl.DataFrame:
        something = rows.filter(~pl.all_horizontal(pl.col(WEATHER_VARIABLES).is_null()))
        source = pl.lit(f"open_meteo:{self.model}:{kind}")
        times = {"valid_at": pl.col("at"), "issued_at": issued_at, "available_at": available_at}
        return something.with_columns(source=source, **times).select(Weather.create_empty().columns)


def _named_by_start(rows: pl.DataFrame, *, by: list[str]) -> pl.DataFrame:
    """Precipitation moves from the end of its hour to the start; the rest are instants at the start."""
    return rows.sort(*by, "at").with_columns(pl.col("precipitation_mm").shift(-1).over(by))
