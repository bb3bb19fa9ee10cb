"""The commands. `hazecast --help` teaches the order in which to use them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer
from rich.console import Console

from hazecast import __version__
from hazecast.air.clock import floor_hour
from hazecast.api.server import serve_api
from hazecast.cli import backtest, index, keys, registry, replay, show, stack, watch
from hazecast.cli.doctor import diagnose
from hazecast.cli.live import query_providers
from hazecast.cli.pipeline import pipeline_on
from hazecast.cli.places import discover_place, show_places
from hazecast.cli.publish import publish
from hazecast.cli.queue import queue_depth
from hazecast.errors import HazecastError, SettingsError
from hazecast.logs import configure_logs
from hazecast.settings import load_settings
from hazecast.sources.area import Circle
from hazecast.steps.alert import alert
from hazecast.wiring import Wiring, environment_of

app = typer.Typer(rich_markup_mode="rich")

console = Console()
complaints = Console(stderr=True)

Source = Annotated[
    str | None, typer.Option(help="simulated, files or auto.", show_default="HAZECAST_SOURCE or auto", metavar="NAME")
]
Data = Annotated[Path | None, typer.Option(help="Dataset folder for the source files (docs/data.md).", metavar="DIR")]
Now = Annotated[str | None, typer.Option(help="Act as if it were this UTC time: 2016-06-01T00:00Z.", metavar="TIME")]
Place = Annotated[
    str | None, typer.Option(help="A place of `hazecast places`.", show_default="HAZECAST_PLACE", metavar="NAME")
]
Latitude = Annotated[float, typer.Option("--lat", min=-90, max=90, help="Degrees north.")]
Longitude = Annotated[float, typer.Option("--lon", min=-180, max=180, help="Degrees east.")]
RadiusKm = Annotated[float, typer.Option(min=0.1, max=25, help="How far around, in km.")]
Out = Annotated[Path | None, typer.Option(help="Write it here, such as config/oslo.yaml.", metavar="FILE")]
Since = Annotated[
    str | None, typer.Option(help="Collect history from this UTC day on: 2024-01-01. Resumes.", metavar="DAY")
]
Live = Annotated[bool, typer.Option("--live", help="Ask every service of the place one small question.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show who would be told what; store and send nothing.")]
Trial = Annotated[bool, typer.Option("--trial", help="Send every channel a message that says it is a trial.")]
P = ParamSpec("P")


class Flow(StrEnum):
    """What `hazecast run` can run."""

    TRAINING = "training"
    PREDICTION = "prediction"
    MONITORING = "monitoring"
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


def _wire(source: str | None, data: Path | None, now: str | None, place: str | None = None) -> Wiring:
    source = source or ("files" if data else None)
    settings = load_settings(source=source, data=data, now=now, place=place)
    configure_logs(settings.log_format)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise SettingsError(f"{settings.home} cannot be made ({err.strerror}); set HAZECAST_HOME elsewhere") from err
    return Wiring(settings)


@app.command()
@_explains
def up(
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    prefect: Annotated[bool, typer.Option(help="Also a Prefect server, and a worker that keeps the schedules.")] = True,
) -> None:
    """Run the full pipeline once, then keep MLflow, API, dashboard, Prefect and a worker up until Ctrl-C."""
    parts = _wire(source, data, now, place)
    local = stack.services(parts.settings, prefect=prefect)
    stack.require_free_ports(local, parts.settings.host)
    show.opening(parts, console)
    _bring_up_to_date(parts)
    logs = parts.settings.home / "logs"
    try:
        with stack.running(local, environment_of(parts), logs) as children:
            show.addresses(parts, local, console)
            stack.wait(local, children, logs, complain=complaints.print)
    except KeyboardInterrupt:
        console.print("\nstopped; `hazecast up` continues from what is stored")


@app.command()
@_explains
def run(flow: Flow, source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Run a sequence: training, prediction, monitoring or full (all three)."""
    getattr(pipeline_on(console, _wire(source, data, now, place)), flow.value)()


@app.command()
@_explains
def collect(
    source: Source = None, data: Data = None, now: Now = None, place: Place = None, since: Since = None
) -> None:
    """Fetch what is new from the source, flag what is doubtful, store it.

    History comes four weeks at a time, each checked and stored before the next: interrupt it when you like, the same
    command goes on where it stopped. The last 72 hours are fetched again each time, since networks revise them.
    """
    pipeline = pipeline_on(console, _wire(source, data, now, place))
    pipeline.check(pipeline.collect(since=_day(since) if since else None))


