"""`hazecast inspect`: what would be read from a dataset folder, before anything is stored."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hazecast.cli.base import AsJson, console, echo_json, new_table

if TYPE_CHECKING:
    import polars as pl

Folder = Annotated[Path, typer.Argument(help="The dataset folder (docs/data.md).", metavar="DIR")]
IgnoreColumns = Annotated[
    bool, typer.Option("--ignore-columns", help="Leave out columns of files that are not understood.")
]
Aggregate = Annotated[bool, typer.Option("--aggregate", help="Average values within an hour of files to the hour.")]
_BARS, _PLOT_CELLS, _NARROW_CELLS, _WIDE = "▁▂▃▄▅▆▇█", 24, 6, 100
_MAX_ROWS, _NAMED = 60, 8


def inspect(
    folder: Folder, ignore_columns: IgnoreColumns = False, aggregate: Aggregate = False, as_json: AsJson = False
) -> None:
    """Show what would be read from a dataset folder: series, completeness, flags, small plots. Nothing is stored."""
    import polars as pl

    from hazecast import quality
    from hazecast.air.clock import HOUR, floor_hour
    from hazecast.air.distance import without_null_island
    from hazecast.settings import load_settings
    from hazecast.sources.files import FilesSource

    source = FilesSource(folder, ignore_columns=ignore_columns, aggregate=aggregate)
    stations = without_null_island(source.fetch_stations())
    span = source.fetch_span()
    assert span is not None
    first, end = span
    end = min(end, floor_hour(load_settings().clock()))
    weather = quality.check_weather(source.fetch_weather(since=first, until=end))
    flagged = quality.flag(source.fetch_observations(since=first, until=end), recent=None, now=end, stations=stations)
    rows, report = flagged.rows, quality.report(flagged, since=first, until=end, now=end)
    if as_json:
        findings = _findings(stations, flagged.unit_summary, weather.summary)
        refused = quality.verdict(report) or None
        facts = {"folder": folder, "stations": stations.height, "observations": rows.height, "first": first, "end": end}
        more = {"weather_rows": weather.rows.height, "findings": findings, "refused": refused}
        echo_json({**facts, **more, "series": report.to_dicts()})
        return
    console.print(
        f"{escape(folder.name)}: {stations.height} stations, {rows.height:,} observations from {first:%Y-%m-%d %H:%M} "
        f"to {end - HOUR:%Y-%m-%d %H:%M} UTC, {weather.rows.height:,} weather rows",
        soft_wrap=True,
    )
    table = new_table("station", "pollutant", "hours", "complete", "median [µg/m³]", "suspicious", "invalid")
    table.add_column("course", no_wrap=True)
    for series in report.head(_MAX_ROWS).iter_rows(named=True):
        of_series = (pl.col("station_id") == series["station_id"]) & (pl.col("pollutant") == series["pollutant"])
        usable = rows.filter(of_series, pl.col("flag") != "invalid").sort("observed_at")["concentration_ugm3"]
        median = usable.median()
        table.add_row(
            escape(str(series["station_id"])),
            str(series["pollutant"]),
            f"{series['n_observed']:,}",
            f"{series['completeness']:.0%}",
            f"{median:.3g}" if isinstance(median, float) else "–",
            str(series["n_suspicious"]),
            str(series["n_invalid"]),
            sparkline(usable.to_list(), cells=_PLOT_CELLS if console.width >= _WIDE else _NARROW_CELLS),
        )
    console.print(table)
    hidden = report.height - _MAX_ROWS
    if hidden > 0:
        console.print(f"… and {hidden} more series")
    for name, found in _findings(stations, flagged.unit_summary, weather.summary).items():
        console.print(f"{name}: {found}", soft_wrap=True, highlight=False)
    reason = quality.verdict(report)
    if reason:
        console.print(f"[bold red]collect would refuse this:[/bold red] {escape(reason)}", soft_wrap=True)


def _findings(stations: "pl.DataFrame", units: str, weather: str) -> dict[str, str]:
    """What is worth a look before anything is stored, by title; only what was found."""
    import polars as pl

    placed = stations.drop_nulls(["latitude", "longitude"])
    shared = placed.filter(pl.struct("latitude", "longitude").is_duplicated())["station_id"].sort()
    found = {
        "other units": units,
        "weather that would become null": weather,
        "stations without coordinates": ", ".join(stations.filter(pl.col("latitude").is_null())["station_id"][:_NAMED]),
        "stations at one point": ", ".join(shared[:_NAMED]),
    }
    return {title: escape(text) for title, text in found.items() if text}


def sparkline(values: list[float], *, cells: int = _PLOT_CELLS) -> str:
    """The course of `values` in a line of block characters; empty without values."""
    if not values:
        return ""
    size = max(1, len(values) // cells)
    means = [sum(part) / len(part) for part in (values[at : at + size] for at in range(0, len(values), size))]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int((mean - low) / span * len(_BARS)))] for mean in means[:cells])
