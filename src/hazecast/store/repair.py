"""Local tables as folders: whether one is whole, and how to keep what is whole of a damaged one."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import dataframely as dy
import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from hazecast.air.tables import conform, key_of
from hazecast.errors import ContractError
from hazecast.store.layout import time_of
from hazecast.store.local_files import incomplete_files
from hazecast.store.store import INGESTED_AT, Store, sizes_of

_LOG = "_delta_log"
_TIMES_KNOWN = ("available_at", INGESTED_AT)
# What Delta Lake, Polars and the file system raise for damaged files; a panic of Polars is no Exception.
_UNREADABLE = (DeltaError, OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException)


def is_table(folder: Path) -> bool:
    """Whether a folder is that of a table, whole or not."""
    return (folder / _LOG).is_dir() or any(folder.rglob("*.parquet"))


def problem_of(folder: Path) -> str | None:
    """What is wrong with the table in `folder`; None: it is whole."""
    try:
        delta = DeltaTable(str(folder))
    except _UNREADABLE as err:
        return f"its log cannot be read ({_first_line(err)})"
    incomplete = incomplete_files(folder, sizes_of(delta))
    return f"{len(incomplete)} of its data files are missing or truncated" if incomplete else None


def repair(table: type[dy.Schema], folder: Path, aside: Path) -> str | None:
    """Keep what is whole of a damaged table; damaged files are moved to `aside`.

    The log goes back to its newest readable version. Data files that are damaged are taken out of the table. A table
    without any readable version is rebuilt from its data files; of rows with one key the newest is kept.

    Returns:
        What was done, in words; None: the table is whole.
    """
    if problem_of(folder) is None:
        return None
    actions = []
    if n_versions := _move_unreadable_versions(folder, aside):
        actions.append(f"{n_versions} unreadable versions of its log moved aside")
    try:
        delta = DeltaTable(str(folder))
    except _UNREADABLE:
        n_rows = _rebuild(table, folder, aside)
        return "; ".join([*actions, f"rebuilt from its data files, {n_rows:,} rows"])
    if incomplete := incomplete_files(folder, sizes_of(delta)):
        for name in incomplete:
            _move(folder / name, aside / name)
        delta.repair()
        actions.append(f"{len(incomplete)} damaged data files taken out")
    return "; ".join(actions)


def delete_ahead(table: type[dy.Schema], folder: Path, *, now: datetime) -> int:
    """Delete rows with times after `now`, and date back those that were ingested after it; returns how many."""
    delta, moment = DeltaTable(str(folder)), f"'{now.isoformat()}'"
    n_rows, time = 0, time_of(table)
    if time is not None:
        n_rows += delta.delete(f"{time} > {moment}")["num_deleted_rows"]
    for column in _TIMES_KNOWN:
        if column in {field.name for field in delta.schema().fields}:
            updated = delta.update(new_values={column: now}, predicate=f"{column} > {moment}")
            n_rows += updated["num_updated_rows"]
    return int(n_rows)


def _move_unreadable_versions(folder: Path, aside: Path) -> int:
    """Move the newest commits aside until the log is readable; none if it never is."""
    commits = sorted((folder / _LOG).glob("*.json"), reverse=True)
    moved: list[Path] = []
    for commit in commits:
        if _is_readable(lambda: DeltaTable(str(folder))):
            return len(moved)
        _move(commit, aside / _LOG / commit.name)
        moved.append(commit)
        (folder / _LOG / "_last_checkpoint").unlink(missing_ok=True)
    if _is_readable(lambda: DeltaTable(str(folder))):
        return len(moved)
    for commit in moved:
        _move(aside / _LOG / commit.name, commit)
    return 0


def _rebuild(table: type[dy.Schema], folder: Path, aside: Path) -> int:
    files = sorted(folder.rglob("*.parquet"), key=lambda file: file.stat().st_mtime)
    frames = []
    for file in files:
        if _LOG not in file.parts:
            with suppress(*_UNREADABLE, ContractError):
                frames.append(conform(table, _with_all_columns(table, pl.read_parquet(file, hive_partitioning=False))))
    _move(folder, aside / folder.name)
    if not frames:
        return 0
    rows = pl.concat(frames)
    if INGESTED_AT in rows.columns:
        rows = rows.sort(INGESTED_AT, maintain_order=True)
    kept = rows.unique(key_of(table), keep="last", maintain_order=True)
    Store(str(folder.parent)).append(table, kept)
    return kept.height


def _with_all_columns(table: type[dy.Schema], rows: pl.DataFrame) -> pl.DataFrame:
    schema = table.create_empty().schema
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in rows.columns]
    return rows.with_columns(absent).select(schema.names()).cast(schema)


def _is_readable(action: Callable[[], object]) -> bool:
    try:
        action()
    except _UNREADABLE:
        return False
    return True


def _move(path: Path, target: Path) -> None:
    if path.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)


def _first_line(err: BaseException) -> str:
    return (str(err).splitlines() or [type(err).__name__])[0]
