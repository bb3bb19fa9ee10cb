"""US EPA AirData: hourly files of the Air Quality System.

Source: aqs.epa.gov/aqsweb/airdata/FileFormats.html. "Time GMT" is when sampling began. Null-data qualifiers stand where
there is no measurement; other qualifiers (events, below the detection limit) inform, and the value counts.
"""

import polars as pl

from hazecast.errors import SourceRefused
from hazecast.imports.formats import Format, Layout, Reading, stations, utc, values
from hazecast.imports.tables import Shape, Table

# 88101 is PM2.5 by a reference or equivalent method, 88502 by another one.
_PARAMETERS = {
    "88101": "PM2.5",
    "88502": "PM2.5",
    "81102": "PM10",
    "44201": "Ozone",
    "42602": "NO2",
    "42401": "SO2",
    "42101": "CO",
    "62101": "temperature_c",
    "62103": "dew_point_c",
    "64101": "pressure_hpa",
    "65102": "precipitation_mm",
    "61103": "wind_speed_ms",
    "61104": "wind_direction_deg",
    "62201": "relative_humidity_pct",
}
_UNITS = {
    "Degrees Fahrenheit": "F",
    "Degrees Centigrade": "C",
    "Millibars": "mbar",
    "Knots": "knots",
    "Meters/second": "m/s",
    "Miles per hour": "mph",
    "Degrees Compass": "deg",
    "Percent relative humidity": "%",
    "Inches (rainfall)": "in",
    "Millimeters (rainfall)": "mm",
}


def _read(table: Table) -> Reading:
    parts = [
        table.words(name).str.zfill(width) for name, width in (("State Code", 2), ("County Code", 3), ("Site Num", 4))
    ]
    station_id = parts[0] + "-" + parts[1] + "-" + parts[2]
    parameter = table.words("Parameter Code")
    name = pl.select(
        pl.coalesce(parameter.replace_strict(_PARAMETERS, default=None), table.words("Parameter Name"))
    ).to_series()
    qualifier = table.words("Qualifier")
    missing = table.words("Sample Measurement").is_null() & qualifier.is_not_null()
    rows = values(
        table,
        station_id=station_id,
        at=utc(table.words("Date GMT") + " " + table.words("Time GMT") + "Z"),
        name=name,
        cell=table.column("Sample Measurement"),
        unit=table.words("Units of Measure").replace(_UNITS),
        reason=pl.select(pl.when(missing).then("no measurement (" + qualifier + ")")).to_series(),
        monitor=parameter + "-" + table.words("POC", default="1"),
    )
    place = stations(
        station_id,
        name=table.words("County Name") + ", " + table.words("State Name") + " " + station_id,
        latitude=table.numbers("Latitude"),
        longitude=table.numbers("Longitude"),
    )
    below = (table.numbers("Sample Measurement") < table.numbers("MDL")).sum()
    note = f"{table.file}: {below} of {table.frame.height} values are below the detection limit (MDL); kept as reported"
    return Reading(rows, place, (note,) if below else ())


def _refuse_summary(table: Table) -> Reading:
    raise SourceRefused(f"{table.file}: has means by day or year, which cannot be split; download the hourly file")


FORMAT = Format(
    "aqs",
    (
        Layout(
            "hourly file of US EPA AirData",
            Shape(("State Code", "County Code", "Site Num", "Date GMT", "Time GMT", "Sample Measurement")),
            _read,
            "hour beginning, GMT",
        ),
        Layout(
            "summary file of US EPA AirData",
            Shape(("State Code", "County Code", "Site Num", "Arithmetic Mean")),
            _refuse_summary,
            "days",
        ),
    ),
    credit="US EPA Air Quality System (AirData)",
    licence="US public domain",
)