@app.command()
@_explains
def train(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Fit a model, judge it against baselines and the champion, promote it if it earned it."""
    pipeline = pipeline_on(console, _wire(source, data, now, place))
    pipeline.validate(pipeline.train())


@app.command()
@_explains
def forecast(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Issue the next 72 hours for every station and pollutant and show a summary."""
    parts = _wire(source, data, now, place)
    pipeline_on(console, parts).forecast()
    show.forecast_table(parts, console)


@app.command()
@_explains
def verify(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Score every issued forecast whose hours have been observed since, and show how good the last month was."""
    parts = _wire(source, data, now, place)
    pipeline_on(console, parts).verify()
    watch.verification(parts, console)


@app.command()
@_explains
def monitor(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Judge model, inputs, sensors and pipeline, and whether to train anew; `verify` first (docs/monitoring.md)."""
    watch.monitoring(pipeline_on(console, _wire(source, data, now, place)).monitor(), console)


@app.command()
@_explains
def alerts(
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    dry_run: DryRun = False,
    trial: Trial = False,
) -> None:
    """Tell operators and the public what the newest verdicts and forecast say, each incident once (docs/alerts.md)."""
    parts = _wire(source, data, now, place)
    if trial:
        watch.try_channels(parts, console)
        return
    if dry_run:
        told = alert(parts.store, parts.alert_rules, parts.alert_channels, now=parts.now(), dry_run=True)
    else:
        told = pipeline_on(console, parts).alert()
    watch.alerts(told, parts, console, dry_run=dry_run)


@app.command()
@_explains
def status(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Show what is stored, how fresh it is, which model is champion and how good it is."""
    show.status(_wire(source, data, now, place), console)


@app.command()
@_explains
def places() -> None:
    """List the places that can be chosen, where their data come from and which keys they need."""
    show_places(load_settings(), console)


@app.command()
@_explains
def discover(latitude: Latitude, longitude: Longitude, radius_km: RadiusKm = 20.0, out: Out = None) -> None:
    """Look for stations around a point and show or write the place file for them.

    FMI is asked in Finland, OpenAQ everywhere (with HAZECAST_OPENAQ_API_KEY); where neither has a station, CAMS model
    data at the point stand in and are labelled so.
    """
    area = Circle(latitude, longitude, radius_km)
    discover_place(_wire(None, None, None).providers, area, out, console)


app.add_typer(backtest.group(_explains), name="backtest")
app.add_typer(keys.group(_explains), name="api-key")
registry.add_to(app, _wire, _explains)
replay.add_to(app, _wire, _explains)
app.command()(index.index)


@app.command()
@_explains
def doctor(source: Source = None, data: Data = None, now: Now = None, place: Place = None, live: Live = False) -> None:
    """Check this machine and these settings, and say how to mend what is wrong.

    With --live every service of the place is asked one small question instead; that needs the network.
    """
    parts = _wire(source, data, now, place)
    if not show.findings(query_providers(parts) if live else diagnose(parts), console):
        raise typer.Exit(1)


@app.command()
@_explains
def serve(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Serve the API alone, without pipeline or dashboard."""
    serve_api(_wire(source, data, now, place))


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(tzinfo=UTC))
    except ValueError as err:
        raise SettingsError(f"--since {text!r} is not a day such as 2024-01-01") from err


@app.command("queue-depth")
@_explains
def queue_depth_command(
    number: Annotated[bool, typer.Option("--number", help="Only the number of runs that wait.")] = False,
) -> None:
    """Say how many runs wait for the Prefect workers: one line of JSON that CloudWatch reads as a metric."""
    settings = load_settings()
    depth = queue_depth(settings)
    line = depth.as_json(namespace=settings.metrics_namespace, now=datetime.now(UTC))
    typer.echo(str(depth.waiting) if number else line)


@app.command("publish")
@_explains
def publish_command(
    every: Annotated[int, typer.Option(min=0, help="Again after so many seconds; 0: once.", metavar="SECONDS")] = 0,
    place: Place = None,
) -> None:
    """Say the age of the forecast, the open incidents and the queue in lines that CloudWatch reads as metrics."""
    publish(_wire(None, None, None, place), every, say=typer.echo)


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
