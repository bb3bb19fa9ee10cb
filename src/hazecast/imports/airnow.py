"""US EPA AirNow: hourly data files, and CSV of the API's observations by monitoring site.

Sources: docs.airnowapi.org HourlyDataFactSheet and Data API documentation. Times are GMT and name the beginning of the
hour, as in AQS. The API has no header; its "Value" of particles is the NowCast, a weighted mean of up to 12 hours, so
particles are read from the raw concentration only.
"""

import polars as pl

from hazecast.errors import SourceRefused
from hazecast.imports.formats import Format, Layout, Reading, iso_date, stations, utc, values
from hazecast.imports.tables import Shape, Table

_WEATHER = {
    "TEMP": "temperature_c",
    "RHUM": "relative_humidity_pct",
    "BARPR": "pressure_hpa",
    "WS": "wind_speed_ms",
    "WD": "wind_direction_deg",
    "PRECIP": "precipitation_mm",
}
_UNITS = {"MILLIBAR": "mbar", "M/S": "m/s", "DEGREES": "deg", "PERCENT": "%", "MM": "mm", "C": "c", "F": "f"}
_LONG, _QUOTED = r'-?\d+\.?\d*"?,"?-?\d+\.?\d*"?,"?\d{4}-\d\d-\d\dT\d\d:\d\d"?,"?[A-Z0-9.]+"?,', r'^\s*"?'


def _read_hourly(table: Table) -> Reading:
    day = iso_date(table.words("date").str.replace(r"/(\d{2})$", "/20$1"), day_first=False)
    station_id = table.words("aqsid")
    name = table.words("parameter")
    rows = values(
        table,
        station_id=station_id,
        at=utc(day + " " + table.words("time") + "Z"),
        name=name.replace(_WEATHER),
        cell=table.column("value"),
        unit=table.words("unit").replace(_UNITS),
    )
    return Reading(rows, stations(station_id, name=table.words("site")))


def _read_api(table: Table) -> Reading:
    latitude, longitude = table.numbers("latitude"), table.numbers("longitude")
    spot = table.words("latitude") + "," + table.words("longitude")
    station_id = pl.select(pl.coalesce(table.words("aqsid"), spot)).to_series()
    name = table.words("parameter")
    is_particles = name.str.starts_with("PM")
    raw, shown = table.words("raw"), table.words("value")
    cell = pl.select(pl.when(is_particles).then(raw).otherwise(pl.coalesce(raw, shown))).to_series()
    nowcast = "a NowCast, not a mean over an hour; request includerawconcentrations=1"
    rows = values(
        table,
        station_id=station_id,
        at=utc(table.words("utc") + "Z"),
        name=name,
        cell=cell,
        unit=table.words("unit"),
        reason=pl.select(pl.when(is_particles & raw.is_null()).then(pl.lit(nowcast))).to_series(),
    )
    return Reading(rows, stations(station_id, name=table.words("site"), latitude=latitude, longitude=longitude))


def _read_index_only(table: Table) -> Reading:
    name = table.words("parameter")
    rows = values(
        table,
        station_id=table.words("latitude") + "," + table.words("longitude"),
        at=utc(table.words("utc") + "Z"),
        name=name,
        cell=table.column("aqi"),
        unit="",
        reason=pl.Series(["an index, not a concentration; request dataType=B"]).new_from_index(0, name.len()),
    )
    return Reading(rows, stations(pl.Series([], dtype=pl.String)))


def _refuse_daily(table: Table) -> Reading:
    raise SourceRefused(f"{table.file}: has values by day, which cannot be split; download HourlyData files")


_PLACE = ("latitude", "longitude", "utc", "parameter", "value", "unit")
_SITE = ("site", "agency", "aqsid", "international id")


def _api(title: str, columns: tuple[str, ...], rest: str) -> Layout:
    return Layout(title, Shape(first_line=_QUOTED + _LONG + rest, names=columns), _read_api, "hour beginning, GMT")


_VALUE, _UNIT, _NUMBER = r'"?-?[\d.]+"?,', r'"?(?:UG/M3|PPB|PPM)"?,', r'"?-?[\d.]+"?'
FORMAT = Format(
    "airnow",
    (
        Layout(
            "hourly data file of AirNow",
            Shape(
                first_line=r"^\s*\d{2}/\d{2}/\d{2,4}\|\d{2}:\d{2}\|[^|]*\|[^|]*\|[^|]*\|[^|]+\|[^|]*\|[^|]*\|",
                names=("date", "time", "aqsid", "site", "offset", "parameter", "unit", "value", "agency"),
                separator="|",
            ),
            _read_hourly,
            "hour beginning, GMT",
        ),
        _api(
            "CSV of the AirNow API",
            (*_PLACE, "raw", "aqi", "category", *_SITE),
            _VALUE + _UNIT + f"{_NUMBER},{_NUMBER},{_NUMBER}",
        ),
        _api("CSV of the AirNow API", (*_PLACE, "aqi", "category", *_SITE), _VALUE + _UNIT + f"{_NUMBER},{_NUMBER}"),
        _api("CSV of the AirNow API", (*_PLACE, "raw", *_SITE), _VALUE + _UNIT + _NUMBER),
        _api("CSV of the AirNow API", (*_PLACE, *_SITE), _VALUE + _UNIT.rstrip(",")),
        Layout(
            "CSV of the AirNow API with index only",
            Shape(
                first_line=_QUOTED + _LONG + _NUMBER,
                names=("latitude", "longitude", "utc", "parameter", "aqi", "category", *_SITE),
            ),
            _read_index_only,
            "hour beginning, GMT",
        ),
        Layout(
            "daily data file of AirNow",
            Shape(first_line=r"^\s*\d{2}/\d{2}/\d{2,4}\|[^|:]+\|[^|]*\|[^|]+\|", names=("date",), separator="|"),
            _refuse_daily,
            "days",
        ),
    ),
    credit="US EPA AirNow and its partner agencies; preliminary data",
    licence="AirNow data exchange guidelines",
)
