"""The stored tables: Delta Lake in a local folder or in S3, with the same code.

Every write is one atomic commit against the version it was computed from. If another writer committed first, the write
is computed again from the new version. So concurrent writers lose no rows, and keys never repeat.
"""

import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import TypeVar
from urllib.parse import quote, unquote

import dataframely as dy
import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from hazecast.air.tables import conform, key_of
from hazecast.errors import StoreError

MAX_WRITE_ATTEMPTS = 40
MAX_PAUSE_SECONDS = 1.0
WRITES_PER_COMPACTION = 32
INGESTED_AT = "ingested_at"
# Hazecast retries by computing the rows again; Delta's own retry would write the old ones.
_ONE_COMMIT = CommitProperties(max_commit_retries=0)

Outcome = TypeVar("Outcome")

log = logging.getLogger(__name__)


class Store:
    """The tables of `air.tables` under one root.

    Args:
        root: a folder or `s3://bucket/prefix`.
        storage_options: credentials and endpoint for S3, as the `object_store` crate names them.
    """

    def __init__(self, root: str, storage_options: Mapping[str, str] | None = None) -> None:
        # delta-rs decodes such codes in paths twice.
        if re.search(r"%[0-9A-Fa-f]{2}", root):
            raise StoreError(
                f"{root}: tables cannot lie in a path with a code such as %20; set HAZECAST_HOME elsewhere"
            )
        self.root = root.rstrip("/")
        self._options = dict(storage_options or {})

    def read(self, table: type[dy.Schema], where: pl.Expr | None = None, *, version: int | None = None) -> pl.DataFrame:
        """Rows of `table` matching `where`; an empty frame if nothing is stored yet.

        Args:
            table: a class of `air.tables`.
            where: a filter, pushed down to the files.
            version: read the table as of this version (time travel).

        Raises:
            StoreError: the table is corrupt or out of reach.
        """
        delta = self._open(table, version)
        return table.create_empty() if delta is None else self._rows(table, delta, where)

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

    def newest(self, table: type[dy.Schema], column: str, *, until: datetime | None = None) -> datetime | None:
        """Largest time in `column`, up to `until`; None if nothing is stored yet. Reads one column only.

        Args:
            table: a class of `air.tables`.
            column: a time, UTC.
            until: rows after it are ignored: those stored while the clock was ahead; None: all rows count.
        """
        delta = self._open(table)
        if delta is None:
            return None
        scan = self._scan(delta)
        rows = scan if until is None else scan.filter(pl.col(column) <= until)
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
        raise StoreError(
            f"{self._name(table)}: {MAX_WRITE_ATTEMPTS} attempts lost to concurrent writers; try again later"
        )

    def _write(self, table: type[dy.Schema], delta: DeltaTable, added: pl.DataFrame, changed: pl.DataFrame) -> int:
        def write() -> None:
            if changed.is_empty():
                write_deltalake(
                    delta, added.to_arrow(), mode="append", schema_mode="merge", commit_properties=_ONE_COMMIT
                )
            else:
                _merge(delta, pl.concat([added, changed]), key_of(table))

        written = int(delta.version()) + 1
        self._guard(table, write)
        if written % WRITES_PER_COMPACTION == 0:
            self._compact(table)
        return written

    def _compact(self, table: type[dy.Schema]) -> None:
        """Join the small files of many writes, so that reads stay fast; older versions stay readable."""
        delta = self._open_or_create(table)
        # A concurrent write has precedence; the next compaction follows after as many writes.
        with suppress(CommitFailedError):
            self._guard(table, lambda: delta.optimize.compact(commit_properties=_ONE_COMMIT))
            self._guard(table, delta.create_checkpoint)

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

    def _rows(self, table: type[dy.Schema], delta: DeltaTable, where: pl.Expr | None) -> pl.DataFrame:
        schema = _schema_of(table)
        missing = schema.keys() - {field.name for field in delta.schema().fields}
        if required := sorted(name for name in missing if not table.columns()[name].nullable):
            raise StoreError(
                f"{self._name(table)} was written by an older version of Hazecast, without {', '.join(required)}; move "
                "it away and run `hazecast collect`, or choose another HAZECAST_HOME"
            )
        # A table written before an optional column existed is read with nulls in it.
        absent = [pl.lit(None, schema[name]).alias(name) for name in sorted(missing)]

        def collect() -> pl.DataFrame:
            scan = self._scan(delta).with_columns(absent)
            return (scan if where is None else scan.filter(where)).collect()

        rows: pl.DataFrame = self._guard(table, collect)
        return rows.select(schema.names()).cast(schema)

    def _scan(self, delta: DeltaTable) -> pl.LazyFrame:
        """The table as a lazy frame.

        Delta gives percent-encoded file names that Polars reads literally (pola-rs/polars#20944), so a local table
        whose path has blanks, % or letters beyond ASCII is read by its decoded file names.
        """
        if "://" in self.root or quote(self.root) == self.root:
            return pl.scan_delta(delta, storage_options=self._options or None)
        files = [unquote(file) for file in delta.file_uris()]
        if not files:
            return pl.from_arrow(delta.to_pyarrow_table()).lazy()  # type: ignore[union-attr]  # a table is a frame
        return pl.scan_parquet(files, missing_columns="insert", extra_columns="ignore")

    def _open(self, table: type[dy.Schema], version: int | None = None) -> DeltaTable | None:
        def load() -> DeltaTable | None:
            try:
                return DeltaTable(self._uri(table), version=version, storage_options=self._options or None)
            except TableNotFoundError:
                return None

        return self._guard(table, load)

    def _open_or_create(self, table: type[dy.Schema]) -> DeltaTable:
        existing = self._open(table)
        if existing is not None:
            return existing
        empty = table.create_empty().to_arrow()
        with suppress(CommitFailedError):  # another process created it at the same moment
            self._guard(
                table,
                lambda: write_deltalake(self._uri(table), empty, mode="ignore", storage_options=self._options or None),
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
                f"reachable, writable and has free space; if its files are damaged, restore them from a backup."
            ) from err

    def _uri(self, table: type[dy.Schema]) -> str:
        return f"{self.root}/{self._name(table)}"

    @staticmethod
    def _name(table: type[dy.Schema]) -> str:
        return str(getattr(table, "table_name", table.__name__.lower()))


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
    same_key = " and ".join(f"(stored.{column} is not distinct from new.{column})" for column in key)
    (
        delta.merge(
            rows.to_arrow(),
            predicate=same_key,
            source_alias="new",
            target_alias="stored",
            merge_schema=True,
            commit_properties=_ONE_COMMIT,
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
