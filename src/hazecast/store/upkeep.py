"""Upkeep of a table: compaction, deletion of files that no kept version needs, and migration to the present layout.

A version is kept until a later one is older than the retention. Ages are differences of the time of the write, which is
the newest `ingested_at` of the rows where there is one: the tables of a replayed year age like those of a real one.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dataframely as dy
import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector

from hazecast.store.layout import MONTH, WRITER, as_stored, has_months, properties, time_of, within_month

AT = "hazecast_at"
# A month of more rows is joined without sorting it anew, which needs it in memory.
_MAX_SORTED_ROWS = 5_000_000
_MAX_VERSIONS = 5_000
_REVISED = timedelta(days=2)
_LOG, _DIGITS = "_delta_log", 20
_HOUR = timedelta(hours=1)

Read = Callable[[DeltaTable, pl.Expr | None], pl.DataFrame]


@dataclass(frozen=True)
class Compacted:
    """Outcome of the upkeep of one table: months joined, files deleted, and whether the layout was converted."""

    n_joined: int
    n_deleted: int
    migrated: bool

    def __str__(self) -> str:
        """In one line, for people."""
        words = f"{self.n_joined} months joined, {self.n_deleted} files deleted"
        return f"converted to monthly partitions, {words}" if self.migrated else words


def commit_properties(at: datetime | None) -> CommitProperties:
    """Of a write. Hazecast retries by computing the rows again; Delta's own retry would write the old ones."""
    stamp = None if at is None else {AT: at.isoformat()}
    return CommitProperties(max_commit_retries=0, custom_metadata=stamp)


def join_files(table: type[dy.Schema], delta: DeltaTable, read: Read) -> int:
    """Join the files of each month into one sorted file, except those of the newest two days.

    Rows of those days are still revised, and a revision rewrites the file that it lies in.

    Returns:
        The number of months joined.

    Raises:
        CommitFailedError: another writer changed the month meanwhile.
    """
    time, by_month, at = time_of(table), has_months(delta), _newest(delta)
    files = pl.DataFrame(delta.get_add_actions(flatten=True)).filter(pl.col("num_records") > 0)
    until: datetime | None = None
    if time is not None and by_month and not files.is_empty():
        until = files[f"max.{time}"].max() - _REVISED  # type: ignore[assignment, operator]  # a time
        files = files.filter(pl.col(f"min.{time}") < until)
    month = pl.col(f"partition.{MONTH}") if by_month else pl.lit("")
    months = files.group_by(month=month).agg(n_files=pl.len(), n_rows=pl.col("num_records").sum())
    several = months.filter(pl.col("n_files") > 1).sort(MONTH)
    for name, _, n_rows in several.iter_rows():
        if n_rows > _MAX_SORTED_ROWS:
            only = [(MONTH, "=", name)] if by_month else None
            delta.optimize.compact(only, writer_properties=WRITER, commit_properties=commit_properties(at))
        else:
            _join_month(table, delta, read, name, until=until, at=at)
        delta.update_incremental()
    return several.height


def _join_month(
    table: type[dy.Schema], delta: DeltaTable, read: Read, month: str, *, until: datetime | None, at: datetime | None
) -> None:
    """Replace the rows of a month before `until` by the same rows in one file; the whole table without months."""
    time, where, predicate = time_of(table), None, None
    if time is not None and until is not None:
        where = within_month(time, month) & (pl.col(time) < until)
        predicate = f"{MONTH} = '{month}' and {time} < '{until.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'"
    write_deltalake(
        delta,
        as_stored(table, read(delta, where), by_month=until is not None).to_arrow(),
        mode="overwrite",
        predicate=predicate,
        schema_mode=None if predicate else "overwrite",
        writer_properties=WRITER,
        commit_properties=commit_properties(at),
    )


