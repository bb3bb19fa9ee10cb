"""The commands. `hazecast --help` teaches the order in which to use them."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer
import uvicorn
from rich.console import Console

from hazecast import __version__
from hazecast.air.clock import floor_hour
from hazecast.api.app import create_app
from hazecast.cli import backtest, index, show, stack
from hazecast.cli.doctor import diagnose
from hazecast.cli.pipeline import pipeline_on
from hazecast.errors import HazecastError, SettingsError
from hazecast.logs import configure_logs
from hazecast.settings import load_settings
from hazecast.wiring import Wiring, environment_of

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Air-pollution forecasting you run yourself: hourly, calibrated, 72 hours ahead.

Start with [bold]hazecast up[/bold]: it runs the whole pipeline once and brings up the dashboard. The single steps,
in order: [bold]collect[/bold] (fetch, check, store), [bold]train[/bold] (fit, judge, promote if earned),
[bold]forecast[/bold] (issue 72 hours). [bold]status[/bold] shows what is there, [bold]doctor[/bold] what is wrong.

Every setting is an environment variable HAZECAST_…; see .env.example. All local state is under HAZECAST_HOME.""",
)

console = Console()
complaints = Console(stderr=True)

Source = Annotated[
    str | None, typer.Option(help="simulated, files or auto.", show_default="HAZECAST_SOURCE or auto", metavar="NAME")
]
Data = Annotated[Path | None, typer.Option(help="Dataset folder for the source files (docs/data.md).", metavar="DIR")]
Now = Annotated[str | None, typer.Option(help="Act as if it were this UTC time: 2016-06-01T00:00Z.", metavar="TIME")]
P = ParamSpec("P")


class Flow(StrEnum):
    """What `hazecast run` can run."""

    TRAINING = "training"
    PREDICTION = "prediction"
    FULL = "full"


def _explains(command: Callable[P, None]) -> Callable[P, None]:
    """Print a Hazecast error as one line for people and end with code 1; bugs keep their traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except HazecastError as err:
            complaints.print(f"[bold red]error:[/bold red] {err}", soft_wrap=True, highlight=False)
            raise typer.Exit(1) from err

    return run


def _wire(source: str | None, data: Path | None, now: str | None) -> Wiring:
    source = source or ("files" if data else None)
    settings = load_settings(source=source, data=data, now=now)
    configure_logs(settings.log_format)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise SettingsError(f"{settings.home} cannot be made ({err.strerror}); set HAZECAST_HOME elsewhere") from err
    return Wiring(settings)


@app.command()
@_explains
def up(source: Source = None, data: Data = None, now: Now = None) -> None:
    """Run the full pipeline once, then keep MLflow, API and dashboard up until Ctrl-C."""
    parts = _wire(source, data, now)
    stack.require_free_ports(parts.settings)
    show.opening(parts, console)
    _bring_up_to_date(parts)
    logs = parts.settings.home / "logs"
    try:
        with stack.running(parts.settings, environment_of(parts), logs) as children:
            show.addresses(parts, console)
            stack.wait(children, logs)
    except KeyboardInterrupt:
        console.print("\nstopped; `hazecast up` continues from what is stored")


@app.command()
@_explains
def run(flow: Flow, source: Source = None, data: Data = None, now: Now = None) -> None:
    """Run a sequence: training (collect, train), prediction (collect, forecast) or full (all)."""
    pipeline = pipeline_on(console, _wire(source, data, now))
    {Flow.TRAINING: pipeline.training, Flow.PREDICTION: pipeline.prediction, Flow.FULL: pipeline.full}[flow]()


@app.command()
@_explains
def collect(source: Source = None, data: Data = None, now: Now = None) -> None:
    """Fetch what is new from the source, flag what is doubtful, store it."""
    pipeline = pipeline_on(console, _wire(source, data, now))
    pipeline.check(pipeline.collect())


@app.command()
@_explains
def train(source: Source = None, data: Data = None, now: Now = None) -> None:
    """Fit a model, judge it against baselines and the champion, promote it if it earned it."""
    pipeline = pipeline_on(console, _wire(source, data, now))
    pipeline.validate(pipeline.train())


@app.command()
@_explains
def forecast(source: Source = None, data: Data = None, now: Now = None) -> None:
    """Issue the next 72 hours for every station and pollutant and show a summary."""
    parts = _wire(source, data, now)
    pipeline_on(console, parts).forecast()
    show.forecast_table(parts, console)


@app.command()
@_explains
def status(source: Source = None, data: Data = None, now: Now = None) -> None:
    """Show what is stored, how fresh it is, which model is champion and how good it is."""
    show.status(_wire(source, data, now), console)


app.add_typer(backtest.group(_explains), name="backtest")
app.command()(index.index)


@app.command()
@_explains
def doctor(source: Source = None, data: Data = None, now: Now = None) -> None:
    """Check this machine and these settings, and say how to mend what is wrong."""
    parts = _wire(source, data, now)
    if not show.findings(diagnose(parts), console):
        raise typer.Exit(1)


@app.command()
@_explains
def serve(source: Source = None, data: Data = None, now: Now = None) -> None:
    """Serve the API alone, without pipeline or dashboard."""
    parts = _wire(source, data, now)
    replayed = parts.replayed_now
    api = create_app(
        store=parts.store,
        clock=parts.now,
        clock_replayed=replayed is not None,
        stale_after_hours=parts.settings.stale_after_hours,
    )
    uvicorn.run(api, host=parts.settings.host, port=parts.settings.api_port, log_level="warning")


@app.command()
def version() -> None:
    """Print the version."""
    console.print(__version__)


def _bring_up_to_date(parts: Wiring) -> None:
    """Do only what is missing: nothing when this hour is forecast, all of it the first time."""
    pipeline = pipeline_on(console, parts)
    if pipeline.is_issued:
        console.print(f"the forecast of {floor_hour(pipeline.now):%Y-%m-%d %H:%M} UTC is stored already")
    elif parts.registry.champion_version() is None:
        pipeline.full()
    else:
        pipeline.prediction()
