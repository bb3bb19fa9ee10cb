"""China: daily files of all stations as collected from CNEMC's real-time publication (china_sites_20230101.csv).

Source: quotsoft.net/air (columns date, hour, type, then one per station); the publication has CO in mg/m3, the rest in
ug/m3. Its hours are Beijing time; an hour is published once it is over and named by its end.
"""

from dataclasses import replace

import polars as pl

from hazecast.imports.formats import Format, Hour, Layout, Reading, field_of, stations, utc, values
from hazecast.imports.tables import Shape, Table
from hazecast.sources.files.columns import compact
from hazecast.sources.files.sheets import ROW


def _read(table: Table) -> Reading:
    keys = {compact(header): str(number) for number, header in enumerate(table.headers)}
    index = [keys["date"], keys["hour"], keys["type"]]
    sites = {str(number): header for number, header in enumerate(table.headers) if str(number) not in index and header}
    wanted = table.frame.filter(pl.Series([field_of(name) is not None for name in table.words("type", default="")]))
    long = wanted.unpivot(list(sites), index=[ROW, *index], variable_name="site", value_name="cell")
    long = long.select(
        ROW,
        *(pl.col(key).alias(str(at)) for at, key in enumerate(index)),
        site=pl.col("site").replace(sites),
        cell="cell",
    )
    cells = replace(table, frame=long, headers=["date", "hour", "type"])
    day = cells.words("date").str.replace(r"^(\d{4})(\d{2})(\d{2})$", "$1-$2-$3")
    name = cells.words("type")
    rows = values(
        cells,
        station_id=long["site"],
        at=utc(day + " " + cells.words("hour").str.zfill(2) + ":00+08:00"),
        name=name,
        cell=long["cell"],
        unit=pl.select(pl.when(name == "CO").then(pl.lit("mg/m3")).otherwise(pl.lit("ug/m3"))).to_series(),
    )
    other = sorted(set(table.words("type").drop_nulls()) - set(wanted[keys["type"]]))
    notes = (f"types not read: {', '.join(other)}",) if other else ()
    return Reading(rows, stations(pl.Series(list(sites.values()))), notes)


FORMAT = Format(
    "cnemc",
    (
        Layout(
            "daily file of CNEMC's stations",
            Shape(("date", "hour", "type")),
            _read,
            "hour ending, Beijing time (+08:00)",
            hour=Hour.END,
        ),
    ),
    credit="China National Environmental Monitoring Centre (CNEMC)",
    licence="not stated",
    timezone="Asia/Shanghai",
)
