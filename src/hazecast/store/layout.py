"""How a table lies on disk: partitioned by the month of its time, sorted by station and time within a file.

A revised row rewrites one file of its month, and one station's rows lie together. The column `month` ("2026-03") exists
in the files only. A table whose key has no time is one partition. Tables of earlier releases have no months; they are
read and written as they are until `upkeep.migrate` converts them.
"""

from datetime import UTC, datetime, timedelta
from functools import cache

import dataframely as dy
import polars as pl
from deltalake import DeltaTable, WriterProperties

from hazecast.air.tables import key_of

MONTH = "month"
RETENTION = timedelta(days=7)
# Row groups are skipped by their range of stations and times.
WRITER = WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=100_000)
_UTC = pl.Datetime("us", "UTC")
_DAY = timedelta(days=1)


@cache
def time_of(table: type[dy.Schema]) -> str | None:
    """The first time column of the key, which defines the month; None: the table is one partition."""
    schema = table.create_empty().schema
    return next((column for column in key_of(table) if schema[column] == _UTC), None)


def month_of(column: str) -> pl.Expr:
    """The partition of a time."""
    return pl.col(column).dt.strftime("%Y-%m").alias(MONTH)


def within_month(column: str, month: str) -> pl.Expr:
    """Whether a time lies in a month; files and row groups outside are skipped."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    following = (first + 31 * _DAY).replace(day=1)
    return pl.col(column).is_between(first, following, closed="left")


def has_months(delta: DeltaTable) -> bool:
    """Whether the stored table is partitioned by month; one of an earlier release is not."""
    return MONTH in delta.metadata().partition_columns


def as_stored(table: type[dy.Schema], rows: pl.DataFrame, *, by_month: bool) -> pl.DataFrame:
    """Rows in the order of the files, with their month."""
    time = time_of(table)
    order = [column for column in ("station_id", time) if column in rows.columns]
    rows = rows.sort(list(dict.fromkeys([*order, *key_of(table)])), nulls_last=True)
    return rows.with_columns(month_of(time)) if by_month and time else rows


def properties(retention: timedelta) -> dict[str, str]:
    """Table properties: the log reaches back beyond the retention, and so do the names of removed files."""
    days = retention // _DAY
    return {
        "delta.logRetentionDuration": f"interval {days + 1} days",
        "delta.deletedFileRetentionDuration": f"interval {days + 2} days",
    }
