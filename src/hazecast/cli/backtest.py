"""`hazecast backtest`: forecast the past of a dataset, and report how good the forecasts are."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from hazecast.air.spec import DEFAULT_HORIZON_HOURS, MAX_HORIZON_HOURS
from hazecast.cli.base import console
from hazecast.errors import UsageError

if TYPE_CHECKING:
    from hazecast.evaluation.report import Section
    from hazecast.steps import Progress

_WHEN = "ISO date or time; without a zone by the clock of the first station."
_LOUD = "bold black on yellow"
_HOURS_PER = {"h": 1, "d": 24}


def _span(text: str | timedelta) -> timedelta:
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"([1-9]\d*)([hd])", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is not a time span such as 24h or 7d")
    return timedelta(hours=int(found[1]) * _HOURS_PER[found[2]])


Data = Annotated[Path, typer.Option(help="Dataset folder (docs/data.md).", metavar="DIR")]
Until = Annotated[str, typer.Option("--train-until", help=f"End of the training data. {_WHEN}", metavar="T")]
Since = Annotated[str, typer.Option("--from", help=f"First issue at or after. {_WHEN}", metavar="T")]
To = Annotated[str, typer.Option("--to", help=f"Issues stop before. {_WHEN}", metavar="T")]
Hour = Annotated[int, typer.Option(min=0, max=23, help="Hour of issue by the clock of the first station.")]
Out = Annotated[Path, typer.Option(help="Parquet file to write.", metavar="FILE")]
Every = Annotated[
    timedelta, typer.Option(parser=_span, help="Time between issues: 24h, 7d.", show_default="24h", metavar="SPAN")
]
Horizon = Annotated[int, typer.Option(min=1, max=MAX_HORIZON_HOURS, help="Longest lead, in hours.")]
Weather = Annotated[
    Literal["none", "forecast", "noisy", "observed"],
    typer.Option(
        help="Weather ahead: none; forecast (in the dataset); noisy (observed plus seeded errors); "
        "observed (perfect prog: an upper bound)."
    ),
]
Pollutants = Annotated[str, typer.Option(help="Comma-separated, e.g. pm25,o3.", show_default="all", metavar="LIST")]
Retrain = Annotated[
    timedelta | None, typer.Option(parser=_span, help="Retrain at this interval.", show_default="never", metavar="SPAN")
]
Unseen = Annotated[
    int,
    typer.Option(
        "--unseen-groups",
        min=0,
        help="Leave stations out: make this many groups, each forecast by a model that was trained without it.",
        show_default="none left out",
    ),
]
DaysOut = Annotated[
    Path | None,
    typer.Option(
        "--days-out",
        help="Also write the forecasts of day statistics (mean_24h, max_1h, mda8) to this Parquet file.",
        metavar="FILE",
    ),
]
Thresholds = Annotated[
    str,
    typer.Option(
        "--thresholds",
        help="Further values for the probabilities in --days-out, in µg/m³: pm25=9,15,25 o3=100.",
        show_default="the limits alone",
        metavar="LIST",
    ),
]
Record = Annotated[str, typer.Option("--record", help="Also record it in MLflow under this name.", metavar="NAME")]
Predictions = Annotated[Path, typer.Argument(help="File written by `hazecast backtest`.", metavar="FILE")]
ReportData = Annotated[
    Path | None, typer.Option("--data", help="Dataset folder.", show_default="as at the run", metavar="DIR")
]
ReportDays = Annotated[
    Path | None, typer.Option("--days", help="File written by --days-out of the same run.", metavar="FILE")
]
Html = Annotated[Path | None, typer.Option(help="Also write one self-contained page here.", metavar="FILE")]


class _RunByDefault(TyperGroup):
    """`hazecast backtest --data …` is `hazecast backtest run --data …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    no_args_is_help=True,
    help="""Evaluate the model on the past: train on what was known, forecast what came next, report the errors.

[bold]run[/bold] is the default: hazecast backtest --data DIR … is hazecast backtest run --data DIR …""",
)


@app.command()
def run(
    data: Data,
    train_until: Until,
    since: Since,
    to: To,
    out: Out,
    hour: Hour = 0,
    every: Every = timedelta(hours=24),
    horizon: Horizon = DEFAULT_HORIZON_HOURS,
    weather: Weather = "none",
    pollutants: Pollutants = "",
    retrain: Retrain = None,
    unseen_groups: Unseen = 0,
    days_out: DaysOut = None,
    thresholds: Thresholds = "",
) -> None:
    """Forecast a past period and write the forecasts to a file. An interrupted run resumes where it stopped."""
    from hazecast.evaluation import backtest as evaluation
    from hazecast.evaluation.dataset import read_dataset
    from hazecast.features import FutureWeather
    from hazecast.settings import load_settings
    from hazecast.wiring import Wiring

    if thresholds and days_out is None:
        raise UsageError("--thresholds adds probabilities to --days-out; give a file there")
    dataset = read_dataset(data)
    parts = Wiring(load_settings())
    backtest = evaluation.Backtest(
        train_until=dataset.moment(train_until, option="--train-until"),
        since=dataset.moment(since, option="--from"),
        until=dataset.moment(to, option="--to"),
        hour=hour,
        every=every,
        horizon_hours=horizon,
        weather=FutureWeather(weather),
        pollutants=tuple(filter(None, re.split(r"[,\s]+", pollutants))),
        retrain_every=retrain,
        unseen_groups=unseen_groups,
        thresholds=parse_thresholds(thresholds),
        kind=parts.settings.model,
        config=parts.model_config,
    )
    with _bars() as (training, issuing):
        facts = evaluation.run(backtest, dataset, out, days_out=days_out, training=training, issuing=issuing)
    console.print(f"[bold]weather[/bold] {facts['weather_in_words']}")
    console.print(f"{out}: {facts['n_issues']} issues, {', '.join(facts['pollutants'])}", soft_wrap=True)


def parse_thresholds(text: str) -> dict[str, tuple[float, ...]]:
    """Values by pollutant [µg/m³] from "pm25=9,15,25 o3=100"; groups are separated by blanks or semicolons.

    Raises:
        SettingsError: not of that form, or a value is not a positive number.
    """
    found: dict[str, tuple[float, ...]] = {}
    for group in filter(None, re.split(r"[\s;]+", text)):
        pollutant, _, values = group.partition("=")
        try:
            numbers = tuple(float(value) for value in values.split(","))
        except ValueError:
            numbers = ()
        if not numbers or not all(0 < number < float("inf") for number in numbers):
            raise UsageError(f"--thresholds {group!r} is not of the form pm25=9,15,25, in µg/m³")
        found[pollutant] = numbers
    return found


@contextmanager
def _bars() -> Iterator[tuple["Progress", "Progress"]]:
    """Two progress bars: of the trainings and of the issues."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("[bold]{task.fields[stage]:<8}"), BarColumn(24), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as bars:
        train, forecast = (bars.add_task("", total=1.0, stage=stage) for stage in ("train", "forecast"))
        yield (
            lambda line, share: bars.update(train, description=line, completed=share),
            lambda line, share: bars.update(forecast, description=line, completed=share),
        )


@app.command()
def report(
    predictions: Predictions, data: ReportData = None, days: ReportDays = None, html: Html = None, record: Record = ""
) -> None:
    """Verify the forecasts of a backtest against the observations: tables here, and a page with figures."""
    from hazecast.evaluation.page import page
    from hazecast.evaluation.report import day_sections, record_of, report_on, sections
    from hazecast.settings import load_settings
    from hazecast.wiring import Wiring

    if html and not html.absolute().parent.is_dir():
        raise UsageError(f"--html {html}: the folder of the file must exist")
    found = report_on(predictions, data=data, days=days)
    console.rule(f"[bold]Backtest of {escape(found.dataset)}")
    style = _LOUD if found.perfect_prog else "bold"
    console.print(f"[{style}]{escape(found.weather)}[/]")
    for warning in found.warnings:
        console.print(f"[{_LOUD}]{escape(warning)}[/]")
    for term, value in found.facts.items():
        console.print(f"[bold]{term}[/bold]: {escape(value)}", highlight=False)
    tables = sections(found.verification) + (day_sections(found.days) if found.days else [])
    for section in filter(lambda section: section.rows.height, tables):
        console.print("", _table(section), f"[dim]{escape(section.note)}[/dim]", sep="\n")
    if html:
        html.write_text(page(found), encoding="utf-8")
        console.print(f"\nwritten: {html}", soft_wrap=True)
    if record:
        registry = Wiring(load_settings(place=found.dataset)).registry
        run_id = registry.record_trial(record, record_of(found, predictions))
        console.print(f"\nrecorded in MLflow: experiment {registry.model_name}-trials, run {run_id}", soft_wrap=True)


def _table(section: "Section") -> Table:
    """One table, with a heading row per pollutant."""
    table = Table(title=section.title, title_style="bold", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    columns = section.rows.drop("pollutant")
    for number, heading in enumerate(columns.columns):
        if number < section.n_text - 1:
            table.add_column(escape(heading))
        else:
            table.add_column(escape(heading), justify="right", min_width=max(map(len, columns[heading])))
    for (pollutant,), rows in section.rows.group_by("pollutant", maintain_order=True):
        table.add_row(f"[bold]{pollutant}[/bold]")
        for row in rows.drop("pollutant").iter_rows():
            table.add_row(*map(escape, row))
        table.add_section()
    return table
