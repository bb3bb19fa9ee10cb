"""The work of `hazecast import`: files of a format become a dataset folder."""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.errors import SourceRefused
from hazecast.imports.formats import STATIONS, Format, Hour, Layout, Reading
from hazecast.imports.hourly import Hours, hourly, usable_of
from hazecast.imports.places import find_list, with_list
from hazecast.imports.registry import FORMATS
from hazecast.imports.report import Report
from hazecast.imports.tables import RawFile, read_files, read_table
from hazecast.imports.titles import AUTO
from hazecast.sources.files.options import FILE

REPORT = "import.json"
# A layout of which no more than this share of columns is missing is taken for the one that was meant.
_NEAR_SHARE = 0.34


def import_files(
    name: str,
    paths: Sequence[Path],
    out: Path,
    *,
    now: datetime,
    station_list: Path | None = None,
    only_stations: Sequence[str] = (),
    timezone: str = "",
    units: Mapping[str, str] | None = None,
    hour: Hour | None = None,
) -> Report:
    """Write the dataset folder `out` from `paths`, files of the format `name` or of the one that fits (`auto`).

    Args:
        name: of the format.
        paths: files, also compressed.
        out: the folder; replaced if an import wrote it.
        now: the present, UTC.
        station_list: file with ids or names and coordinates of stations.
        only_stations: keep these ids alone; empty: all.
        timezone: IANA zone of the stations, in place of the format's.
        units: unit by pollutant, in place of the files'.
        hour: what the files' times name, in place of the format's convention.

    Raises:
        SourceRefused: a file is of another format, is not readable, or nothing usable is left.
    """
    chosen = _guess(paths) if name == AUTO else FORMATS[name]
    report = Report(chosen.name)
    lists = list(read_files(station_list)) if station_list else []
    parts, places = [], [STATIONS.to_frame()]
    for raw in (raw for path in paths for raw in read_files(path)):
        layout = _layout(chosen, raw)
        if layout is None and len(paths) > 1 and find_list(raw) is not None and not _formats_of(raw):
            lists.append(raw)
            continue
        reading = _read(chosen, layout, raw, report, hour)
        report.read += reading.values.height
        places.append(reading.stations)
        values = reading.values
        if only_stations and not chosen.renames_stations:
            values = values.filter(pl.col("station_id").is_in(list(only_stations)))
        parts.append(usable_of(values, report, units=units or {}))
    if not parts:
        raise SourceRefused(f"no file of {chosen.name} is there, only lists of stations")
    usable, known = pl.concat(parts), _merged(places)
    for raw in lists:
        usable, known = _with_list(usable, known, raw, report)
    if only_stations:
        usable = _only(usable, known, only_stations)
    hours = hourly(usable, report, now=now)
    report.merge()
    if hours.observations.is_empty():
        raise SourceRefused(_nothing_left(report))
    _describe(hours, report)
    _write(out, hours, _described(known, chosen, timezone, report), report)
    return report


def _only(usable: pl.DataFrame, known: pl.DataFrame, stations: Sequence[str]) -> pl.DataFrame:
    found = usable.filter(pl.col("station_id").is_in(list(stations)))
    if found.is_empty():
        there = ", ".join(known["station_id"].head(10).to_list())
        raise SourceRefused(f"no value of {', '.join(stations)} in these files; their stations are {there}")
    return found


def _layout(chosen: Format, raw: RawFile) -> Layout | None:
    return next((layout for layout in chosen.layouts if layout.shape.find(raw)), None)


def _formats_of(raw: RawFile) -> list[Format]:
    return [known for known in FORMATS.values() if _layout(known, raw)]


def _guess(paths: Sequence[Path]) -> Format:
    """The format of the first file that has one.

    Raises:
        SourceRefused: none has, or its layout is that of several.
    """
    for path in paths:
        for raw in read_files(path):
            fitting = _formats_of(raw)
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                names = " and ".join(known.name for known in fitting)
                raise SourceRefused(f"{raw.title}: may be {names}; name the one it is in place of {AUTO}")
    raise SourceRefused(_unknown(next(read_files(paths[0]))))


def _unknown(raw: RawFile) -> str:
    """Why a file is of no format: the columns that the nearest lacks, or how it begins."""
    near = [
        (len(missing) / len(layout.shape.header), known.name, layout.title, missing)
        for known in FORMATS.values()
        for layout in known.layouts
        if (missing := layout.shape.missing(raw))
    ]
    share, name, title, missing = min(near)
    if share <= _NEAR_SHARE:
        return f"{raw.title}: looks like {name} ({title}) without the column {', '.join(missing)}; it is needed"
    begins = raw.head[0][:120] if raw.frame is None else ", ".join(raw.frame.columns)
    return (
        f"{raw.title}: is of no known format (begins: {begins}); known are {', '.join(FORMATS)}. Other tables: name "
        "their columns as docs/data.md has them"
    )


