"""UCI: Beijing Multi-Site Air-Quality Data (501), and the single-site Beijing PM2.5 data (381).

Source: archive.ics.uci.edu/dataset/501 and /381. Beijing time, hours 0 to 23; all concentrations in ug/m3, CO too.
"""

import polars as pl

from hazecast.imports.formats import Format, Layout, Reading, stations, utc, values
from hazecast.imports.tables import Shape, Table

_POINTS = "N NNE NE ENE E ESE SE SSE S SSW SW WSW W WNW NW NNW"
COMPASS_DEG = {point: 22.5 * number for number, point in enumerate(_POINTS.split())}
_COLUMNS = {
    "PM2.5": "ug/m3",
    "PM10": "ug/m3",
    "SO2": "ug/m3",
    "NO2": "ug/m3",
    "CO": "ug/m3",
    "O3": "ug/m3",
    "TEMP": "c",
    "PRES": "hPa",
    "DEWP": "c",
    "RAIN": "mm",
    "WSPM": "m/s",
}


def _read(table: Table) -> Reading:
    parts = [table.words(name).str.zfill(width) for name, width in (("year", 4), ("month", 2), ("day", 2), ("hour", 2))]
    at = utc(parts[0] + "-" + parts[1] + "-" + parts[2] + " " + parts[3] + ":00+08:00")
    station_id = table.words("station", default=table.stem)
    rows = [
        values(table, station_id=station_id, at=at, name=name, cell=table.column(name), unit=unit)
        for name, unit in _COLUMNS.items()
        if table.has(name)
    ]
    if table.has("wd"):
        degrees = table.words("wd").replace_strict(COMPASS_DEG, default=None, return_dtype=pl.Float64)
        rows.append(
            values(
                table,
                station_id=station_id,
                at=at,
                name="wind_direction_deg",
                cell=table.column("wd"),
                unit="deg",
                number=degrees,
            )
        )
    return Reading(pl.concat(rows), stations(station_id, name=station_id))


FORMAT = Format(
    "prsa",
    (
        Layout(
            "CSV of the UCI Beijing data",
            Shape(("year", "month", "day", "hour", "PM2.5", "DEWP", "PRES")),
            _read,
            "hour beginning, Beijing time (+08:00)",
        ),
    ),
    credit="Beijing Multi-Site Air-Quality Data (S. Chen, UCI, doi 10.24432/C5RK5G)",
    licence="CC BY 4.0",
    timezone="Asia/Shanghai",
)
