"""`hazecast replay`: months of operation in minutes."""

import shutil
from datetime import datetime
from pathlib import Path

from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hazecast.air.clock import parse_utc
from hazecast.cli.base import console
from hazecast.errors import UsageError
from hazecast.replay import (
    ReplayedWorld,
    ReplayReport,
    ReplayRun,
    ReplayWiring,
    Scenario,
    drive,
    page,
    read_scenario,
    report_on,
)
from hazecast.replay.page import LIGHT, describe
from hazecast.settings import Settings
from hazecast.sources import Source
from hazecast.sources.simulated import SimulatedSource
from hazecast.wiring import Wiring


def run_replay(live: Wiring, since: str, until: str, scenario: Path | None) -> None:
    """Run the replay from `since` to `until` (ISO 8601, UTC), and show and write its report."""
    plan = read_scenario(scenario) if scenario else Scenario()
    start, end = _moment(since), _moment(until)
    name = f"{scenario.stem if scenario else 'plain'}-{start:%Y%m%d}-{end:%Y%m%d}"
    parts = _parts(live, plan, start, name)
    report = report_on(parts, plan, _drive(parts, start, end))
    written = parts.settings.home / "report.html"
    written.write_text(page(report, place=parts.settings.place_name, simulated=parts.world.simulated))
    show_report(report)
    console.print(f"\nthe whole report: {written}", soft_wrap=True)


def show_report(report: ReplayReport) -> None:
    """Print the report."""
    if report.is_light:
        console.print(LIGHT, soft_wrap=True)
    for fault in report.faults:
        console.print(f"\n[bold]{escape(fault.planned.label)}[/bold]  {fault.since:%Y-%m-%d} to {fault.until:%Y-%m-%d}")
        lines = [("detected", describe(fault.detected)), ("alerted", describe(fault.alerted, none="no alert"))]
        lines += [("response", line) for line in fault.response] + [("served", fault.served)]
        for word, line in lines:
            console.print(f"  {word:<10} {escape(line)}", soft_wrap=True, highlight=False)
    console.print()
    for check in report.integrity:
        mark = "[green]✓[/green]" if check.passed else "[bold red]✗[/bold red]"
        console.print(f"{mark} {escape(check.name)}: {check.numbers}", soft_wrap=True, highlight=False)


def _drive(parts: ReplayWiring, start: datetime, end: datetime) -> ReplayRun:
    columns = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training on the history", total=1.0)
        return drive(
            parts,
            since=start,
            until=end,
            progress=lambda line, share: bar.update(task, description=line, completed=share),
        )


def _parts(live: Wiring, plan: Scenario, start: datetime, name: str) -> ReplayWiring:
    home = live.settings.home.resolve() / "replays" / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    apart = {"home": home, "use_s3": False, "mlflow_tracking_uri": "", "history_days": plan.history_days}
    light = plan.light_training or live.settings.light_training
    judged = {"validation_days": plan.validation_days, "light_training": light}
    settings: Settings = live.settings.model_copy(update=apart | judged)
    return ReplayWiring(settings, ReplayedWorld(_source(live, plan), plan.faults, start=start))


def _source(live: Wiring, plan: Scenario) -> Source:
    if live.settings.source == "files":
        return live.source
    return SimulatedSource(
        n_stations=plan.city.stations, pollutants=plan.city.pollutants, horizon_hours=live.spec.horizon_hours
    )


def _moment(text: str) -> datetime:
    try:
        return parse_utc(text)
    except ValueError as err:
        raise UsageError(str(err)) from err
