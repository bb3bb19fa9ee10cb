"""`hazecast backtest`: replay the past of a dataset, and report how good the forecasts would have been."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer.core import TyperGroup

from hazecast.errors import SettingsError
from hazecast.evaluation.backtest import Backtest, run
from hazecast.evaluation.dataset import read_dataset
from hazecast.evaluation.page import page
from hazecast.evaluation.report import Section, record_of, report_on, sections
from hazecast.features import FutureWeather
from hazecast.settings import load_settings
from hazecast.steps import Progress as Report
from hazecast.wiring import Wiring

console = Console()

_WHEN = "ISO date or time; without a zone by the clock of the first station."
_HOURS_PER = {"h": 1, "d": 24}


def _span(text: str | timedelta) -> timedelta:
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"([1-9]\d*)([hd])", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is not a time span such as 24h or 7d")
    return timedelta(hours=int(found[1]) * _HOURS_PER[found[2]])


Data = Annotated[Path, typer.Option(help="Dataset folder (docs/data.md).", metavar="DIR")]
Until = Annotated[str, typer.Option("--train-until", help=f"The model learns nothing later. {_WHEN}", metavar="T")]
Since = Annotated[str, typer.Option("--from", help=f"First issue at or after. {_WHEN}", metavar="T")]
To = Annotated[str, typer.Option("--to", help=f"Issues stop before. {_WHEN}", metavar="T")]
Hour = Annotated[int, typer.Option(min=0, max=23, help="Hour of issue by the clock of the first station.")]
Out = Annotated[Path, typer.Option(help="Parquet file to write.", metavar="FILE")]
Every = Annotated[
    timedelta, typer.Option(parser=_span, help="Time between issues: 24h, 7d.", show_default="24h", metavar="SPAN")
]
Horizon = Annotated[int, typer.Option(min=1, max=72, help="Longest lead, in hours.")]
Weather = Annotated[
    FutureWeather,
    typer.Option(
        help="Weather ahead: none; forecast (in the dataset); noisy (observed plus seeded errors); "
        "observed (perfect prog: an upper bound)."
    ),
]
Pollutants = Annotated[str, typer.Option(help="Comma-separated, e.g. pm25,o3.", show_default="all", metavar="LIST")]
Retrain = Annotated[
    timedelta | None, typer.Option(parser=_span, help="Train anew this often.", show_default="never", metavar="SPAN")
]
Unseen = Annotated[
    int,
    typer.Option(
        "--unseen-groups",
        min=0,
        help="Leave stations out: divide them into so many groups, each forecast by a model that never saw it.",
        show_default="none left out",
    ),
]
Trial = Annotated[
    str, typer.Option("--record", help="Also record it in MLflow under this name, beside other trials.", metavar="NAME")
]
Predictions = Annotated[Path, typer.Argument(help="File that `hazecast backtest` wrote.", metavar="FILE")]
ReportData = Annotated[
    Path | None, typer.Option("--data", help="Dataset folder.", show_default="where it was at the run", metavar="DIR")
]
Html = Annotated[Path | None, typer.Option(help="Also write one self-contained page here.", metavar="FILE")]


class _RunByDefault(TyperGroup):
    """`hazecast backtest --data …` is `hazecast backtest run --data …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def group(explains: Callable[[Callable[..., None]], Callable[..., None]]) -> typer.Typer:
    """The sub-commands.

    Args:
        explains: what turns an error into a line for people.
    """
    app = typer.Typer(
        cls=_RunByDefault,
        no_args_is_help=True,
        help="""Replay the past: train on what was known, forecast what came next, report how good it was.

[bold]run[/bold] is the default: hazecast backtest --data DIR … is hazecast backtest run --data DIR …""",
    )
    app.command("run")(explains(replay))
    app.command("report")(explains(report))
    return app


def replay(
    data: Data,
    train_until: Until,
    since: Since,
    to: To,
    out: Out,
    hour: Hour = 0,
    every: Every = timedelta(hours=24),
    horizon: Horizon = 72,
    weather: Weather = FutureWeather.NONE,
    pollutants: Pollutants = "",
    retrain: Retrain = None,
    unseen_groups: Unseen = 0,
) -> None:
    """Forecast a past period and write the forecasts to a file; killed and started again, it goes on where it was."""
    dataset = read_dataset(data)
    backtest = Backtest(
        train_until=dataset.moment(train_until, option="--train-until"),
        since=dataset.moment(since, option="--from"),
        until=dataset.moment(to, option="--to"),
        hour=hour,
        every=every,
        horizon_hours=horizon,
        weather=weather,
        pollutants=tuple(filter(None, re.split(r"[,\s]+", pollutants))),
        retrain_every=retrain,
        unseen_groups=unseen_groups,
    )
    with _bars() as (training, issuing):
        facts = run(backtest, dataset, out, training=training, issuing=issuing)
    console.print(f"[bold]weather[/bold] {facts['weather_in_words']}")
    console.print(f"{out}: {facts['n_issues']} issues, {', '.join(facts['pollutants'])}", soft_wrap=True)


@contextmanager
def _bars() -> Iterator[tuple[Report, Report]]:
    columns = (SpinnerColumn(), TextColumn("[bold]{task.fields[stage]:<8}"), BarColumn(24), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as bars:
        tasks = [bars.add_task("", total=1.0, stage=stage) for stage in ("train", "forecast")]

        def teller(task: Any) -> Report:
            return lambda line, share: bars.update(task, description=line, completed=share)

        yield teller(tasks[0]), teller(tasks[1])


def report(predictions: Predictions, data: ReportData = None, html: Html = None, record: Trial = "") -> None:
    """Judge the forecasts of a backtest by what was observed: tables here, and a page with figures."""
    if html and not html.absolute().parent.is_dir():
        raise SettingsError(f"--html {html}: give a file in a folder that exists")
    judged = report_on(predictions, data=data)
    console.rule(f"[bold]Backtest of {escape(judged.dataset)}")
    colour = "bold black on yellow" if judged.perfect_prog else "bold"
    console.print(f"[{colour}]{escape(judged.weather)}[/]")
    for warning in judged.warnings:
        console.print(f"[bold black on yellow]{escape(warning)}[/]")
    for word, value in judged.facts.items():
        console.print(f"[bold]{word}[/bold]: {escape(value)}", highlight=False)
    for section in sections(judged.verification):
        console.print("", _table(section), f"[dim]{escape(section.note)}[/dim]", sep="\n")
    if html:
        html.write_text(page(judged), encoding="utf-8")
        console.print(f"\nwritten: {html}", soft_wrap=True)
    if record:
        registry = Wiring(load_settings(place=judged.dataset)).registry
        run_id = registry.record_trial(record, record_of(judged, predictions))
        console.print(f"\nrecorded in MLflow: experiment {registry.model_name}-trials, run {run_id}", soft_wrap=True)


def _table(section: Section) -> Table:
    """One table; each pollutant under a line of its own."""
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