def _read(chosen: Format, layout: Layout | None, raw: RawFile, report: Report, hour: Hour | None) -> Reading:
    """The values of one file.

    Raises:
        SourceRefused: it is of another format.
    """
    if layout is None:
        others = _formats_of(raw)
        if others:
            title = _layout(others[0], raw).title  # type: ignore[union-attr]  # it has one
            raise SourceRefused(
                f"{raw.title}: is not {chosen.name}; it looks like {others[0].name} ({title}); "
                f"use hazecast import {others[0].name}"
            )
        raise SourceRefused(_unknown(raw))
    found = layout.shape.find(raw)
    assert found is not None
    reading = layout.read(read_table(raw, layout.shape, *found))
    if hour is not None and layout.hour is None:
        raise SourceRefused(f"{raw.title}: a {layout.title} states its times itself; leave --hour out")
    named = hour or layout.hour
    if named is Hour.END:
        reading = Reading(reading.values.with_columns(at=pl.col("at") - HOUR), reading.stations, reading.notes)
    times = layout.times if hour is None else f"hour {'ending' if hour is Hour.END else 'beginning'}, by --hour"
    line = f"{layout.title}; times: {times}"
    report.files.append(raw.title)
    report.layouts.extend([] if line in report.layouts else [line])
    report.note(*reading.notes)
    return reading


def _merged(places: list[pl.DataFrame]) -> pl.DataFrame:
    """One row per station; of several files the last that states something counts."""
    present = [pl.col(key).drop_nulls().last() for key in STATIONS if key != "station_id"]
    return pl.concat(places).group_by("station_id", maintain_order=True).agg(present)


def _with_list(
    values: pl.DataFrame, places: pl.DataFrame, raw: RawFile, report: Report
) -> tuple[pl.DataFrame, pl.DataFrame]:
    table = find_list(raw)
    if table is None:
        raise SourceRefused(f"{raw.title}: has no columns for latitude and longitude; it is not a list of stations")
    values, places, n_found = with_list(values, places, table)
    if not n_found:
        raise SourceRefused(f"{raw.title}: has none of the stations, by id or name; the first is {places[0, 0]}")
    report.note(f"{raw.title}: describes {n_found} of the stations")
    return values, places


def _nothing_left(report: Report) -> str:
    reasons = "; ".join(f"{part.values} × {part.reason}" for part in report.dropped[:5])
    reasons = f" ({reasons or 'none of them is of a pollutant'})"
    return f"{', '.join(report.files[:3])}: no hourly value is left of {report.read}{reasons}; nothing is written"


def _describe(hours: Hours, report: Report) -> None:
    keys = ("station_id", "observed_at", "valid_at")
    report.kept = sum(hours.observations[name].count() for name in hours.observations.columns if name not in keys)
    report.weather = sum(hours.weather[name].count() for name in hours.weather.columns if name not in keys)
    report.first, report.last = hours.observations["observed_at"].min(), hours.observations["observed_at"].max()  # type: ignore[assignment]  # times
    report.stations = sorted(hours.observations["station_id"].unique())


def _described(places: pl.DataFrame, chosen: Format, timezone: str, report: Report) -> pl.DataFrame:
    """The rows of stations.csv."""
    kept = places.filter(pl.col("station_id").is_in(report.stations)).sort("station_id")
    nowhere = (pl.col("latitude") == 0) & (pl.col("longitude") == 0)
    on_earth = pl.col("latitude").is_between(-90, 90) & pl.col("longitude").is_between(-180, 180)
    kept = kept.with_columns(pl.when(on_earth & ~nowhere).then(pl.col("latitude", "longitude")))
    report.without_coordinates = kept["latitude"].null_count()
    zone = pl.lit(timezone) if timezone else pl.coalesce("timezone", pl.lit(chosen.timezone or None, pl.String))
    kept = kept.with_columns(timezone=zone)
    if kept["timezone"].null_count():
        report.note("the time zone of the stations is unknown, UTC is taken; name it: --timezone America/New_York")
    if report.without_coordinates:
        report.note(f"stations without coordinates: {report.without_coordinates}; add them with --stations FILE")
    return kept.with_columns(
        name=pl.coalesce("name", "station_id"),
        timezone=pl.col("timezone").fill_null("UTC"),
        attribution=pl.lit(chosen.credit),
        licence=pl.lit(chosen.licence),
    )


def _write(out: Path, hours: Hours, places: pl.DataFrame, report: Report) -> None:
    """Write the folder beside `out`, then put it there."""
    fresh = out.with_name(out.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    places.write_csv(fresh / "stations.csv")
    hours.observations.write_parquet(fresh / "observations.parquet")
    weather = hours.weather.filter(pl.col("station_id").is_in(report.stations))
    if weather.height:
        weather.write_parquet(fresh / "weather.parquet")
    pollutants = [name for name in hours.observations.columns if name not in ("station_id", "observed_at")]
    lines = [f"# written by hazecast import {report.format}; what was dropped: {REPORT}", "units:"]
    (fresh / FILE).write_text("\n".join(lines + [f"  {name}: µg/m³" for name in pollutants]) + "\n", encoding="utf-8")
    (fresh / REPORT).write_text(json.dumps(report.as_json(), indent=2, ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)
