"""The commands. `hazecast --help` lists them in the order in which they are used."""

import getpass
from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast import __version__
from hazecast.bulletin import BulletinFormat
from hazecast.cli.base import (
    FAILURE,
    AsJson,
    Data,
    ModelParameters,
    Now,
    Place,
    Source,
    console,
    echo_json,
    err_console,
    wire,
)
from hazecast.errors import HazecastError, UsageError

if TYPE_CHECKING:
    from hazecast.pipeline import Pipeline, Sequence
    from hazecast.wiring import Wiring

Prefect = Annotated[bool, typer.Option(help="Also start a Prefect server, and a worker that runs the schedules.")]
Since = Annotated[
    str | None, typer.Option(help="Collect history from this UTC day on: 2024-01-01. Resumes.", metavar="DAY")
]
IgnoreColumns = Annotated[
    bool, typer.Option("--ignore-columns", help="Leave out columns of files that are not understood.")
]
Aggregate = Annotated[bool, typer.Option("--aggregate", help="Average values within an hour of files to the hour.")]
RetentionDays = Annotated[
    float | None,
    typer.Option(min=0, help="Keep replaced versions this long [d]; default HAZECAST_TABLE_RETENTION_DAYS."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the messages and their recipients; send and store nothing.")
]
Trial = Annotated[bool, typer.Option("--trial", help="Send a test message to every channel.")]
Live = Annotated[bool, typer.Option("--live", help="Send one small request to every service of the place.")]
Latitude = Annotated[float, typer.Option("--lat", min=-90, max=90, help="Degrees north.")]
Longitude = Annotated[float, typer.Option("--lon", min=-180, max=180, help="Degrees east.")]
RadiusKm = Annotated[float, typer.Option(min=0.1, max=25, help="Search radius in km.")]
PlaceFile = Annotated[Path | None, typer.Option(help="Write the place file here: config/oslo.yaml.", metavar="FILE")]
OnlyStations = Annotated[
    list[str] | None, typer.Option("--station", help="Only this station. Repeatable.", metavar="ID")
]
OnlyPollutants = Annotated[
    list[str] | None, typer.Option("--pollutant", help="Only this pollutant. Repeatable.", metavar="NAME")
]
ForecastFile = Annotated[
    Path | None, typer.Option("--out", help="Also write the hours here: .csv, .json or .parquet.", metavar="FILE")
]
ModelVersion = Annotated[str, typer.Argument(help="As `hazecast models` lists it.", metavar="VERSION")]
Reason = Annotated[str, typer.Option(help="Why; recorded in the audit trail.", metavar="TEXT")]
From = Annotated[str, typer.Option("--from", help="Start of the replay, UTC: 2026-03-01T00:00Z.", metavar="TIME")]
To = Annotated[str, typer.Option("--to", help="End of the replay, UTC.", metavar="TIME")]
ScenarioFile = Annotated[
    Path | None,
    typer.Option("--scenario", help="Faults to inject (docs/replay.md); none by default.", metavar="FILE"),
]
NumberOnly = Annotated[bool, typer.Option("--number", help="Print only the number of waiting runs.")]
BackupTarget = Annotated[Path, typer.Argument(help="The file to write, or a folder for it.", metavar="FILE|DIR")]
BackupFile = Annotated[Path, typer.Argument(help="A file that `hazecast backup` wrote.", metavar="FILE")]
EverySeconds = Annotated[
    int, typer.Option("--every", min=0, help="Repeat at this interval; 0: once.", metavar="SECONDS")
]


Language = Annotated[str, typer.Option("--lang", help="en, fi or sv.", metavar="CODE")]
BulletinDay = Annotated[str | None, typer.Option("--day", help="Local day; default: tomorrow.", metavar="DAY")]
OutFile = Annotated[Path | None, typer.Option("--out", help="Write to this file.", metavar="FILE")]
CapSender = Annotated[
    str, typer.Option("--sender", help="Sender of a CAP message, such as your internet domain.", metavar="NAME")
]


class Flow(StrEnum):
    """What `hazecast run` can run."""

    TRAINING = "training"
    PREDICTION = "prediction"
    MONITORING = "monitoring"
    FULL = "full"


def up(source: Source = None, data: Data = None, now: Now = None, place: Place = None, prefect: Prefect = True) -> None:
    """Make a forecast, then serve MLflow, API, dashboard and Prefect until Ctrl-C.

    The first start trains a small model in seconds, and the full one while the first forecast is served.
    What is already stored is not computed again.
    A service that stops is started again; the others continue.
    """
    from hazecast.air.tables import Forecasts
    from hazecast.cli import first_start, show
    from hazecast.cli.processes import Processes, reserved_ports
    from hazecast.cli.stack import services
    from hazecast.steps.lock import only_one
    from hazecast.wiring import environment_of

    parts = wire(source, data, now, place)
    local, home = services(parts.settings, prefect=prefect), parts.settings.home.resolve()
    try:
        with only_one("up", home / "locks", parts.settings.place_name), reserved_ports(local) as ports:
            show.opening(parts)
            show.open_to_all(parts.settings)
            pipeline = _pipeline(parts)
            sequence, train_behind = first_start.outstanding(pipeline)
            try:
                _run(sequence, pipeline)
            except HazecastError as err:
                if parts.store.newest(Forecasts, "issued_at", until=pipeline.now) is None:
                    raise
                show.warning(f"{err}. Serving what is stored; the next scheduled run tries again")
            processes = Processes(local, environment_of(parts), home, ports, warn=show.warning)
            with processes.running():
                show.addresses(parts, local)
                with first_start.full_training(environment_of(parts)) if train_behind else nullcontext():
                    processes.watch()
    except KeyboardInterrupt:
        console.print("\nstopped; `hazecast up` continues from what is stored")


def run(
    flow: Flow,
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    set_parameters: ModelParameters = None,
) -> None:
    """Run a sequence: training, prediction, monitoring or full (all three)."""
    from hazecast.pipeline import SEQUENCES

    _run(SEQUENCES[flow.value], _pipeline(wire(source, data, now, place, set_parameters)))


def collect(
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    since: Since = None,
    ignore_columns: IgnoreColumns = False,
    aggregate: Aggregate = False,
) -> None:
    """Fetch new observations from the source, flag implausible ones, and store them.

    History is fetched four weeks at a time.
    Each part is checked and stored before the next one is fetched.
    An interrupted command resumes where it stopped.
    The last 72 hours are always fetched again, because networks revise them.
    A dataset folder is read whole each time, and what changed in it is stored.
    """
    parts = wire(source, data, now, place, ignore_columns=ignore_columns or None, aggregate=aggregate or None)
    pipeline = _pipeline(parts)
    pipeline.check(pipeline.collect(since=_day(since) if since else None))


def train(
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    set_parameters: ModelParameters = None,
) -> None:
    """Fit a model, compare it with the baselines and the champion, and promote it if it is significantly better."""
    pipeline = _pipeline(wire(source, data, now, place, set_parameters))
    pipeline.validate(pipeline.train())


def forecast(
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    station: OnlyStations = None,
    pollutant: OnlyPollutants = None,
    out: ForecastFile = None,
    as_json: AsJson = False,
) -> None:
    """Issue the next forecast for every station and pollutant, and show a summary.

    --station and --pollutant choose what is shown and written; all are forecast and stored.
    """
    from hazecast.cli import show
    from hazecast.cli.pipeline import pipeline_on

    parts = wire(source, data, now, place)
    if out:
        show.refuse_file(out)
    pipeline_on(err_console if as_json else console, parts).forecast()
    chosen = {"stations": station or (), "pollutants": pollutant or ()}
    rows = show.newest_forecast(parts.store, now=parts.now(), **chosen)
    if as_json:
        echo_json(rows.to_dicts())
    else:
        show.forecast_table(parts.store, parts.spec, now=parts.now(), **chosen)
    if out:
        show.write_rows(rows, out)


def verify(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Score every issued forecast whose hours have been observed since, and show the skill of the last 30 days."""
    from hazecast.cli import watch

    parts = wire(source, data, now, place)
    _pipeline(parts).verify()
    watch.verification(parts, console)


def monitor(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Check model, inputs, sensors and pipeline, and decide whether to retrain (docs/monitoring.md).

    Run `hazecast verify` first: the checks of the model use its scores.
    """
    from hazecast.cli import watch

    watch.monitoring(_pipeline(wire(source, data, now, place)).monitor(), console)


def compact(
    source: Source = None,
    data: Data = None,
    place: Place = None,
    retention_days: RetentionDays = None,
) -> None:
    """Join the small files of the tables and delete the files of replaced versions (docs/operations.md).

    The worker does so every night. An interrupted command leaves every table as it was or as it will be.
    """
    from hazecast.steps import upkeep

    retention = None if retention_days is None else timedelta(days=retention_days)
    for name, found in upkeep.compact(wire(source, data, place=place).store, retention=retention):
        console.print(f"{name}: {found}")


def migrate(source: Source = None, data: Data = None, place: Place = None) -> None:
    """Convert tables of an earlier release to monthly partitions, each in one commit.

    Run it again after an interruption: converted tables are skipped.
    Tables are also converted while they are written.
    """
    from hazecast.steps import upkeep

    for name, was_old in upkeep.migrate(wire(source, data, place=place).store):
        console.print(f"{name}: {'converted' if was_old else 'up to date'}")


def alerts(
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    dry_run: DryRun = False,
    trial: Trial = False,
) -> None:
    """Notify operators and the public of new incidents, each incident once (docs/alerts.md)."""
    from hazecast.cli import watch
    from hazecast.steps.alert import alert

    parts = wire(source, data, now, place)
    if trial:
        watch.try_channels(parts, console)
        return
    if dry_run:
        result = alert(parts.store, parts.alert_rules, parts.alert_channels, now=parts.now(), dry_run=True)
    else:
        result = _pipeline(parts).alert()
    watch.alerts(result, parts, console, dry_run=dry_run)


def bulletin(
    form: Annotated[BulletinFormat, typer.Option("--format", help="CAP is version 1.2.")] = BulletinFormat.TEXT,
    language: Language = "en",
    day: BulletinDay = None,
    out: OutFile = None,
    sender: CapSender = "hazecast",
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
) -> None:
    """Write the bulletin of the next day: warnings, probabilities by station, drivers, and yesterday's result."""
    from hazecast.bulletin.content import make_bulletin
    from hazecast.bulletin.render import render
    from hazecast.cli import show
    from hazecast.i18n import LANGUAGES, read_language

    if language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r} is not one of {', '.join(LANGUAGES)}", param_hint="--lang")
    if out is not None:
        show.refuse_file(out, endings=())
    parts = wire(source, data, now, place)
    made = make_bulletin(
        parts.store,
        parts.alert_rules,
        place=parts.title,
        now=parts.now(),
        day=_calendar_day(day) if day else None,
        is_replayed=parts.replayed_now is not None,
        stale_after_hours=parts.settings.stale_after_hours,
    )
    text = render(made, form, read_language(language), sender=sender)
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        console.print(f"written: {out}", soft_wrap=True, highlight=False)


def _calendar_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as err:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-03-01", param_hint="--day") from err


def status(
    source: Source = None, data: Data = None, now: Now = None, place: Place = None, as_json: AsJson = False
) -> None:
    """Show what is stored, how old it is, and which model is champion with its skill."""
    from hazecast.cli import show

    parts = wire(source, data, now, place)
    if as_json:
        echo_json(show.status_content(parts))
    else:
        show.status(parts)


def doctor(
    source: Source = None,
    data: Data = None,
    now: Now = None,
    place: Place = None,
    live: Live = False,
    as_json: AsJson = False,
) -> None:
    """Check this machine and these settings, and print the remedy for each problem.

    With --live one small request goes to every service of the place instead.
    That needs the network.
    """
    from hazecast.cli import show
    from hazecast.cli.doctor import diagnose, query_providers

    parts = wire(source, data, now, place)
    found = query_providers(parts) if live else diagnose(parts)
    if as_json:
        echo_json([{"check": one.what, "passed": one.good, "found": one.found} for one in found])
    if not (all(one.good for one in found) if as_json else show.findings(found)):
        raise typer.Exit(FAILURE)


def backup(target: BackupTarget) -> None:
    """Save the local home to one verified file, also while `hazecast up` runs.

    Tables in S3 and the databases of other servers are not in it.
    """
    from hazecast.cli.backup import backup as write_backup
    from hazecast.settings import load_settings

    settings = load_settings()
    path, n_files = write_backup(settings.home.resolve(), target.resolve(), now=settings.clock())
    console.print(f"{n_files:,} files saved and verified: {path}", soft_wrap=True, highlight=False)


def restore(archive: BackupFile) -> None:
    """Replace the local home by a backup; `hazecast up` must not run. The previous home is kept beside it."""
    from hazecast.cli.backup import restore as replace_home
    from hazecast.settings import load_settings

    home = load_settings().home.resolve()
    previous = replace_home(archive.resolve(), home)
    kept = f"; the previous one is {previous}, delete it when you are sure" if previous else ""
    console.print(f"{home} is as it was in the backup{kept}", soft_wrap=True, highlight=False)


def repair(source: Source = None, data: Data = None, place: Place = None) -> None:
    """Keep what is whole of a damaged home: tables, registry, and rows stored while the clock was ahead."""
    from hazecast.cli.backup import repair_home

    done = list(repair_home(wire(source, data, None, place)))
    for line in done or ["nothing is damaged"]:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def places(as_json: AsJson = False) -> None:
    """List the available places, the sources of their data and the keys they need."""
    from hazecast.cli.places import places_content, show_places
    from hazecast.settings import load_settings

    if as_json:
        echo_json(places_content(load_settings()))
    else:
        show_places(load_settings())


def discover(latitude: Latitude, longitude: Longitude, radius_km: RadiusKm = 20.0, out: PlaceFile = None) -> None:
    """Find stations around a point, and show or write a place file for them.

    FMI is searched in Finland.
    OpenAQ is searched everywhere, with HAZECAST_OPENAQ_API_KEY.
    Where neither has a station, the place uses CAMS model data at the point.
    """
    from hazecast.cli.places import discover_place
    from hazecast.sources.area import Circle

    discover_place(wire().providers, Circle(latitude, longitude, radius_km), out)


def models(source: Source = None, data: Data = None, place: Place = None, as_json: AsJson = False) -> None:
    """List the registered models with their validation and live error, and every change of the champion."""
    from hazecast.cli import show

    parts = wire(source, data, None, place)
    if as_json:
        echo_json(show.models_content(parts.registry, parts.store))
        return
    show.model_versions(parts.registry, parts.store)
    show.champion_changes(parts.registry)


def promote(
    version: ModelVersion, reason: Reason, source: Source = None, data: Data = None, place: Place = None
) -> None:
    """Make a version champion by hand, whatever its validation found. The next forecast uses it."""
    wire(source, data, None, place).registry.promote(version, reason=reason, by=getpass.getuser())
    console.print(f"version {version} is champion; the next `hazecast run prediction` uses it")


def rollback(reason: Reason, source: Source = None, data: Data = None, place: Place = None) -> None:
    """Make the previous champion champion again. The next forecast uses it."""
    version = wire(source, data, None, place).registry.rollback(reason=reason, by=getpass.getuser())
    console.print(f"version {version} is champion again; the next `hazecast run prediction` uses it")


def replay(since: From, until: To, scenario: ScenarioFile = None, source: Source = None, data: Data = None) -> None:
    """Run the pipelines through past or simulated time: train weekly, predict daily, monitor every 6 hours.

    All state is in a folder of its own under HAZECAST_HOME/replays.
    An earlier replay of the same name is replaced.
    The report is printed and written as an HTML page.
    """
    from hazecast.cli.replay import run_replay

    run_replay(wire(source, data, since), since, until, scenario)


def serve(source: Source = None, data: Data = None, now: Now = None, place: Place = None) -> None:
    """Serve the API alone, without pipeline or dashboard."""
    from hazecast.api.server import serve_api
    from hazecast.cli import show

    parts = wire(source, data, now, place)
    show.open_to_all(parts.settings)
    serve_api(parts)


def queue_depth(number: NumberOnly = False) -> None:
    """Print how many runs wait for the Prefect workers, as one line of JSON that CloudWatch reads as a metric."""
    from hazecast.cli.queue import queue_depth as count_runs
    from hazecast.settings import load_settings

    settings = load_settings()
    depth = count_runs(settings)
    line = depth.as_json(namespace=settings.metrics_namespace, now=settings.clock())
    typer.echo(str(depth.waiting) if number else line)


def publish(every: EverySeconds = 0, place: Place = None) -> None:
    """Print the age of the forecast, the open incidents and the queue as lines that CloudWatch reads as metrics."""
    from hazecast.cli.publish import publish as print_metrics

    print_metrics(wire(place=place), every, emit=typer.echo)


def version() -> None:
    """Print the version."""
    console.print(__version__)


def _pipeline(parts: "Wiring") -> "Pipeline":
    from hazecast.cli.pipeline import pipeline_on

    return pipeline_on(console, parts)


def _run(sequence: "Sequence", pipeline: "Pipeline") -> None:
    from hazecast.pipeline import Runner
    from hazecast.pipeline.runner import COMPLETED

    outcome = Runner(pipeline).run(sequence)
    if outcome.name != COMPLETED:
        console.print(f"{outcome.name}: {outcome.message}", soft_wrap=True, highlight=False)


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(tzinfo=UTC))
    except ValueError as err:
        raise UsageError(f"--since {text!r} is not a day such as 2024-01-01") from err
