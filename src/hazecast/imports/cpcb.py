"""India: CSV of a station from the Central Pollution Control Board, of 15 minutes or an hour.

Sources: reports of airquality.cpcb.gov.in/ccr (preamble, "From Date", "To Date"), its AQI repository ("Timestamp",
units in the headers), and the table "station_hour.csv" made from them. Indian time (+05:30); an hour from 00:00 belongs
to the UTC hour in which it starts, 18:00. CO is in mg/m3, what Hazecast reads else in ug/m3.
"""

import re

import polars as pl

from hazecast.imports.formats import Format, Layout, Reading, field_of, iso_date, stations, utc, values
from hazecast.imports.tables import Shape, Table
from hazecast.sources.files.columns import compact

_WEATHER = {"at": "temperature_c", "temp": "temperature_c", "rf": "precipitation_mm", "bp": "pressure_hpa"}
_UNITS = {"co": "mg/m3", "pressure_hpa": "mmhg"}
_FILE = re.compile(r"site_(\d+)_(.+?)(?:_(?:\d+_?(?:hr|min)\w*))?$", re.IGNORECASE)
_TIMES = {"fromdate", "todate", "timestamp", "datetime", "stationid", "station", "date", "aqi", "aqibucket", ""}


def _read_report(table: Table) -> Reading:
    starts, ends = _indian_time(table.words("From Date")), _indian_time(table.words("To Date"))
    hours = (ends - starts).dt.total_minutes() / 60
    too_long = pl.format("not an hourly mean ({} h)", hours.round(0).cast(pl.Int64))
    reason = pl.select(pl.when(hours > 1).then(too_long)).to_series()
    return _read(table, pl.Series([table.facts().get("station") or _station(table)[0]]), starts, reason)


def _read_repository(table: Table) -> Reading:
    return _read(table, pl.Series([_station(table)[0]]), _indian_time(table.words("Timestamp")), None)


def _read_station_hour(table: Table) -> Reading:
    return _read(table, table.words("StationId"), _indian_time(table.words("Datetime")), None)


def _read(table: Table, station_id: pl.Series, at: pl.Series, reason: pl.Series | None) -> Reading:
    if station_id.len() == 1:
        station_id = station_id.new_from_index(0, table.frame.height)
    rows = []
    for number, header in enumerate(table.headers):
        if compact(header) in _TIMES:
            continue
        base, unit = re.fullmatch(r"(.*?)\s*(?:\((.+)\))?", header).groups()  # type: ignore[union-attr]  # matches all
        name = _WEATHER.get(compact(base), base)
        usual = _UNITS.get(field_of(name) or "", "")
        cell = table.frame[str(number)]
        rows.append(
            values(table, station_id=station_id, at=at, name=name, cell=cell, unit=unit or usual, reason=reason)
        )
    by_file = dict([_station(table)])
    return Reading(pl.concat(rows), stations(station_id, name=station_id.replace(by_file)))


def _station(table: Table) -> tuple[str, str]:
    """Id and name of the station by the name of its file."""
    found = _FILE.search(table.stem)
    return (f"site_{found[1]}", found[2].replace("_", " ")) if found else (table.stem, table.stem)


def _indian_time(text: pl.Series) -> pl.Series:
    return utc(iso_date(text, day_first=True) + "+05:30")


FORMAT = Format(
    "cpcb",
    (
        Layout("CPCB report", Shape(("From Date", "To Date")), _read_report, "From Date, +05:30", hour=None),
        Layout(
            "CSV of CPCB's AQI repository",
            Shape(("Timestamp",), also=r"\bPM(2\.?5|10) \("),
            _read_repository,
            "hour beginning, +05:30",
        ),
        Layout(
            "station_hour.csv of CPCB data",
            Shape(("StationId", "Datetime", "PM2.5")),
            _read_station_hour,
            "hour beginning, +05:30",
        ),
    ),
    credit="Central Pollution Control Board (CPCB), India",
    licence="not stated",
    timezone="Asia/Kolkata",
)
