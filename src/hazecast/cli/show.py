"""What commands print: for people, in one screen."""

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.tables import LEAD_BLOCKS, Forecasts, Observations, Quality, Runs, Scores, newest
from hazecast.cli.doctor import Finding
from hazecast.cli.stack import Service
from hazecast.wiring import Wiring

SIMULATED = "[bold black on yellow] SIMULATED [/] the data below are simulated by Hazecast; they measure nothing real"
_STATIONS_SHOWN, _LEADS_SHOWN, _RUNS_SHOWN = 6, (1, 6, 24, 48, 72), 6


def opening(parts: Wiring, console: Console) -> None:
    """Say what is about to run, on which data and by which clock."""
    settings = parts.settings
    console.print(f"[bold]Hazecast[/bold] · place {settings.place_name} · state in {settings.home}")
    if settings.source == "auto" and parts.place is None:
        console.print(
            "no place chosen: using the simulated source. Real data: --place helsinki (`hazecast places` lists more), "
            "or files of your own: --source files --data DIR"
        )
    labels(parts, console)


def labels(parts: Wiring, console: Console) -> None:
    """Say loudly what must not be mistaken: simulated data, a replayed clock."""
    if parts.place is None and parts.source.simulated:
        console.print(SIMULATED)
    if parts.replayed_now is not None:
        console.print(
            f"[bold black on cyan] REPLAYED CLOCK [/] acting as if it were {parts.replayed_now:%Y-%m-%d %H:%M} UTC"
        )


def addresses(parts: Wiring, local: tuple[Service, ...], console: Console) -> None:
    """Where everything answers, and a first look at the forecast."""
    forecast_table(parts, console)
    for service in local:
        console.print(f"  {service.name:<10} {service.url}{'' if service.essential else '  (ready within a minute)'}")
    console.print("\nCtrl-C stops everything.")


def forecast_table(parts: Wiring, console: Console) -> None:
    """The newest forecast of the first pollutant at a few stations: median and 80 % interval by lead."""
    issued = parts.store.newest(Forecasts, "issued_at")
    if issued is None:
        console.print("no forecast yet; run `hazecast up` or `hazecast run full`")
        return
    rows = parts.store.read(Forecasts, (pl.col("issued_at") == issued) & pl.col("lead_hours").is_in(_LEADS_SHOWN))
    pollutant = "pm25" if "pm25" in set(rows["pollutant"]) else rows["pollutant"][0]
    mine = rows.filter(pl.col("pollutant") == pollutant).sort("station_id", "lead_hours")
    table = Table(title=f"{pollutant} [µg/m³], median (80 % interval), issued {issued:%Y-%m-%d %H:%M} UTC")
    table.add_column("station", overflow="fold")
    for lead in _LEADS_SHOWN:
        table.add_column(f"+{lead} h", justify="right")
    table.add_column("status")
    for (station,), ahead in list(mine.group_by("station_id", maintain_order=True))[:_STATIONS_SHOWN]:
        cells = [f"{row['q50']:.0f} ({row['q10']:.0f}–{row['q90']:.0f})" for row in ahead.iter_rows(named=True)]
        table.add_row(escape(str(station)), *cells, ahead["status"][0])
    console.print(table)
    hidden = mine["station_id"].n_unique() - _STATIONS_SHOWN
    if hidden > 0:
        console.print(f"… and {hidden} more stations")


def status(parts: Wiring, console: Console) -> None:
    """One screen: what is stored, how fresh, which champion, how good, what ran."""
    labels(parts, console)
    now = parts.now()
    console.print(f"[bold]place[/bold] {parts.settings.place_name} · {now:%Y-%m-%d %H:%M} UTC · {parts.store.root}")
    _stored(parts, console)
    champion = parts.registry.champion_version()
    console.print(f"[bold]champion[/bold] {f'version {champion}' if champion else 'none yet'}")
    if champion:
        _skill(parts, champion, console)
    _runs(parts, console)
    forecast_table(parts, console)


def findings(found: list[Finding], console: Console) -> bool:
    """Print a diagnosis; True when all is well."""
    for finding in found:
        mark = "[green]✓[/green]" if finding.good else "[bold red]✗[/bold red]"
        console.print(f"{mark} {finding.what:<12} {escape(finding.found)}", soft_wrap=True)
    return all(finding.good for finding in found)


def _stored(parts: Wiring, console: Console) -> None:
    now = parts.now()
    observations = parts.store.read(Observations)
    table = Table()
    for column in ("pollutant", "stations", "observations", "doubtful", "newest hour (UTC)", "age [h]"):
        table.add_column(column, justify="left" if column == "pollutant" else "right")
    for (pollutant,), rows in observations.group_by("pollutant", maintain_order=True):
        last_hour = newest(rows["observed_at"])
        doubtful = rows.filter(pl.col("flag") != "ok").height / rows.height
        cells = (rows["station_id"].n_unique(), f"{rows.height:,}", f"{doubtful:.1%}", f"{last_hour:%Y-%m-%d %H:%M}")
        age_hours = hours_between(last_hour + HOUR, now) if last_hour else 0.0
        table.add_row(str(pollutant), *map(str, cells), f"{age_hours:.0f}")
    console.print(table if observations.height else "no observations yet; run `hazecast collect`")
    checked_at = parts.store.newest(Quality, "checked_at")
    if checked_at:
        console.print(f"[bold]last check[/bold] {checked_at:%Y-%m-%d %H:%M} UTC")


def _skill(parts: Wiring, champion: str, console: Console) -> None:
    scores = parts.store.read(Scores, pl.col("model") == f"version-{champion}")
    wide = scores.pivot("lead_block", index="pollutant", values="rmae").sort("pollutant")
    blocks = [f"{first}-{last}" for first, last in LEAD_BLOCKS] + ["all"]
    table = Table("pollutant", *(f"{block} h" for block in blocks))
    for row in wide.iter_rows(named=True):
        table.add_row(row["pollutant"], *("–" if row.get(b) is None else f"{row[b]:.2f}" for b in blocks))
    console.print("error relative to the seasonal naive, on days the model had not seen; below 1 is better")
    console.print(table)


def _runs(parts: Wiring, console: Console) -> None:
    for run in parts.store.read(Runs).sort("started_at").tail(_RUNS_SHOWN).iter_rows(named=True):
        seconds = (run["finished_at"] - run["started_at"]).total_seconds()
        mark = "[green]✓[/green]" if run["outcome"] == "ok" else "[bold red]✗[/bold red]"
        when = f"{run['started_at']:%Y-%m-%d %H:%M}"
        console.print(f"{mark} {when} {run['step']:<9} {seconds:5.1f} s  {escape(run['summary'])}", soft_wrap=True)
