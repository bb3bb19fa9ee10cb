"""`hazecast import`: published files of a network become a dataset folder."""

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import available_timezones

import typer
from rich.markup import escape

from hazecast.cli.base import console
from hazecast.imports.titles import ALIASES, AUTO, TITLES

if TYPE_CHECKING:
    from hazecast.imports.report import Report

HELP = "\n\n".join(
    [
        "Read published files of a monitoring network into a dataset folder, and report what was dropped and why.",
        "Files may be gzipped or zipped. Then: hazecast inspect DIR, hazecast collect --source files --data DIR.",
        "\n".join(
            [
                "Formats:",
                *(f"[bold]{name}[/bold]: {title}" for name, title in (TITLES | {AUTO: "the one that fits"}).items()),
            ]
        ),
    ]
)
FormatName = Annotated[str, typer.Argument(help="One of the formats above.", metavar="FORMAT")]
Files = Annotated[
    list[Path],
    typer.Argument(
        help="Files of that format; a list of stations may be among them.",
        exists=True,
        dir_okay=False,
        metavar="FILE...",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Dataset folder to write.", metavar="DIR")]
Stations = Annotated[
    Path | None,
    typer.Option("--stations", help="Names and coordinates of stations.", exists=True, dir_okay=False, metavar="FILE"),
]
Only = Annotated[list[str] | None, typer.Option("--station", help="Keep this station only. Repeatable.", metavar="ID")]
Zone = Annotated[str, typer.Option("--timezone", help="Zone of the stations: Europe/Madrid.", metavar="ZONE")]
Units = Annotated[
    list[str] | None, typer.Option("--unit", help="Unit of a pollutant: co=mg/m3. Repeatable.", metavar="NAME=UNIT")
]
HourName = Annotated[
    str,
    typer.Option(
        "--hour", help="What times name: start or end of the hour.", metavar="start|end", show_default="by format"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def import_(
    name: FormatName,
    files: Files,
    out: Out,
    stations: Stations = None,
    station: Only = None,
    timezone: Zone = "",
    unit: Units = None,
    hour: HourName = "",
    as_json: Json = False,
) -> None:
    """Read published files into a dataset folder; the help is `HELP`."""
    from hazecast.imports.formats import Hour
    from hazecast.imports.run import import_files

    known = ALIASES.get(name, name)
    if known not in (*TITLES, AUTO):
        raise typer.BadParameter(
            f"{name!r} is no format; formats are {', '.join([*TITLES, AUTO])}", param_hint="FORMAT"
        )
    if hour not in ("", *Hour):
        raise typer.BadParameter(f"{hour!r} is neither start nor end", param_hint="--hour")
    if timezone and timezone not in available_timezones():
        raise typer.BadParameter(f"{timezone!r} is not an IANA zone (Europe/Madrid)", param_hint="--timezone")
    _refuse_used(out)
    report = import_files(
        known,
        files,
        out,
        now=datetime.now(UTC),  # noqa: TID251 - values from the future are judged by the real clock
        station_list=stations,
        only_stations=station or (),
        timezone=timezone,
        units=_units(unit or []),
        hour=Hour(hour) if hour else None,
    )
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(report, out)


def _refuse_used(out: Path) -> None:
    """A folder with other content stays as it is."""
    from hazecast.imports.run import REPORT

    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / REPORT).is_file()):
        raise typer.BadParameter(
            f"{out} is there and was not written by an import; name another folder", param_hint="--out"
        )


def _units(given: list[str]) -> dict[str, str]:
    from hazecast.air.pollutants import POLLUTANTS
    from hazecast.sources.files.columns import pollutant_unit

    units = dict(text.partition("=")[::2] for text in given)
    for name, unit in units.items():
        if name not in POLLUTANTS or pollutant_unit(name, unit) is None:
            raise typer.BadParameter(
                f"{name}={unit} is not a pollutant and a unit of it (co=mg/m3)", param_hint="--unit"
            )
    return units


def _show(report: "Report", out: Path) -> None:
    """One line for each thing, so that nothing is cut in a pipe."""
    lines = [f"read {_many(len(report.files), 'file')}: {layout}" for layout in report.layouts]
    weather = f" and {report.weather:,} of weather" if report.weather else ""
    lines.append(
        f"kept {report.kept:,} hourly values{weather} of {_many(len(report.stations), 'station')}, "
        f"{report.first:%Y-%m-%d %H:%M} to {report.last:%Y-%m-%d %H:%M} UTC; the files have {report.read:,} values"
    )
    for part in report.dropped:
        first = f"first: {part.file}, line {part.row}, {part.station_id} {part.name} {part.text}".rstrip()
        lines.append(f"dropped {part.values:,}: {part.reason} ({first})")
    lines += [f"note: {note}" for note in report.notes]
    lines.append(f"wrote {out}; look at it with: hazecast inspect {shlex.quote(str(out))}")
    for line in lines:
        console.print(escape(line), soft_wrap=True, highlight=False)


def _many(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"
