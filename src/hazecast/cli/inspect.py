"""`hazecast inspect`: what would be read from a dataset folder, before anything is stored."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hazecast.cli.base import console

Folder = Annotated[Path, typer.Argument(help="The dataset folder (docs/data.md).", metavar="DIR")]
IgnoreColumns = Annotated[
    bool, typer.Option("--ignore-columns", help="Leave out columns of files that are not understood.")
]
Aggregate = Annotated[bool, typer.Option("--aggregate", help="Average values within an hour of files to the hour.")]
_BARS, _PLOT_CELLS = "▁▂▃▄▅▆▇█", 24
_MAX_ROWS = 60


def inspect(folder: Folder, ignore_columns: IgnoreColumns = False, aggregate: Aggregate = False) -> None:
    """Show what would be read from a dataset folder: series, completeness, flags, small plots. Nothing is stored."""
    import polars as pl

    from hazecast import quality
    from hazecast.sources.files import FilesSource

    source = FilesSource(folder, ignore_columns=ignore_columns, aggregate=aggregate)
    stations = source.fetch_stations()
    since, until = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    observations = source.fetch_observations(since=since, until=until)
    weather = quality.check_weather(source.fetch_weather(since=since, until=until))
    first, end = observations["observed_at"].min(), observations["observed_at"].max()
    assert isinstance(first, datetime)
    assert isinstance(end, datetime)
    rows = quality.flag(observations, recent=None, now=end, stations=stations).rows
    n_hours = (end - first) // timedelta(hours=1) + 1
    console.print(
        f"{escape(folder.name)}: {stations.height} stations, {rows.height:,} observations from {first:%Y-%m-%d %H:%M} "
        f"to {end:%Y-%m-%d %H:%M} UTC, {weather.rows.height:,} weather rows",
        soft_wrap=True,
    )
    table = Table("station", "pollutant", "hours", "complete", "median [µg/m³]", "suspicious", "invalid", "course")
    every = list(rows.group_by("station_id", "pollutant", maintain_order=True))
    for (station_id, pollutant), series in every[:_MAX_ROWS]:
        usable = series.filter(pl.col("flag") != "invalid")["concentration_ugm3"]
        median = usable.median()
        table.add_row(
            escape(str(station_id)),
            str(pollutant),
            f"{series.height:,}",
            f"{series.height / n_hours:.0%}",
            f"{median:.3g}" if isinstance(median, float) else "–",
            str((series["flag"] == "suspicious").sum()),
            str((series["flag"] == "invalid").sum()),
            sparkline(usable.to_list()),
        )
    console.print(table)
    hidden = len(every) - _MAX_ROWS
    if hidden > 0:
        console.print(f"… and {hidden} more series")
    if weather.summary:
        console.print(f"weather that would become null: {weather.summary}", soft_wrap=True)


def sparkline(values: list[float]) -> str:
    """The course of `values` in a line of block characters; empty without values."""
    if not values:
        return ""
    size = max(1, len(values) // _PLOT_CELLS)
    means = [sum(part) / len(part) for part in (values[at : at + size] for at in range(0, len(values), size))]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int((mean - low) / span * len(_BARS)))] for mean in means[:_PLOT_CELLS])
