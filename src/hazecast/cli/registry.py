"""Commands of the model registry: which versions there are, and who is champion."""

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hazecast.air.verdicts import Verification
from hazecast.registry import Registry, Version
from hazecast.store import Store
from hazecast.wiring import Wiring

Wire = Callable[..., Wiring]
Explains = Callable[[Callable[..., None]], Callable[..., None]]

console = Console()

Number = Annotated[str, typer.Argument(help="As `hazecast models` lists it.", metavar="VERSION")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.", metavar="TEXT")]
PlaceName = Annotated[str | None, typer.Option(help="Place whose models are meant.", show_default="HAZECAST_PLACE")]
DataFolder = Annotated[Path | None, typer.Option(help="Dataset folder whose models are meant.", metavar="DIR")]
SourceName = Annotated[str | None, typer.Option(help="simulated, files or auto.", show_default="HAZECAST_SOURCE")]


def add_to(app: typer.Typer, wire: Wire, explains: Explains) -> None:
    """Add the commands to `app`.

    Args:
        app: the command line.
        wire: makes the parts from (source, data, now, place).
        explains: turns our errors into one line for people.
    """

    @app.command()
    @explains
    def models(source: SourceName = None, data: DataFolder = None, place: PlaceName = None) -> None:
        """List the registered models, how each was judged, how it does live, and every change of the champion."""
        parts = wire(source, data, None, place)
        _versions(parts.registry, parts.store)
        _changes(parts.registry)

    @app.command()
    @explains
    def promote(
        version: Number, reason: Reason, source: SourceName = None, data: DataFolder = None, place: PlaceName = None
    ) -> None:
        """Make a version champion by hand, whatever its tests said; the next forecast is its."""
        registry = wire(source, data, None, place).registry
        registry.promote(version, reason=reason, by=getpass.getuser())
        console.print(f"version {version} is champion; it speaks from the next `hazecast run prediction` on")

    @app.command()
    @explains
    def rollback(reason: Reason, source: SourceName = None, data: DataFolder = None, place: PlaceName = None) -> None:
        """Make the champion before the present one champion again; the next forecast is its."""
        registry = wire(source, data, None, place).registry
        version = registry.rollback(reason=reason, by=getpass.getuser())
        console.print(f"version {version} is champion again; it speaks from the next `hazecast run prediction` on")


def _versions(registry: Registry, store: Store) -> None:
    versions = registry.versions()
    if not versions:
        console.print("no model yet; run `hazecast run training`")
        return
    live = _live_errors(store)
    table = Table("version", "alias", "trained until (UTC)", "live error", "judged", title=registry.model_name)
    for version in versions:
        table.add_row(*_cells(version, live))
    console.print(table)
    console.print(
        "live error: MAE of what it forecast, served or in shadow, relative to the seasonal naive; 1 is as good"
    )


def _cells(version: Version, live: dict[str, float]) -> tuple[str, ...]:
    error = live.get(version.version)
    until = version.notes.get("trained_until", "–")[:16].replace("T", " ")
    judged = escape(version.notes.get("judged", "–"))
    return version.version, ", ".join(version.aliases), until, "–" if error is None else f"{error:.2f}", judged


def _live_errors(store: Store) -> dict[str, float]:
    """Mean over pollutants of the relative MAE of each model's verified forecasts."""
    rows = store.read(Verification, pl.col("n") > 0)
    sums = rows.group_by("model_version", "pollutant").agg(pl.col("absolute_error", "seasonal_naive_error").sum())
    relative = sums.filter(pl.col("seasonal_naive_error") > 0).group_by("model_version")
    error = (pl.col("absolute_error") / pl.col("seasonal_naive_error")).mean()
    return dict(relative.agg(error.alias("error")).iter_rows())


def _changes(registry: Registry) -> None:
    for change in registry.history():
        before = f" in place of version {change.replaced}" if change.replaced else ""
        words = f"{change.at:%Y-%m-%d %H:%M} UTC  {change.action} version {change.version}{before} by {change.by}"
        console.print(f"{words}: {escape(change.reason)}", soft_wrap=True, highlight=False)
