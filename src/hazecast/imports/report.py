"""What an import read, kept and dropped, and why."""

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from hazecast.air.clock import as_iso


@dataclass(frozen=True)
class Dropped:
    """Values that were left out for one reason, and the first of them.

    Args:
        reason: why.
        values: how many.
        file: where the first of them stands.
        row: its line in the file.
        station_id: its station.
        name: what it measures, as in the file.
        text: the value as written.
    """

    reason: str
    values: int
    file: str
    row: int
    station_id: str
    name: str
    text: str


@dataclass
class Report:
    """The whole import.

    Args:
        format: its name.
        layouts: the layouts that were found, with the convention of their times.
        files: what was read.
        read: values in the files.
        kept: hourly values of pollutants in the dataset.
        weather: hourly values of weather variables in the dataset.
        first: start of the first hour.
        last: start of the last hour.
        stations: in the dataset.
        without_coordinates: stations without them.
        dropped: what was left out, most first.
        notes: what a person should know.
    """

    format: str
    layouts: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    read: int = 0
    kept: int = 0
    weather: int = 0
    first: datetime | None = None
    last: datetime | None = None
    stations: list[str] = field(default_factory=list)
    without_coordinates: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, rows: pl.DataFrame) -> None:
        """Count `rows`: file, row, station_id, name, text and the `reason` they are dropped for."""
        found = rows.group_by("reason", maintain_order=True).agg(
            pl.len().alias("values"), pl.col("file", "row", "station_id", "name", "text").first()
        )
        for row in found.iter_rows(named=True):
            self.dropped.append(Dropped(**(row | {key: row[key] or "" for key in ("station_id", "name", "text")})))

    def note(self, *notes: str) -> None:
        """Add what is not there yet."""
        self.notes.extend(dict.fromkeys(note for note in notes if note and note not in self.notes))

    def merge(self) -> None:
        """One entry per reason, most first."""
        merged: dict[str, Dropped] = {}
        for part in self.dropped:
            before = merged.get(part.reason)
            merged[part.reason] = part if before is None else replace(before, values=before.values + part.values)
        self.dropped = sorted(merged.values(), key=lambda part: -part.values)

    def as_json(self) -> dict[str, Any]:
        """Plain values; times as ISO 8601 in UTC."""
        times = {"first": self.first and as_iso(self.first), "last": self.last and as_iso(self.last)}
        return {**asdict(self), **times}
