"""The dataset folder as a source."""

from datetime import datetime
from pathlib import Path
from zoneinfo import available_timezones

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.tables import WEATHER_VARIABLES, FetchedObservations, Stations, Weather, conform
from hazecast.errors import SourceRefused
from hazecast.sources.files.sheets import Sheet, find_file, read_sheet


class FilesSource:
    """Stations, observations and weather from the files of one folder (layout: docs/data.md).

    Missing columns, stations without coordinates and missing values are fine; anything malformed is refused with its
    file, column, row and remedy. A repeated hour is handed on as it stands: judging it belongs to the quality check.

    History carries no time of arrival, so an hour counts as known when it ended, a forecast when it was issued.

    Args:
        folder: where the files are; read again at every fetch.
    """

    name = "files"
    simulated = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """First observed hour and end of the last one."""
        observed_at = self._read_observations()["observed_at"].sort()
        return observed_at[0], observed_at[-1] + HOUR

    def fetch_stations(self) -> pl.DataFrame:
        """One row per station of stations.csv; unnamed ones are called by their id, without a timezone they get UTC."""
        sheet = self._sheet("stations")
        sheet.require(["station_id"])
        station_id = sheet.words("station_id")
        sheet.refuse("station_id", ~station_id.is_first_distinct(), "is there twice; keep one row per station")
        timezone = sheet.words("timezone", default="UTC")
        sheet.refuse("timezone", ~timezone.is_in(sorted(available_timezones())), "is not an IANA zone (Europe/Madrid)")
        stations = pl.DataFrame(
            {
                "station_id": station_id,
                "name": sheet.words("name", default=station_id),
                "latitude": _degrees(sheet, "latitude", limit=90),
                "longitude": _degrees(sheet, "longitude", limit=180),
                "timezone": timezone,
                "attribution": sheet.words("attribution", default=self._folder.resolve().name),
                "licence": sheet.words("licence", default="not stated"),
            }
        )
        return conform(Stations, stations.with_columns(source=pl.lit(self.name)))

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Hourly means [µg/m³] that start in [since, until); an hour is known from its end."""
        observed = self._read_observations().filter(pl.col("observed_at").is_between(since, until, closed="left"))
        return conform(FetchedObservations, observed)

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observed weather of the hours in [since, until) and every forecast issued in it; empty without a file."""
        path = find_file(self._folder, "weather")
        if path is None:
            return Weather.create_empty()
        rows = self._read_weather(read_sheet(path))
        dated = pl.coalesce("issued_at", "valid_at")
        return conform(Weather, rows.filter(dated.is_between(since, until, closed="left")))

    def _sheet(self, stem: str) -> Sheet:
        path = find_file(self._folder, stem)
        if path is None:
            raise SourceRefused(f"{self._folder}: has no {stem} file; add {stem}.csv (layout: docs/data.md)")
        return read_sheet(path)

    def _read_observations(self) -> pl.DataFrame:
        sheet = self._sheet("observations")
        sheet.require(["station_id", "observed_at"])
        pollutants = [pollutant for pollutant in POLLUTANTS if pollutant in sheet.frame.columns]
        if not pollutants:
            raise SourceRefused(f"{sheet.file}: has no pollutant column; name one of {', '.join(POLLUTANTS)} [µg/m³]")
        wide = pl.DataFrame([self._known_station(sheet), sheet.hours("observed_at"), *map(sheet.numbers, pollutants)])
        long = wide.unpivot(
            on=pollutants,
            index=["station_id", "observed_at"],
            variable_name="pollutant",
            value_name="concentration_ugm3",
        ).drop_nulls("concentration_ugm3")
        if long.is_empty():
            raise SourceRefused(f"{sheet.file}: has no value in {', '.join(pollutants)}; fill in what was measured")
        return long.with_columns(source=pl.lit(self.name), available_at=pl.col("observed_at") + HOUR)

    def _read_weather(self, sheet: Sheet) -> pl.DataFrame:
        sheet.require(["station_id", "valid_at"])
        valid_at = sheet.hours("valid_at")
        rows = pl.DataFrame([self._known_station(sheet), valid_at, *map(sheet.numbers, WEATHER_VARIABLES)])
        rows = rows.with_columns(_optional_times(sheet, "issued_at"), _optional_times(sheet, "available_at"))
        early = rows["available_at"] < rows["issued_at"]
        sheet.refuse("available_at", early, "is before the forecast was issued; correct it")
        repeated = ~rows.select(pl.struct("station_id", "valid_at", "issued_at").is_first_distinct()).to_series()
        sheet.refuse("valid_at", repeated, "is there twice for its station and issue; keep one row")
        known = pl.coalesce("available_at", "issued_at", pl.col("valid_at") + HOUR)
        return rows.with_columns(source=pl.lit(self.name), available_at=known)

    def _known_station(self, sheet: Sheet) -> pl.Series:
        station_id = sheet.words("station_id")
        known = self.fetch_stations()["station_id"].to_list()
        sheet.refuse("station_id", ~station_id.is_in(known), "is not in stations.csv; add it there")
        return station_id


def _degrees(sheet: Sheet, column: str, *, limit: float) -> pl.Series:
    degrees = sheet.numbers(column)
    sheet.refuse(column, degrees.abs() > limit, f"is outside ±{limit:.0f}; write degrees, north and east positive")
    return degrees


def _optional_times(sheet: Sheet, column: str) -> pl.Series:
    if column in sheet.frame.columns:
        return sheet.times(column, may_be_blank=True)
    return pl.Series(column, [None] * sheet.frame.height, dtype=pl.Datetime("us", "UTC"))
