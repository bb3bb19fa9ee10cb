"""`hazecast index`: the air-quality index of given concentrations, by any country's rules."""

import json
from collections.abc import Sequence
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from hazecast.air.indices import INDICES, Index, IndexResult, Reading, find_index
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.units import Unit
from hazecast.cli.base import console, new_table
from hazecast.errors import ContractError, HazecastError, NotKnown

_BEYOND_TABLE = 5.0
_T = TypeVar("_T")

Name = Annotated[str, typer.Option("--index", help=f"{', '.join(INDICES)}.", metavar="NAME")]
Pollutants = Annotated[list[str], typer.Option("--pollutant", help=f"{', '.join(POLLUTANTS)}.", metavar="NAME")]
Values = Annotated[list[float], typer.Option("--value", help="Its concentration, 0 or more.", metavar="NUMBER")]
Averagings = Annotated[
    list[str] | None,
    typer.Option(
        "--averaging",
        help="Averaging time of the value: 1h, 3h, 8h, 24h, nowcast …; one for all or one for each.",
        show_default="the index's usual one",
        metavar="TIME",
    ),
]
Units = Annotated[
    list[Unit] | None,
    typer.Option(
        "--unit", help="One for all values or one for each.", show_default="the unit of the index's official table"
    ),
]
Version = Annotated[
    str | None,
    typer.Option("--index-version", help="An older table of the same index.", show_default="in force", metavar="NAME"),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]


def index(
    name: Name,
    pollutant: Pollutants,
    value: Values,
    averaging: Averagings = None,
    unit: Units = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Compute a country's air-quality index from concentrations.

    [bold]hazecast index --index us-epa --pollutant pm25 --value 35.9 --averaging 24h[/bold]

    Repeat --pollutant and --value for several pollutants; the dominant one is marked.

    Without --unit a value is in the unit of the index's official table, which the result repeats:

    - particles in µg/m³ everywhere, gases in µg/m³ unless named here;
    - us-epa: o3 and co in ppm, no2 and so2 in ppb;
    - ca-aqhi: o3 and no2 in ppb;
    - in-naqi, cn-hj633-… and fi-hsy: co in mg/m³.

    The value is null in an index without numbers. With too few pollutants the status is "insufficient data".
    """
    try:
        chosen = find_index(name, version)
        result = chosen.evaluate(_readings(chosen, pollutant, value, averaging, unit))
    except HazecastError as err:
        raise typer.BadParameter(str(err)) from err
    if as_json:
        typer.echo(json.dumps(result.as_dict(), ensure_ascii=False))
    else:
        _show(result)


def _readings(
    chosen: Index,
    names: Sequence[str],
    values: Sequence[float],
    averagings: Sequence[str] | None,
    units: Sequence[Unit] | None,
) -> list[Reading]:
    if len(names) != len(values):
        raise ContractError(f"{len(names)} --pollutant but {len(values)} --value; give one value for each pollutant")
    rows = zip(names, values, _for_each(averagings, names), _for_each(units, names), strict=True)
    return [_reading(chosen, *row) for row in rows]


def _for_each(given: Sequence[_T] | None, names: Sequence[str]) -> Sequence[_T | None]:
    if not given:
        return [None] * len(names)
    if len(given) not in (1, len(names)):
        raise ContractError(f"{len(given)} of --averaging or --unit for {len(names)} pollutants; give one, or one each")
    return list(given) * (len(names) // len(given))


def _reading(chosen: Index, name: str, value: float, averaging: str | None, unit: Unit | None) -> Reading:
    if name not in POLLUTANTS:
        raise NotKnown("pollutant", name, list(POLLUTANTS))
    pollutant = Pollutant(name)
    averaging = averaging or chosen.usual_averaging(pollutant)
    scale = chosen.scale(pollutant, averaging)
    if unit is None and scale.unit is not Unit.UGM3 and value > _BEYOND_TABLE * scale.top:
        raise ContractError(
            f"{value:g} {scale.unit.label} of {pollutant} is far beyond the table of {chosen.name}; "
            f"give its unit: --unit {' or '.join(Unit)}"
        )
    return Reading(pollutant, averaging, value, unit)


def _show(result: IndexResult) -> None:
    console.print(f"[bold]{result.title}[/bold] ({result.index}, version {result.version})", highlight=False)
    if result.band is None:
        console.print(f"[bold]{result.status}[/bold]")
    else:
        label = f"{result.label} " if result.value is not None else ""
        console.print(f"[on {result.colour}]    [/] [bold]{label}{result.band}[/bold]", highlight=False)
        console.print(f"everyone:         {result.advice.everyone}\nsensitive groups: {result.advice.sensitive}")
        console.print(_sub_indices(result))
        console.print(result.advice.note, style="dim", soft_wrap=True)
    for note in result.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)


def _sub_indices(result: IndexResult) -> Table:
    table = new_table("pollutant", "averaging", "concentration", "sub-index", "band")
    for sub in result.sub_indices:
        mark = " ←" if sub.pollutant is result.dominant_pollutant and sub.averaging == result.averaging else ""
        amount = f"{sub.concentration:g} {sub.unit.label}"
        number = "–" if sub.value is None else str(sub.value)
        table.add_row(sub.pollutant.label + mark, sub.averaging, amount, number, sub.band or "–")
    return table
