"""Reads and writes of the tables.

The changed rows of a write are one atomic commit against the version they were computed from, its new rows another. If
another writer committed first, the write is computed again from the new version. So concurrent writers lose no rows,
and keys never repeat.
"""

import logging
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from typing import TypeVar
from urllib.parse import quote, unquote

import dataframely as dy
import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from hazecast.air.tables import conform, key_of
from hazecast.errors import StoreError
from hazecast.store.layout import MONTH, RETENTION, WRITER, as_stored, has_months, properties, time_of
from hazecast.store.local_files import folder_of, require_complete, require_no_remains, require_writable
from hazecast.store.upkeep import (
    Compacted,
    commit_properties,
    delete_expired,
    delete_orphans,
    join_files,
    migrate,
)

MAX_WRITE_ATTEMPTS = 40
MAX_PAUSE_SECONDS = 1.0
WRITES_PER_COMPACTION, WRITES_PER_DELETION = 32, 8
INGESTED_AT = "ingested_at"

Outcome = TypeVar("Outcome")

log = logging.getLogger(__name__)


class Store:
    """The tables of `air.tables` under one root.

    Args:
        root: a folder or `s3://bucket/prefix`.
        storage_options: credentials and endpoint for S3, as the `object_store` crate names them.
        retention: replaced versions and their files are kept for this long.
    """

    def __init__(
        self, root: str, storage_options: Mapping[str, str] | None = None, *, retention: timedelta = RETENTION
    ) -> None:
        # delta-rs decodes such codes in paths twice; addresses end at # and ?.
        if re.search(r"%[0-9A-Fa-f]{2}", root) or ("://" in root and re.search("[#?]", root)):
            raise StoreError(
                f"{root}: tables cannot lie in a path with a code such as %20, or in S3 with # or ?; set HAZECAST_HOME "
                "or HAZECAST_S3_URI to another"
            )
        self.root = root.rstrip("/")
        self._options = dict(storage_options or {})
        self._retention = retention

    def read(
        self,
        table: type[dy.Schema],
        where: pl.Expr | None = None,
        *,
        version: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of `table` matching `where`; an empty frame if nothing is stored yet.

        Args:
            table: a class of `air.tables`.
            where: a filter, pushed down to the files.
            version: read the table as of this version (time travel), at most the retention back.
            columns: which; None: all.

        Raises:
            StoreError: the table is corrupt or out of reach.
        """
        delta = self._open(table, version)
        if delta is None and version is not None:
            raise StoreError(
                f"version {version} of {self._name(table)} is not stored; versions are kept for "
                f"HAZECAST_TABLE_RETENTION_DAYS after they are replaced"
            )
        if delta is None:
            return table.create_empty().select(columns or pl.all())
        try:
            return self._rows(table, delta, where, columns)
        except StoreError:
            # The files of this version may have been deleted since it was opened.
            newer = self._open(table, version)
            if newer is None or newer.version() == delta.version():
                raise
            return self._rows(table, newer, where, columns)

    def version(self, table: type[dy.Schema]) -> int | None:
        """Number of the newest commit of `table`; None if nothing is stored yet."""
        delta = self._open(table)
        return None if delta is None else int(delta.version())

    def committed_at(self, table: type[dy.Schema]) -> str:
        """Time of the newest commit of `table` [ms since 1970]; empty if nothing is stored yet."""
        delta = self._open(table)
        if delta is None:
            return ""
        newest = self._guard(table, lambda: delta.history(1))
        return str(newest[0].get("timestamp", "")) if newest else ""

    def newest(
        self, table: type[dy.Schema], column: str, *, until: datetime | None = None, where: pl.Expr | None = None
    ) -> datetime | None:
        """Largest time in `column`, up to `until`; None if there is none.

        Reads this column and those of `where`; without `where`, of those files only that can contain it.

        Args:
            table: a class of `air.tables`.
            column: a time, UTC.
            until: rows after it are ignored: those stored while the clock was ahead; None: all rows count.
            where: only rows matching this filter.
        """
        delta = self._open(table)
        if delta is None:
            return None
        rows = self._scan(delta, _files_of_newest(delta, column, until) if where is None else None)
        rows = rows if until is None else rows.filter(pl.col(column) <= until)
        rows = rows if where is None else rows.filter(where)
        found: datetime | None = self._guard(table, lambda: rows.select(pl.col(column).max()).collect().item())
        return found

    def newest_by(
        self, table: type[dy.Schema], column: str, by: str, *, since: datetime, until: datetime
    ) -> dict[str, datetime]:
        """Largest time in `column` within [since, until] for each value of `by`. Reads two columns only."""
        delta = self._open(table)
        if delta is None:
            return {}
        rows = self._scan(delta).filter(pl.col(column).is_between(since, until))
        grouped = rows.group_by(by).agg(pl.col(column).max()).sort(by)
        return dict(self._guard(table, lambda: grouped.collect().iter_rows()))

    def upsert(self, table: type[dy.Schema], rows: pl.DataFrame) -> int:
        """Insert rows with a new key, and replace the stored rows whose values changed.

        Writing the same rows twice changes nothing, not even the version. A row ingested before the stored one is
        ignored. The rows are validated here, once, before they are written.

        Returns:
            The version of the table that contains the rows.

        Raises:
            ContractError: `rows` break the table's contract; nothing is written.
            StoreError: the storage is unreachable or full, or other writers won 40 times.
        """
        return self._commit(table, rows, replace=True)

    def append(self, table: type[dy.Schema], rows: pl.DataFrame) -> int:
        """Insert only rows with a new key; a stored row is never changed. Otherwise like `upsert`."""
        return self._commit(table, rows, replace=False)

    def delete_before(self, table: type[dy.Schema], column: str, moment: datetime) -> int:
        """Delete the rows whose time in `column` is before `moment`; returns how many.

        Raises:
            StoreError: the storage is unreachable, full or damaged.
        """
        delta = self._open(table)
        if delta is None:
            return 0
        with suppress(CommitFailedError):  # a concurrent write has precedence; the next deletion follows
            deleted = self._guard(table, lambda: delta.delete(f"{column} < '{moment.isoformat()}'"))
            return int(deleted["num_deleted_rows"])
        return 0

    def compact(self, table: type[dy.Schema], *, retention: timedelta | None = None) -> Compacted:
        """Convert a table of an earlier release, join small files, and delete files that no kept version needs.

        Interrupted at any point, the table is as it was or as it will be; run it again.

        Args:
            table: a class of `air.tables`; nothing happens if it is not stored.
            retention: None: that of the store.

        Raises:
            StoreError: the storage is unreachable, full or damaged.
        """
        retention = self._retention if retention is None else retention
        migrated = self.migrate(table)
        n_joined = self._join_files(table)
        delta = self._open(table)
        if delta is None:
            return Compacted(0, 0, migrated)
        n_deleted = self._guard(table, lambda: delete_expired(delta, self._options, retention))
        n_deleted += self._guard(table, lambda: delete_orphans(delta, self._options, retention))
        self._guard(table, delta.cleanup_metadata)
        return Compacted(n_joined, n_deleted, migrated)

    def migrate(self, table: type[dy.Schema]) -> bool:
        """Convert a table of an earlier release to the present layout, in one commit; returns whether it was one.

        Raises:
            StoreError: as `compact`; the table is unchanged.
        """
        for _ in range(MAX_WRITE_ATTEMPTS):
            delta = self._open(table)
            if delta is None or has_months(delta) or time_of(table) is None:
                return False
            log.info("converting the table %s to monthly partitions", self._name(table))
            with suppress(CommitFailedError):  # written meanwhile: again
                self._guard(table, lambda d=delta: migrate(table, d, self._reader(table), self._retention))  # type: ignore[misc]
                return True
        raise self._lost(table)

    def _commit(self, table: type[dy.Schema], rows: pl.DataFrame, *, replace: bool) -> int:
        rows = conform(table, rows)
        for attempt in range(MAX_WRITE_ATTEMPTS):
            delta = self._open_or_create(table)
            added, changed = self._compare(table, delta, rows, replace=replace)
            if added.is_empty() and changed.is_empty():
                return int(delta.version())
            try:
                return self._write(table, delta, added, changed)
            except CommitFailedError:
                log.debug("write conflict on %s, attempt %d", table.__name__, attempt + 1)
                time.sleep(random.uniform(0, min(MAX_PAUSE_SECONDS, 0.02 * 2**attempt)))
        raise self._lost(table)

    def _lost(self, table: type[dy.Schema]) -> StoreError:
        return StoreError(
            f"{self._name(table)}: {MAX_WRITE_ATTEMPTS} attempts lost to concurrent writers; try again later"
        )

    def _write(self, table: type[dy.Schema], delta: DeltaTable, added: pl.DataFrame, changed: pl.DataFrame) -> int:
        def write() -> None:
            # Two commits: a merge puts new rows into the files that it rewrites, and those would grow with every write.
            if not changed.is_empty():
                _merge(delta, as_stored(table, changed, by_month=has_months(delta)), key_of(table))
            if not added.is_empty():
                rows = as_stored(table, added, by_month=has_months(delta))
                write_deltalake(
                    delta,
                    rows.to_arrow(),
                    mode="append",
                    schema_mode="merge",
                    writer_properties=WRITER,
                    commit_properties=commit_properties(_newest_ingest(rows)),
                )

        require_writable(self._uri(table), int(added.estimated_size() + changed.estimated_size()))
        before = int(delta.version())
        self._guard(table, write)
        written = int(delta.version())
        if written // WRITES_PER_COMPACTION > before // WRITES_PER_COMPACTION:
            self.migrate(table)
            self._join_files(table)
        if written // WRITES_PER_DELETION > before // WRITES_PER_DELETION:
            delta.update_incremental()
            self._guard(table, lambda: delete_expired(delta, self._options, self._retention))
        return written

    def _join_files(self, table: type[dy.Schema]) -> int:
        """Join the small files of many writes, so that reads stay fast."""
        delta = self._open(table)
        if delta is None:
            return 0
        # A concurrent write has precedence; the next compaction follows.
        with suppress(CommitFailedError):
            n_joined = self._guard(table, lambda: join_files(table, delta, self._reader(table)))
            self._guard(table, delta.create_checkpoint)
            return n_joined
        return 0

    def _reader(self, table: type[dy.Schema]) -> Callable[[DeltaTable, pl.Expr | None], pl.DataFrame]:
        return lambda delta, where: self._rows(table, delta, where)

    def _compare(
        self, table: type[dy.Schema], delta: DeltaTable, rows: pl.DataFrame, *, replace: bool
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows with a new key, and those that change a stored row; rows equal to a stored one are in neither."""
        key = key_of(table)
        stored = self._rows(table, delta, _same_span(rows, key))
        added = rows.join(stored, on=key, how="anti", nulls_equal=True)
        if not replace or added.height == rows.height:
            return added, rows.clear()
        values = [column for column in rows.columns if column != INGESTED_AT]
        existing = rows.join(added, on=key, how="anti", nulls_equal=True)
        changed = existing.join(stored, on=values, how="anti", nulls_equal=True)
        return added, _without_older(changed, stored, key)

    def _rows(
        self,
        table: type[dy.Schema],
        delta: DeltaTable,
        where: pl.Expr | None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        schema = _schema_of(table)
        missing = schema.keys() - {field.name for field in delta.schema().fields}
        if required := sorted(name for name in missing if not table.columns()[name].nullable):
            raise StoreError(
                f"{self._name(table)} was written by an older version of Hazecast, without {', '.join(required)}; move "
                "it away and run `hazecast collect`, or choose another HAZECAST_HOME"
            )
        names = schema.names() if columns is None else list(columns)
        # A table written before an optional column existed is read with nulls in it.
        absent = [pl.lit(None, schema[name]).alias(name) for name in sorted(missing)]

        def collect() -> pl.DataFrame:
            scan = self._scan(delta).with_columns(absent)
            return (scan if where is None else scan.filter(where)).select(names).collect()

        rows: pl.DataFrame = self._guard(table, collect)
        return rows.cast({name: schema[name] for name in names})

    def _scan(self, delta: DeltaTable, files: list[str] | None = None) -> pl.LazyFrame:
        """The table, or some files of it, as a lazy frame.

        Delta gives percent-encoded file names that Polars reads literally (pola-rs/polars#20944), so a table whose
        path has blanks, %, = or letters beyond ASCII is read by its decoded file names.
        """
        if (folder := folder_of(delta.table_uri)) is not None:
            require_complete(folder, sizes_of(delta))
        path = self.root.partition("://")[2] or self.root
        is_plain = quote(path) == path
        if is_plain and files is None:
            return pl.scan_delta(delta, storage_options=self._options or None)
        paths = delta.file_uris() if files is None else [f"{delta.table_uri.rstrip('/')}/{file}" for file in files]
        if not paths:
            return pl.from_arrow(delta.to_pyarrow_table()).lazy()  # type: ignore[union-attr]  # a table is a frame
        return pl.scan_parquet(
            paths if is_plain else [unquote(path) for path in paths],
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            storage_options=self._options or None,
        )

    def _open(self, table: type[dy.Schema], version: int | None = None) -> DeltaTable | None:
        def load() -> DeltaTable | None:
            try:
                return DeltaTable(self._uri(table), version=version, storage_options=self._options or None)
            except TableNotFoundError:
                require_no_remains(self._uri(table))
                return None

        return self._guard(table, load)

    def _open_or_create(self, table: type[dy.Schema]) -> DeltaTable:
        existing = self._open(table)
        if existing is not None:
            return existing
        require_writable(self._uri(table), 0)
        empty = as_stored(table, table.create_empty(), by_month=True).to_arrow()
        with suppress(CommitFailedError):  # another process created it at the same moment
            self._guard(
                table,
                lambda: write_deltalake(
                    self._uri(table),
                    empty,
                    mode="ignore",
                    partition_by=[MONTH] if time_of(table) else None,
                    configuration=properties(self._retention),
                    storage_options=self._options or None,
                ),
            )
        return DeltaTable(self._uri(table), storage_options=self._options or None)

    def _guard(self, table: type[dy.Schema], action: Callable[[], Outcome]) -> Outcome:
        """Run `action` and convert every storage error, except a write conflict, into a StoreError."""
        try:
            return action()
        except CommitFailedError:
            raise
        # Polars panics on a truncated file instead of raising.
        except (DeltaError, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as err:
            reason = str(err).splitlines()[0] if str(err) else type(err).__name__
            raise StoreError(
                f"{self._name(table)} cannot be used: {reason}. Nothing was changed. Check that {self._uri(table)} is "
                "reachable, writable and has free space; if its files are damaged, restore a backup with `hazecast "
                "restore`, or keep what is whole with `hazecast repair`."
            ) from err

    def _uri(self, table: type[dy.Schema]) -> str:
        return f"{self.root}/{self._name(table)}"

    @staticmethod
    def _name(table: type[dy.Schema]) -> str:
        return str(getattr(table, "table_name", table.__name__.lower()))


def sizes_of(delta: DeltaTable) -> dict[str, int]:
    """The data files of a version, percent-encoded, with their sizes [bytes]."""
    actions = delta.get_add_actions(flatten=True)
    return dict(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True))


@cache
def _schema_of(table: type[dy.Schema]) -> pl.Schema:
    return table.create_empty().schema


def _same_span(rows: pl.DataFrame, key: list[str]) -> pl.Expr:
    """A filter that skips files without any of the keys: the span of the first time column of the key."""
    times = [column for column in key if rows.schema[column] == pl.Datetime("us", "UTC")]
    if rows.is_empty():
        return pl.lit(False)
    if not times:
        return pl.lit(True)
    return pl.col(times[0]).is_between(rows[times[0]].min(), rows[times[0]].max())


def _without_older(changed: pl.DataFrame, stored: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """`changed` without rows that were ingested before the stored row of the same key."""
    if INGESTED_AT not in changed.columns:
        return changed
    stored_at = stored.select(*key, pl.col(INGESTED_AT).alias("stored_at"))
    return changed.join(stored_at, on=key).filter(pl.col(INGESTED_AT) >= pl.col("stored_at")).drop("stored_at")


def _merge(delta: DeltaTable, rows: pl.DataFrame, key: list[str]) -> None:
    # Equality is joined by hash; `is not distinct from` compares every pair, so it is used where nulls are.
    same = {name: "is not distinct from" if rows[name].null_count() else "=" for name in key}
    same_key = " and ".join(f"stored.{name} {operator} new.{name}" for name, operator in same.items())
    if MONTH in rows.columns:
        months = ", ".join(f"'{month}'" for month in rows[MONTH].unique().sort())
        same_key = f"stored.{MONTH} in ({months}) and stored.{MONTH} = new.{MONTH} and {same_key}"
    (
        delta.merge(
            rows.to_arrow(),
            predicate=same_key,
            source_alias="new",
            target_alias="stored",
            merge_schema=True,
            writer_properties=WRITER,
            commit_properties=commit_properties(_newest_ingest(rows)),
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )


def _newest_ingest(rows: pl.DataFrame) -> datetime | None:
    found = rows[INGESTED_AT].max() if INGESTED_AT in rows.columns else None
    return found if isinstance(found, datetime) else None


def _files_of_newest(delta: DeltaTable, column: str, until: datetime | None) -> list[str] | None:
    """The files that can contain the largest time of a column up to `until`, by their ranges in the log.

    None: not every file has a range there. Ranges are cut to milliseconds.
    """
    files = pl.DataFrame(delta.get_add_actions(flatten=True))
    first, last = f"min.{column}", f"max.{column}"
    if last not in files.columns or files[last].null_count():
        return None
    if until is not None:
        files = files.filter(pl.col(first) <= until)
    # At least this large: all of a file that ends by then counts, and the first row of any other.
    bound = pl.col(last) if until is None else pl.when(pl.col(last) <= until).then(last).otherwise(first)
    return files.filter(pl.col(last) >= bound.max())["path"].to_list()
