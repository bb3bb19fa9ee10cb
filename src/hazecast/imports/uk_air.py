"""UK-AIR (AURN and other networks): CSV of uk-air.defra.gov.uk with its preamble, and CSV written by openair.

Sources: files of the UK-AIR data archive and data selector ("All Data GMT hour ending", status codes in the preamble);
importUKAQ of openair (hour beginning, GMT; gases and particles in ug/m3, CO in mg/m3).
"""

import re

import polars as pl

from hazecast.imports.formats import Format, Hour, Layout, Reading, field_of, iso_date, stations, utc, values
from hazecast.imports.tables import Shape, Table
from hazecast.sources.files.columns import compact

_DAILY = re.compile(r"daily|gravimetric", re.IGNORECASE)
_OPENAIR_UNITS = {"co": "mg/m3"}


def _read_site_files(table: Table) -> Reading:
    day = iso_date(table.words("Date").str.strip_prefix("##"), day_first=True)
    at = utc(day + " " + table.words("Time") + "Z")
    facts = table.facts()
    parts, places = [], []
    for number, header in enumerate(table.headers):
        if compact(header) in ("date", "time", "status", "unit", "") or header.lower().startswith("status"):
            continue
        following = [compact(name) for name in table.headers[number + 1 : number + 3]]
        site = _site(table, number) or facts.get("site name") or table.stem
        status = _text(table, number + 1) if following[:1] == ["status"] else None
        unit = _text(table, number + 2) if following[1:2] == ["unit"] else _unit_of_status(status, header)
        parts.append(
            values(
                table,
                station_id=site,
                at=at,
                name=header,
                cell=table.frame[str(number)],
                unit=unit,
                reason=_reason(table, header, status),
            )
        )
        latitude, longitude = facts.get("latitude"), facts.get("longitude")
        places.append(
            stations(
                pl.Series([site]),
                name=site,
                latitude=float(latitude) if latitude else None,
                longitude=float(longitude) if longitude else None,
            )
        )
    return Reading(pl.concat(parts), pl.concat(places))


def _site(table: Table, number: int) -> str:
    """The site above a column: the last name at or before it in the line above the header."""
    above = next((line for line in reversed(table.preamble) if any(line)), [])
    if not above or above[0]:
        return ""
    return next((name for name in reversed(above[: number + 1]) if name), "")


def _text(table: Table, number: int) -> pl.Series:
    return table.frame[str(number)].str.strip_chars()


def _unit_of_status(status: pl.Series | None, header: str) -> pl.Series | str:
    """Older files write "V ugm-3 (TEOM FDMS)" into the status; without it CO is in mg/m3, the rest in ug/m3."""
    usual = "mg/m3" if field_of(header) == "co" else "ug/m3"
    if status is None:
        return usual
    return status.str.extract(r"\b(ugm-3|mgm-3|ug/m3|mg/m3)\b").fill_null(usual)


def _reason(table: Table, header: str, status: pl.Series | None) -> pl.Series:
    rows = pl.DataFrame({"row": table.frame["0"], "code": status if status is not None else ""})
    code = pl.col("code").str.extract(r"^([A-Z]\*?)")
    daily = pl.lit(bool(_DAILY.search(header)))
    return rows.select(
        pl.when(daily)
        .then(pl.lit("not an hourly mean (day)"))
        .when(code == "S")
        .then(pl.lit("status S (suspect)"))
        .when(code.is_not_null() & ~code.is_in(["R", "P", "P*", "V", "N", "S"]))
        .then(pl.format("status {} is unknown", code))
    ).to_series()


def _read_openair(table: Table) -> Reading:
    station_id = pl.select(pl.coalesce(table.words("code"), table.words("site"))).to_series()
    at = _openair_time(table)
    skip = ("date", "code", "site", "source", "sitetype", "latitude", "longitude", "sitecode", "year")
    if table.has("pollutant"):
        name = table.words("pollutant")
        unit = name.replace_strict(_OPENAIR_UNITS, default="", return_dtype=pl.String)
        rows = [values(table, station_id=station_id, at=at, name=name, cell=table.column("value"), unit=unit)]
    else:
        rows = [
            values(
                table,
                station_id=station_id,
                at=at,
                name=header,
                cell=table.frame[str(number)],
                unit=_OPENAIR_UNITS.get(field_of(header) or "", ""),
            )
            for number, header in enumerate(table.headers)
            if compact(header) not in skip and header and not compact(header).endswith("qc")
        ]
    place = stations(
        station_id,
        name=table.words("site"),
        latitude=table.numbers("latitude"),
        longitude=table.numbers("longitude"),
    )
    note = "wind and temperature that openair adds are modelled, not measured" if table.has("ws", "air_temp") else ""
    return Reading(pl.concat(rows), place, (note,) if note else ())


def _openair_time(table: Table) -> pl.Series:
    """R writes midnight without its time."""
    text = iso_date(table.words("date"), day_first=True)
    text = pl.select(pl.when(text.str.contains(r"^\S{10}$")).then(text + " 00:00").otherwise(text)).to_series()
    return utc(pl.select(pl.when(text.str.ends_with("Z")).then(text).otherwise(text + "Z")).to_series())


FORMAT = Format(
    "uk-air",
    (
        Layout("CSV of UK-AIR", Shape(("Date", "Time", "Status")), _read_site_files, "hour ending, GMT", hour=Hour.END),
        Layout("CSV of openair", Shape(("date", "site", "code")), _read_openair, "hour beginning, GMT"),
    ),
    credit="© Crown copyright Defra via uk-air.defra.gov.uk",
    licence="Open Government Licence v3.0",
    timezone="Europe/London",
)
