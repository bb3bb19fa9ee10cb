"""OpenAQ: daily files of the archive, CSV of the explorer, and CSV of the former API v2.

Sources: docs.openaq.org/aws (columns), /resources (a time is the end of its period, exclusive).
"""

import polars as pl

from hazecast.imports.formats import Format, Layout, Reading, stations, utc, values
from hazecast.imports.tables import Shape, Table
from hazecast.sources.openaq.archive import usual_period


def _read_archive(table: Table) -> Reading:
    return _read(
        table,
        ends=utc(table.words("datetime")),
        sensor=table.words("sensors_id", "sensor_id", default=""),
        name=table.words("location"),
        timezone=None,
    )


def _read_explorer(table: Table) -> Reading:
    parameter = table.words("parameter", default="")
    return _read(
        table,
        ends=utc(table.words("datetimeUtc")),
        sensor=parameter,
        name=table.words("location_name"),
        timezone=table.words("timezone"),
    )


def _read_v2(table: Table) -> Reading:
    return _read(
        table,
        ends=utc(table.words("utc")),
        sensor=table.words("parameter", default=""),
        name=table.words("location"),
        timezone=None,
    )


def _read(table: Table, *, ends: pl.Series, sensor: pl.Series, name: pl.Series, timezone: pl.Series | None) -> Reading:
    station_id = pl.select(pl.coalesce(table.words("location_id", "locationId"), name)).to_series()
    rows = pl.DataFrame({"sensor_id": station_id + " " + sensor, "ends_at": ends}).with_row_index("at")
    period = rows.sort("sensor_id", "ends_at").with_columns(period=usual_period()).sort("at")["period"]
    hours = period.dt.total_minutes() / 60
    too_long = pl.format("not an hourly mean ({} h)", hours.round(0).cast(pl.Int64))
    read = values(
        table,
        station_id=station_id,
        at=ends - period,
        name=table.words("parameter"),
        cell=table.column("value"),
        unit=table.words("units", "unit"),
        reason=pl.select(pl.when(hours > 1).then(too_long)).to_series(),
        monitor=sensor,
    )
    place = stations(
        station_id,
        name=name,
        latitude=table.numbers("lat", "latitude"),
        longitude=table.numbers("lon", "longitude"),
        timezone=timezone,
    )
    return Reading(read, place)


_END = "end of the period, with its offset"
FORMAT = Format(
    "openaq",
    (
        Layout(
            "CSV of the OpenAQ archive",
            Shape(("location_id", "sensors_id", "datetime", "parameter", "units", "value")),
            _read_archive,
            _END,
            hour=None,
        ),
        Layout(
            "CSV of the OpenAQ explorer",
            Shape(("location_id", "parameter", "value", "unit", "datetimeUtc")),
            _read_explorer,
            "end of the period, UTC",
            hour=None,
        ),
        Layout(
            "CSV of OpenAQ's former API",
            Shape(("location", "parameter", "value", "unit", "utc")),
            _read_v2,
            "end of the period, UTC",
            hour=None,
        ),
    ),
    credit="OpenAQ and the providers it names",
    licence="by location, see OpenAQ",
)
