"""Sensor.Community (luftdaten.info): daily archive files of one sensor, a value every two to three minutes.

Source: archive.sensor.community (separator ";", times in UTC without a zone); P1 is PM10, P2 is PM2.5, pressure is in
Pa. Sensors at one location are one station. Low-cost sensors read too much in humid air; nothing is corrected.
"""

import polars as pl

from hazecast.imports.formats import Format, Layout, Reading, stations, utc, values
from hazecast.imports.tables import Shape, Table

_COLUMNS = {
    "P1": ("PM10", "ug/m3"),
    "P2": ("PM2.5", "ug/m3"),
    "temperature": ("temperature_c", "c"),
    "humidity": ("relative_humidity_pct", "%"),
    "pressure": ("pressure_hpa", "pa"),
}


def _read(table: Table) -> Reading:
    station_id = table.words("location")
    at = utc(table.words("timestamp").str.strip_suffix("Z") + "Z")
    rows = [
        values(
            table,
            station_id=station_id,
            at=at,
            name=name,
            cell=table.column(column),
            unit=unit,
            monitor=table.words("sensor_id"),
        )
        for column, (name, unit) in _COLUMNS.items()
        if table.has(column)
    ]
    place = stations(
        station_id,
        name="Sensor.Community " + station_id,
        latitude=table.numbers("lat"),
        longitude=table.numbers("lon"),
    )
    return Reading(
        pl.concat(rows) if rows else values(table, station_id=station_id, at=at, name="", cell=at, unit=""), place
    )


FORMAT = Format(
    "sensor-community",
    (
        Layout(
            "archive file of Sensor.Community",
            Shape(("sensor_id", "sensor_type", "location", "lat", "lon", "timestamp")),
            _read,
            "time of the value, UTC",
            hour=None,
        ),
    ),
    credit="Sensor.Community contributors; low-cost sensors, not corrected",
    licence="DbCL 1.0",
)
