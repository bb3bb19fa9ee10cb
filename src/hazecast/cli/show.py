"""What the commands print about the stored tables, the registry and the stack: one screen, for people."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import polars as pl
from rich.markup import escape

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.spec import LEAD_BLOCKS, ForecastSpec, block_name
from hazecast.air.tables import Forecasts, Observations, Quality, Runs, Scores, newest
from hazecast.air.verdicts import Verification
from hazecast.cli.base import as_json_text, console, err_console, new_table
from hazecast.cli.doctor import Finding
from hazecast.cli.stack import Service
from hazecast.credentials import mlflow_file, prefect_file
from hazecast.errors import NotKnown, RegistryError, UsageError
from hazecast.registry import Registry, Version
from hazecast.settings import Settings
from hazecast.store import Store
from hazecast.wiring import Wiring

SIMULATED = "[bold black on yellow] SIMULATED [/] the data below are simulated by Hazecast; they measure nothing real"
_MAX_STATIONS, _MAX_RUNS = 6, 6
_ABSENT = "–"
ENDINGS = (".csv", ".json", ".parquet")


def opening(parts: Wiring) -> None:
    """Which place is about to run, on which data and by which clock."""
    settings = parts.settings
    console.print(f"[bold]Hazecast[/bold] · place {settings.place_name} · state in {settings.home}")
    if settings.source == "auto" and parts.place is None:
        console.print(
            "no place chosen: using simulated data. For real data use --place helsinki (`hazecast places` lists more), "
            "or your own files: --source files --data DIR"
        )
    labels(parts)


def labels(parts: Wiring) -> None:
    """Mark simulated data and a replayed clock, which must not be mistaken for real ones."""
    if parts.place is None and parts.source.simulated:
        console.print(SIMULATED)
    if parts.replayed_now is not None:
        console.print(
            f"[bold black on cyan] REPLAYED CLOCK [/] acting as if it were {parts.replayed_now:%Y-%m-%d %H:%M} UTC"
        )


def warning(text: str) -> None:
    """One warning on stderr, word for word."""
    err_console.print(f"[bold yellow]warning:[/bold yellow] {escape(text)}", soft_wrap=True, highlight=False)


def addresses(parts: Wiring, services: tuple[Service, ...]) -> None:
    """The newest forecast, and the address of each service."""
    forecast_table(parts.store, parts.spec, now=parts.now())
    for service in services:
        console.print(f"  {service.name:<10} {service.url}{'' if service.essential else '  (ready within a minute)'}")
    _passwords(parts, {service.name for service in services})
    console.print("\nCtrl-C stops everything.")


def _passwords(parts: Wiring, names: set[str]) -> None:
    """Where the passwords of MLflow and Prefect are, never the passwords themselves."""
    settings = parts.settings
    if "MLflow" in names:
        where = mlflow_file(settings) if not settings.mlflow_tracking_password else "MLFLOW_TRACKING_PASSWORD"
        console.print(
            f"  MLflow: user {settings.mlflow_tracking_username}, password in {where}", soft_wrap=True, highlight=False
        )
    if "Prefect" in names:
        where = prefect_file(settings) if not settings.prefect_api_auth_string else "PREFECT_API_AUTH_STRING"
        console.print(f"  Prefect: the page asks for the user:password in {where}", soft_wrap=True, highlight=False)


def open_to_all(settings: Settings) -> None:
    """Warn if everybody on the network can use the API, and name the remedy."""
    if settings.is_open_to_all:
        err_console.print(
            f"[bold black on red] OPEN [/] API and dashboard listen on {settings.host} and require no key: everybody "
            "who reaches this machine can use them. Set HAZECAST_API_KEYS to a file and create a key with "
            "`hazecast api-key add NAME`, or leave HAZECAST_HOST at 127.0.0.1",
            soft_wrap=True,
            highlight=False,
        )


def status_content(parts: Wiring) -> dict[str, object]:
    """What `status` shows, as plain values."""
    store, now = parts.store, parts.now()
    try:
        champion, problem = parts.registry.champion_version(), parts.registry.champion_problem()
    except RegistryError as err:
        champion, problem = None, str(err)
    end = pl.col("observed_at").max()
    observations = store.read(Observations).group_by("pollutant", maintain_order=True)
    return {
        "place": parts.settings.place_name,
        "now": now,
        "simulated": parts.place is None and parts.source.simulated,
        "replayed": parts.replayed_now is not None,
        "tables": store.root,
        "observations": observations.agg(
            stations=pl.col("station_id").n_unique(),
            observations=pl.len(),
            flagged_share=(pl.col("flag") != "ok").mean(),
            newest_hour=end,
            age_hours=(pl.lit(now) - end).dt.total_minutes() / 60 - 1,
        ).to_dicts(),
        "last_check": store.newest(Quality, "checked_at", until=now),
        "champion": champion,
        "champion_problem": problem or None,
        "scores": store.read(Scores, pl.col("model") == f"version-{champion}").to_dicts(),
        "runs": store.read(Runs).sort("started_at").tail(_MAX_RUNS).to_dicts(),
        "forecast_issued_at": store.newest(Forecasts, "issued_at", until=now),
    }


def models_content(registry: Registry, store: Store) -> dict[str, object]:
    """What `models` shows, as plain values."""
    live_errors = _live_errors(store)
    versions = [asdict(version) | {"live_error": live_errors.get(version.version)} for version in registry.versions()]
    changes = [asdict(change) for change in registry.history()]
    return {"model": registry.model_name, "versions": versions, "changes": changes}


def newest_forecast(store: Store, *, now: datetime, stations: Sequence[str], pollutants: Sequence[str]) -> pl.DataFrame:
    """The rows of the newest issue, of these stations and pollutants or, without names, of all.

    Raises:
        NotKnown: a station or pollutant that is not forecast.
    """
    issued_at = store.newest(Forecasts, "issued_at", until=now)
    rows = store.read(Forecasts, pl.col("issued_at") == issued_at)
    for column, wanted in (("station_id", stations), ("pollutant", pollutants)):
        known = rows[column].unique().sort().to_list()
        for name in wanted:
            if name not in known:
                raise NotKnown(column.removesuffix("_id"), name, known)
        if wanted:
            rows = rows.filter(pl.col(column).is_in(list(wanted)))
    return rows.sort("station_id", "pollutant", "valid_at")


def refuse_file(out: Path, endings: Sequence[str] = ENDINGS) -> None:
    """Refuse a file that cannot be written before what goes into it is computed.

    Args:
        out: the file.
        endings: those it may have, by default those of `write_rows`; none: any.

    Raises:
        UsageError: another ending, a folder, or a folder that is not there.
    """
    ending = f" that ends in {', '.join(endings)}," if endings else ""
    is_named = not endings or out.suffix.lower() in endings
    if not is_named or out.is_dir() or not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: name a file{ending} in a folder that is there")


def write_rows(rows: pl.DataFrame, out: Path) -> None:
    """Write `rows` as CSV, JSON or Parquet, by the ending of the name."""
    match out.suffix.lower():
        case ".csv":
            rows.write_csv(out, datetime_format="%Y-%m-%dT%H:%M:%SZ")
        case ".json":
            out.write_text(as_json_text(rows.to_dicts()), encoding="utf-8")
        case _:
            rows.write_parquet(out)
    err_console.print(f"wrote {rows.height:,} rows: {out}", soft_wrap=True, highlight=False)


def forecast_table(
    store: Store, spec: ForecastSpec, *, now: datetime, stations: Sequence[str] = (), pollutants: Sequence[str] = ()
) -> None:
    """The newest forecast of the first pollutant at a few stations: median and 80 % interval by lead."""
    issued_at = store.newest(Forecasts, "issued_at", until=now)
    if issued_at is None:
        console.print("no forecast yet; run `hazecast up` or `hazecast run full`")
        return
    leads = spec.shown_leads
    rows = newest_forecast(store, now=now, stations=stations, pollutants=pollutants)
    rows = rows.filter(pl.col("lead_hours").is_in(leads))
    for pollutant in pollutants or ("pm25" if "pm25" in set(rows["pollutant"]) else rows["pollutant"][0],):
        _pollutant_table(rows, pollutant, leads, issued_at)


def _pollutant_table(rows: pl.DataFrame, pollutant: str, leads: Sequence[int], issued_at: datetime) -> None:
    rows = rows.filter(pl.col("pollutant") == pollutant).sort("station_id", "lead_hours")
    table = new_table(title=f"{pollutant} [µg/m³], median (80 % interval), issued {issued_at:%Y-%m-%d %H:%M} UTC")
    table.add_column("station", overflow="fold")
    for lead in leads:
        table.add_column(f"+{lead} h", justify="right")
    table.add_column("status")
    stations = rows.partition_by("station_id", maintain_order=True)
    for station in stations[:_MAX_STATIONS]:
        cells = {
            row["lead_hours"]: f"{row['q50']:.0f} ({row['q10']:.0f}–{row['q90']:.0f})"
            for row in station.iter_rows(named=True)
        }
        table.add_row(
            escape(station["station_id"][0]), *(cells.get(lead, _ABSENT) for lead in leads), station["status"][0]
        )
    console.print(table)
    if len(stations) > _MAX_STATIONS:
        console.print(f"… and {len(stations) - _MAX_STATIONS} more stations")


def status(parts: Wiring) -> None:
    """Stored observations and their age, the champion and its skill, the last runs, and the newest forecast."""
    labels(parts)
    store, now = parts.store, parts.now()
    console.print(f"[bold]place[/bold] {parts.settings.place_name} · {now:%Y-%m-%d %H:%M} UTC · {store.root}")
    _observations(store, now)
    _champion(parts)
    _runs(store)
    forecast_table(store, parts.spec, now=now)


def _champion(parts: Wiring) -> None:
    """The champion, why it cannot forecast if so, and its skill; a damaged registry is reported, not an end."""
    try:
        version, problem = parts.registry.champion_version(), parts.registry.champion_problem()
    except RegistryError as err:
        kept = parts.registry.champion_read_last()
        warning(f"{err}. {f'Version {kept[1]}, kept here, forecasts' if kept else 'No champion is kept here'}")
        return
    console.print(f"[bold]champion[/bold] {f'version {version}' if version else 'none yet'}")
    if version and problem:
        warning(f"version {version} cannot forecast here: {problem}")
    if version:
        _skill(parts.store, version)


def findings(found: list[Finding]) -> bool:
    """Print a diagnosis; True if every check passed."""
    for finding in found:
        mark = "[green]✓[/green]" if finding.good else "[bold red]✗[/bold red]"
        console.print(f"{mark} {finding.what:<12} {escape(finding.found)}", soft_wrap=True)
    return all(finding.good for finding in found)


def model_versions(registry: Registry, store: Store) -> None:
    """The registered versions, newest first, with their validation and the error of their verified forecasts."""
    versions = registry.versions()
    if not versions:
        console.print("no model yet; run `hazecast run training`")
        return
    live_errors = _live_errors(store)
    table = new_table("version", "alias", "trained until (UTC)", "live error", "validation", title=registry.model_name)
    for version in versions:
        table.add_row(*_version_cells(version, live_errors))
    console.print(table)
    if problem := registry.champion_problem():
        warning(f"the champion cannot forecast here: {problem}")
    console.print("live error: MAE of the served or shadow forecasts relative to the seasonal naive; below 1 is better")


def champion_changes(registry: Registry) -> None:
    """Every promotion and rollback, with its author and reason."""
    for change in registry.history():
        before = f" in place of version {change.replaced}" if change.replaced else ""
        line = f"{change.at:%Y-%m-%d %H:%M} UTC  {change.action} version {change.version}{before} by {change.by}"
        console.print(f"{line}: {escape(change.reason)}", soft_wrap=True, highlight=False)


def _observations(store: Store, now: datetime) -> None:
    table = new_table()
    for column in ("pollutant", "stations", "observations", "flagged", "newest hour (UTC)", "age [h]"):
        table.add_column(column, justify="left" if column == "pollutant" else "right")
    observations = store.read(Observations)
    for (pollutant,), rows in observations.group_by("pollutant", maintain_order=True):
        last_hour = newest(rows["observed_at"])
        flagged = rows.filter(pl.col("flag") != "ok").height / rows.height
        age_hours = hours_between(last_hour + HOUR, now) if last_hour else 0.0
        table.add_row(
            str(pollutant),
            f"{rows['station_id'].n_unique()}",
            f"{rows.height:,}",
            f"{flagged:.1%}",
            f"{last_hour:%Y-%m-%d %H:%M}",
            f"{age_hours:.0f}",
        )
    console.print(table if observations.height else "no observations yet; run `hazecast collect`")
    checked_at = store.newest(Quality, "checked_at", until=now)
    if checked_at:
        console.print(f"[bold]last check[/bold] {checked_at:%Y-%m-%d %H:%M} UTC")


def _skill(store: Store, champion: str) -> None:
    scores = store.read(Scores, pl.col("model") == f"version-{champion}")
    wide = scores.pivot("lead_block", index="pollutant", values="rmae").sort("pollutant")
    blocks = [name for name in (*map(block_name, LEAD_BLOCKS), "all") if name in wide.columns]
    table = new_table("pollutant", *(f"{block} h" for block in blocks))
    for row in wide.iter_rows(named=True):
        table.add_row(row["pollutant"], *(_ABSENT if row[name] is None else f"{row[name]:.2f}" for name in blocks))
    console.print("error relative to the seasonal naive on the validation days; below 1 is better")
    console.print(table)


def _runs(store: Store) -> None:
    for run in store.read(Runs).sort("started_at").tail(_MAX_RUNS).iter_rows(named=True):
        seconds = (run["finished_at"] - run["started_at"]).total_seconds()
        mark = "[green]✓[/green]" if run["outcome"] == "ok" else "[bold red]✗[/bold red]"
        started = f"{run['started_at']:%Y-%m-%d %H:%M}"
        console.print(f"{mark} {started} {run['step']:<9} {seconds:5.1f} s  {escape(run['summary'])}", soft_wrap=True)


def _version_cells(version: Version, live_errors: dict[str, float]) -> tuple[str, ...]:
    error = live_errors.get(version.version)
    trained_until = version.notes.get("trained_until", _ABSENT)[:16].replace("T", " ")
    judged = escape(version.notes.get("judged", _ABSENT))
    live_error = _ABSENT if error is None else f"{error:.2f}"
    return version.version, ", ".join(version.aliases), trained_until, live_error, judged


def _live_errors(store: Store) -> dict[str, float]:
    """By model version: mean over pollutants of the relative MAE of its verified forecasts."""
    rows = store.read(Verification, pl.col("n") > 0)
    sums = rows.group_by("model_version", "pollutant").agg(pl.col("absolute_error", "seasonal_naive_error").sum())
    relative = sums.filter(pl.col("seasonal_naive_error") > 0).group_by("model_version")
    error = (pl.col("absolute_error") / pl.col("seasonal_naive_error")).mean()
    return dict(relative.agg(error.alias("error")).iter_rows())
