"""The dataset folder as a source."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import available_timezones

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.magnitude import other_units, other_weather_units
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.tables import WEATHER_VARIABLES, FetchedObservations, Stations, Weather, conform
from hazecast.air.units import EU_REFERENCE_C, WEATHER_UNITS, parse_unit, ugm3_per, weather_unit
from hazecast.errors import SourceRefused
from hazecast.quality.rules import SENTINELS
from hazecast.sources.files.columns import pollutant_unit
from hazecast.sources.files.containers import find_files, read_sheets, unread_files, why_missing
from hazecast.sources.files.hours import aggregated, refuse_other_steps, without_outlying_times
from hazecast.sources.files.options import FILE, OBSERVATIONS, STATIONS, TABLES, WEATHER, DatasetOptions, read_options
from hazecast.sources.files.positions import misplaced
from hazecast.sources.files.sheets import Sheet

log = logging.getLogger(__name__)

# Values of validity columns that mean invalid, and words of flag columns (EEA: -1, -99 and 4 for all but ozone).
_VALID = frozenset(["valid", "v", "ok", "good", "g", "passed", "pass", "verified"])
_INVALID = frozenset(["invalid", "i", "bad", "b", "fail", "failed", "error", "rejected"])
# Understood in columns named after validity only: a `flag` that is true, or 1, mostly means the opposite.
_IF_VALIDITY = {
    "valid": frozenset(["1", "2", "3", "true", "yes", "y", "t"]),
    "invalid": frozenset(["0", "-1", "-99", "false", "no", "n", "f"]),
}
_NEEDS_BOTH = "without {}: fill in both, or leave both empty"


class FilesSource:
    """Stations, observations and weather from the files of one folder (layout: docs/data.md).

    Missing columns, stations without coordinates and missing values are fine; anything malformed is refused with its
    file, column, row and remedy. A repeated hour is returned as it stands: judging it belongs to the quality check.

    History carries no time of arrival, so an hour counts as known when it ended, a forecast when it was issued.

    Args:
        folder: where the files are; read again whenever one of them changed.
        ignore_columns: leave out columns that are not understood instead of refusing them.
        aggregate: average values within an hour to the hour.
        clock: the present, UTC; observations after it are left out.
    """

    name = "files"
    simulated = False

    def __init__(
        self,
        folder: Path,
        *,
        ignore_columns: bool = False,
        aggregate: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251 - stray times are judged by the real clock
    ) -> None:
        self._folder, self._clock = folder, clock
        self._ignore_columns, self._aggregate = ignore_columns, aggregate
        self._parsed: dict[str, tuple[object, pl.DataFrame]] = {}
        self._logged: set[str] = set()

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """First observed hour and end of the last one; read leniently, since a clock needs no units."""
        observed_at = self._table("span", lambda: self._read_observations(strict=False))["observed_at"].sort()
        return observed_at[0], observed_at[-1] + HOUR

    def fetch_stations(self) -> pl.DataFrame:
        """One row per station of stations.csv; unnamed ones are called by their id, without a timezone they get UTC."""
        return self._table("stations", self._read_stations)

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Hourly means [µg/m³] that start in [since, until), with `flag_reasons`; an hour is known from its end."""
        rows = self._table("observations", lambda: self._read_observations(strict=True))
        return rows.filter(pl.col("observed_at").is_between(since, until, closed="left"))

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observed weather of the hours in [since, until) and every forecast issued in it; empty without a file."""
        rows = self._table("weather", self._read_weather)
        dated = pl.coalesce("issued_at", "valid_at")
        return rows.filter(dated.is_between(since, until, closed="left"))

    def _table(self, name: str, read: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """The parsed table, read again when a file of the folder changed."""
        files = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        key = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files]
        if name not in self._parsed or self._parsed[name][0] != key:
            self._parsed[name] = (key, read())
        return self._parsed[name][1]

    @property
    def _options(self) -> DatasetOptions:
        return read_options(self._folder, ignore_columns=self._ignore_columns, aggregate=self._aggregate)

    def _sheets(self, stem: str, fields: tuple[str, ...], options: DatasetOptions) -> list[Sheet]:
        paths = find_files(self._folder, stem)
        if not paths and stem != "weather":
            raise SourceRefused(why_missing(self._folder, stem))
        return [sheet.arrange(fields, options) for path in paths for sheet in read_sheets(path)]

    def _read_stations(self) -> pl.DataFrame:
        parts = []
        for sheet in self._sheets("stations", STATIONS, self._options):
            sheet.require(["station_id"])
            station_id = sheet.words("station_id")
            sheet.refuse("station_id", ~station_id.is_first_distinct(), "is there twice; keep one row per station")
            timezone = _zones(sheet)
            latitude, longitude = _degrees(sheet, "latitude", limit=90), _degrees(sheet, "longitude", limit=180)
            for axis, other in ((latitude, longitude), (longitude, latitude)):
                sheet.refuse(axis.name, axis.is_not_null() & other.is_null(), _NEEDS_BOTH.format(other.name))
            problems = pl.Series(misplaced(latitude, longitude, timezone), dtype=pl.String)
            for remedy in problems.filter(problems != "").unique().sort():
                wrong = problems == remedy
                sheet.refuse("longitude", wrong, f"is far from the station's time zone; {remedy}, or correct the zone")
            columns = {
                "station_id": station_id,
                "name": sheet.words("name", default=station_id),
                "latitude": latitude,
                "longitude": longitude,
                "timezone": timezone,
                "attribution": sheet.words("attribution", default=self._folder.resolve().name),
                "licence": sheet.words("licence", default="not stated"),
            }
            parts.append(pl.DataFrame(columns).with_columns(source=pl.lit(self.name)))
        stations = pl.concat(parts).select(Stations.column_names())
        twice = stations.filter(pl.col("station_id").is_duplicated())["station_id"].unique().sort()
        if twice.len():
            raise SourceRefused(f"stations: {twice[0]!r} is in two files; keep one row per station")
        return conform(Stations, stations)

    def _read_observations(self, *, strict: bool) -> pl.DataFrame:
        options = self._options
        if not strict:
            options = options.model_copy(update={"ignore_columns": True, "aggregate": True})
        parts = [self._long(sheet, options) for sheet in self._sheets("observations", OBSERVATIONS, options)]
        rows = pl.concat([rows for rows, _ in parts])
        if rows.is_empty():
            raise SourceRefused(f"{parts[0][1]}: has no value in its pollutant columns; fill in what was measured")
        rows, left_out = without_outlying_times(rows, self._clock())
        if strict:
            self._warn(left_out)
            self._warn(self._unread())
            refuse_other_steps(rows, parts[0][1])
        if options.aggregate:
            rows = aggregated(rows)
        if strict:
            _refuse_other_units(rows, parts[0][1])
        described = rows.with_columns(source=pl.lit(self.name), available_at=pl.col("observed_at") + HOUR)
        return conform(FetchedObservations, described).with_columns(described["flag_reasons"])

    def _long(self, sheet: Sheet, options: DatasetOptions) -> tuple[pl.DataFrame, str]:
        """One row per value: station_id, at (as in the file), observed_at, pollutant, value, flag_reasons."""
        sheet.require(["station_id", "observed_at"])
        pollutants = [pollutant for pollutant in POLLUTANTS if pollutant in sheet.frame.columns]
        if not pollutants:
            raise SourceRefused(f"{sheet.file}: has no pollutant column; name one of {', '.join(POLLUTANTS)} [µg/m³]")
        station_id = self._known_station(sheet)
        zones = self.fetch_stations().select("station_id", "timezone")
        zone = pl.DataFrame([station_id]).join(zones, on="station_id", how="left", maintain_order="left")["timezone"]
        invalid = _invalid(sheet, options)
        row = pl.DataFrame(
            {
                "station_id": station_id,
                "observed_at": sheet.hours("observed_at", zone, aggregate=options.aggregate),
                "at": sheet.times("observed_at"),
            }
        )
        parts = [
            row.with_columns(
                pollutant=pl.lit(pollutant),
                concentration_ugm3=_in_ugm3(sheet, pollutant, options),
                flag_reasons=pl.when(pl.any_horizontal(_NEVER, *invalid.get("", []), *invalid.get(pollutant, [])))
                .then(pl.lit("reported"))
                .otherwise(pl.lit("")),
            )
            for pollutant in pollutants
        ]
        return pl.concat(parts).drop_nulls("concentration_ugm3"), sheet.file

    def _read_weather(self) -> pl.DataFrame:
        sheets = self._sheets("weather", WEATHER, self._options)
        rows = pl.concat([Weather.create_empty(), *(self._weather_rows(sheet) for sheet in sheets)])
        twice = rows.filter(pl.struct("station_id", "valid_at", "issued_at").is_duplicated()).head(1)
        if twice.height:
            station_id, valid_at = twice.select("station_id", "valid_at").row(0)
            raise SourceRefused(f"weather: {station_id!r} at {valid_at:%Y-%m-%dT%H:%MZ} is in two files; keep one row")
        return conform(Weather, rows)

    def _weather_rows(self, sheet: Sheet) -> pl.DataFrame:
        sheet.require(["station_id", "valid_at"])
        if not any(variable in sheet.frame.columns for variable in WEATHER_VARIABLES):
            raise SourceRefused(f"{sheet.file}: has no weather column; name one of {', '.join(WEATHER_VARIABLES)}")
        station_id = self._known_station(sheet)
        zones = self.fetch_stations().select("station_id", "timezone")
        zone = pl.DataFrame([station_id]).join(zones, on="station_id", how="left", maintain_order="left")["timezone"]
        variables = [_weather_values(sheet, variable, self._options) for variable in WEATHER_VARIABLES]
        rows = pl.DataFrame([station_id, sheet.hours("valid_at", zone, aggregate=False), *variables])
        _refuse_other_weather_units(rows, sheet)
        rows = rows.with_columns(_optional_times(sheet, "issued_at"), _optional_times(sheet, "available_at"))
        early = rows["available_at"] < rows["issued_at"]
        sheet.refuse("available_at", early, "is before the forecast was issued; correct it")
        repeated = ~rows.select(pl.struct("station_id", "valid_at", "issued_at").is_first_distinct()).to_series()
        sheet.refuse("valid_at", repeated, "is there twice for its station and issue; keep one row")
        known = pl.coalesce("available_at", "issued_at", pl.col("valid_at") + HOUR)
        described = rows.with_columns(source=pl.lit(self.name), available_at=known)
        return described.select(Weather.column_names())

    def _known_station(self, sheet: Sheet) -> pl.Series:
        station_id = sheet.words("station_id")
        known = self.fetch_stations()["station_id"].to_list()
        sheet.refuse("station_id", ~station_id.is_in(known), "is not in stations.csv; add it there")
        return station_id

    def _unread(self) -> str:
        names = unread_files(self._folder, TABLES)
        return f"{', '.join(names)}: not read; tables are stations, observations and weather" if names else ""

    def _warn(self, message: str) -> None:
        """Log `message` once."""
        if message and message not in self._logged:
            self._logged.add(message)
            log.warning("%s", message)


_NEVER = pl.lit(value=False)


def _in_ugm3(sheet: Sheet, pollutant: str, options: DatasetOptions) -> pl.Series:
    """A pollutant column in µg/m³, by the unit of its header, of `dataset.yaml`, or of the unit column."""
    values = sheet.numbers(pollutant)
    column = sheet.columns[pollutant]
    named = _named_unit(sheet, pollutant, options)
    if named:
        unit = pollutant_unit(pollutant, named)
        if unit is None:
            raise SourceRefused(f"{sheet.file}, column {column.header}: {named!r} {_no_unit(pollutant)}")
        if "unit" in sheet.frame.columns:
            texts = sheet.words("unit", default=named)
            other = [text for text in texts.unique().to_list() if parse_unit(text) is not unit]
            sheet.refuse("unit", texts.is_in(other) & values.is_not_null(), f"but {named} elsewhere; keep one")
        factors = pl.Series([ugm3_per(unit, Pollutant(pollutant), reference_c=EU_REFERENCE_C)]).new_from_index(
            0, len(values)
        )
    elif "unit" in sheet.frame.columns:
        texts = sheet.words("unit", default="µg/m³")
        units = {text: pollutant_unit(pollutant, text) for text in texts.unique().to_list()}
        unknown = [text for text, unit in units.items() if unit is None]
        sheet.refuse("unit", texts.is_in(unknown) & values.is_not_null(), _no_unit(pollutant))
        known = {
            text: ugm3_per(unit, Pollutant(pollutant), reference_c=EU_REFERENCE_C)
            for text, unit in units.items()
            if unit is not None
        }
        factors = texts.replace_strict(known, default=1.0, return_dtype=pl.Float64)
    else:
        return values
    return pl.select(pl.when(values.is_in(list(SENTINELS))).then(values).otherwise(values * factors)).to_series()


def _no_unit(pollutant: str) -> str:
    ratios = "" if Pollutant(pollutant).molar_mass_gmol is None else ", ppb or ppm"
    return f"is not a unit of {pollutant}; use µg/m³ or mg/m³{ratios}"


def _named_unit(sheet: Sheet, field: str, options: DatasetOptions) -> str:
    """The unit that the header or `dataset.yaml` names; empty: none.

    Raises:
        SourceRefused: both name one, and they differ.
    """
    in_header, in_options = sheet.columns[field].unit, options.units.get(field, "")
    if in_header and in_options and in_header != in_options:
        raise SourceRefused(
            f"{sheet.file}, column {sheet.columns[field].header}: {in_header} in the header but {in_options} in "
            f"{FILE}; keep one"
        )
    return in_header or in_options


def _weather_values(sheet: Sheet, variable: str, options: DatasetOptions) -> pl.Series:
    """A weather column in our unit, by the unit in its header or in `dataset.yaml`; codes are not converted.

    Raises:
        SourceRefused: an unknown unit.
    """
    values = sheet.numbers(variable)
    column = sheet.columns.get(variable)
    if column is None:
        return values
    named = _named_unit(sheet, variable, options)
    conversion = weather_unit(variable, named) if named else (1.0, 0.0)
    if conversion is None:
        raise SourceRefused(
            f"{sheet.file}, column {column.header}: {named!r} is not one of {', '.join(WEATHER_UNITS[variable])}"
        )
    factor, offset = conversion
    is_code = values.is_in(list(SENTINELS))
    return pl.select(pl.when(is_code).then(values).otherwise(values * factor + offset).alias(variable)).to_series()


def _invalid(sheet: Sheet, options: DatasetOptions) -> dict[str, list[pl.Series]]:
    """Which rows each quality column marks as invalid, by pollutant ("" for all).

    Raises:
        SourceRefused: a column whose values are not understood.
    """
    found: dict[str, list[pl.Series]] = {}
    for key in [name for name in sheet.frame.columns if name.startswith("quality:")]:
        column = sheet.columns[key]
        words = sheet.words(key, default="").str.to_lowercase().str.replace(r"^(-?\d+)\.0+$", "$1")
        marks = {str(value).lower() for value in options.invalid.get(column.header, [])}
        is_validity = "valid" in column.header.lower()
        valid, invalid = (
            (_VALID | _IF_VALIDITY["valid"], _INVALID | _IF_VALIDITY["invalid"]) if is_validity else (_VALID, _INVALID)
        )
        if not marks:
            if options.ignores(column.header):
                continue
            sheet.refuse(
                key,
                ~words.is_in([*valid, *invalid, ""]),
                f"is not understood; list the values that mean invalid in {FILE} (invalid: {{{column.header}: [...]}}) "
                "or pass --ignore-columns",
            )
        wrong = words.is_in(list(marks or invalid))
        found.setdefault(column.pollutant, []).append(wrong)
    return found


def _refuse_other_units(rows: pl.DataFrame, file: str) -> None:
    """Refuse a series with the magnitude of another unit.

    Raises:
        SourceRefused: naming the series, its median and the likely unit.
    """
    measured = rows.filter(~pl.col("concentration_ugm3").is_in(list(SENTINELS)), pl.col("flag_reasons") == "")
    found = other_units(measured)
    if found.height:
        worst = found.row(0, named=True)
        pollutant = worst["pollutant"]
        remedy = (
            "convert it"
            if worst["unit"].startswith("ng")
            else f"name the unit in the header ({pollutant}_mgm3), in a column `unit`, or in {FILE} "
            f"(units: {{{pollutant}: mg/m3}})"
        )
        raise SourceRefused(
            f"{file}, column {pollutant}, station {worst['station_id']}: median {worst['median']:.3g} from "
            f"{worst['block']:%Y-%m-%d} on is not outdoor air in µg/m³; it looks like {worst['unit']}: {remedy}"
        )


def _refuse_other_weather_units(rows: pl.DataFrame, sheet: Sheet) -> None:
    """Refuse weather with the magnitude of another unit.

    Raises:
        SourceRefused: naming the column, the station, the median and the likely unit.
    """
    found = other_weather_units(rows)
    if found.height:
        worst = found.row(0, named=True)
        raise SourceRefused(
            f"{sheet.file}, column {sheet.title(worst['variable'])}, station {worst['station_id']}: median "
            f"{worst['median']:.6g} is not outdoor weather in the unit of {worst['variable']}; it looks like "
            f"{worst['unit']}: convert it, or name its unit in the header or in {FILE} (units)"
        )


def _zones(sheet: Sheet) -> pl.Series:
    """IANA zones, in their own spelling; blanks are UTC."""
    known = {name.lower(): name for name in available_timezones()}
    zones = sheet.words("timezone", default="UTC")
    lower = zones.str.to_lowercase()
    sheet.refuse(
        "timezone",
        ~lower.is_in(list(known)),
        "is not an IANA zone; write it as Europe/Madrid, or as Etc/GMT-8 for UTC+8",
    )
    return lower.replace_strict(known, return_dtype=pl.String)


def _degrees(sheet: Sheet, column: str, *, limit: float) -> pl.Series:
    degrees = sheet.numbers(column)
    wrong = degrees.abs() > limit
    sheet.refuse(
        column, wrong, f"is outside ±{limit:.0f}; write degrees, north and east positive, or nothing where unknown"
    )
    return degrees


def _optional_times(sheet: Sheet, column: str) -> pl.Series:
    if column in sheet.frame.columns:
        return sheet.times(column, may_be_blank=True)
    return pl.Series(column, [None] * sheet.frame.height, dtype=pl.Datetime("us", "UTC"))