def delete_expired(delta: DeltaTable, options: dict[str, str], retention: timedelta) -> int:
    """Delete the files that only versions beyond the retention need. Returns their number.

    The newest version that is itself older than the retention stays readable, and all after it.
    """
    ages = _writes(delta)
    newest = max((at for _, at in ages), default=None)
    expired = [version for version, at in ages if newest is not None and at <= newest - retention]
    if not expired:
        return 0
    as_of = DeltaTable(delta.table_uri, version=max(expired), storage_options=options or None)
    n_deleted = _delete(delta, options, as_of.vacuum(0, dry_run=True, enforce_retention_duration=False))
    _delete_log(delta, options, before=max(expired))
    return n_deleted


def delete_orphans(delta: DeltaTable, options: dict[str, str], retention: timedelta) -> int:
    """Delete the files of interrupted writes, by their age on the clock of the machine. Returns their number."""
    hours = max(int(retention / _HOUR), 24)
    return _delete(delta, options, delta.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True))


def migrate(table: type[dy.Schema], delta: DeltaTable, read: Read, retention: timedelta) -> None:
    """Rewrite a table of an earlier release by months, in one commit: it is as it was until then.

    Raises:
        CommitFailedError: another writer changed the table meanwhile.
    """
    time = time_of(table)
    assert time is not None
    schema = as_stored(table, table.create_empty(), by_month=True).to_arrow().schema
    batches = pa.RecordBatchReader.from_batches(schema, _by_month(table, delta, read, time))
    write_deltalake(
        delta,
        batches,
        mode="overwrite",
        schema_mode="overwrite",
        partition_by=[MONTH],
        writer_properties=WRITER,
        commit_properties=commit_properties(_newest(delta)),
    )
    delta.update_incremental()
    delta.alter.set_table_properties(properties(retention))


def _by_month(table: type[dy.Schema], delta: DeltaTable, read: Read, time: str) -> Iterator[pa.RecordBatch]:
    files = pl.DataFrame(delta.get_add_actions(flatten=True))
    ends = files.filter(pl.col("num_records") > 0)
    if ends.is_empty():
        return
    first, last = ends[f"min.{time}"].min(), ends[f"max.{time}"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    for name in pl.date_range(first.date().replace(day=1), last.date(), "1mo", eager=True).dt.strftime("%Y-%m"):
        rows = read(delta, within_month(time, name))
        yield from as_stored(table, rows, by_month=True).to_arrow().to_batches()


def _newest(delta: DeltaTable) -> datetime | None:
    return max((at for _, at in _writes(delta)), default=None)


def _writes(delta: DeltaTable) -> list[tuple[int, datetime]]:
    """Versions in the log and the times of their writes; by the clock of the machine only if no write gives its own."""
    commits = delta.history(_MAX_VERSIONS)
    if stamped := [(commit["version"], datetime.fromisoformat(commit[AT])) for commit in commits if AT in commit]:
        return stamped
    return [(commit["version"], datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)) for commit in commits]


def _delete_log(delta: DeltaTable, options: dict[str, str], *, before: int) -> None:
    """Delete the log of the versions before the newest checkpoint that is not after `before`."""
    files_system = DeltaStorageHandler(delta.table_uri, options)
    names = [Path(file.path).name for file in files_system.get_file_info_selector(FileSelector(_LOG))]
    versions = {name: int(name[:_DIGITS]) for name in names if name[:_DIGITS].isdigit()}
    checkpoints = [version for name, version in versions.items() if ".checkpoint" in name and version <= before]
    if checkpoints:
        older = [name for name, version in versions.items() if version < max(checkpoints)]
        _delete(delta, options, [f"{_LOG}/{name}" for name in older])


def _delete(delta: DeltaTable, options: dict[str, str], files: list[str]) -> int:
    files_system, n_deleted = DeltaStorageHandler(delta.table_uri, options), 0
    for file in files:
        with suppress(FileNotFoundError):  # an earlier upkeep deleted it
            files_system.delete_file(file)
            n_deleted += 1
    return n_deleted
