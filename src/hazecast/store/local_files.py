"""Checks of local tables before they are read or written, where libraries would panic or start a new table."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from hazecast.errors import StoreError

# Free space left for logs, locks and the database of the registry.
SPARE_BYTES = 2**20
_REMEDY = "restore a backup with `hazecast restore`, or keep what is whole with `hazecast repair`"
# A table that another process creates at this moment has data files before its log.
_CREATED_SECONDS = 2.0


def folder_of(uri: str) -> Path | None:
    """The folder of a local table, by its path or its file:// address; None for one in S3."""
    if uri.startswith("file://"):
        return Path(unquote(uri.removeprefix("file://")))
    return None if "://" in uri else Path(uri)


def incomplete_files(folder: Path, sizes: Mapping[str, int]) -> list[str]:
    """Files that are missing, or have another size than when they were written."""
    return [name for name, size in sizes.items() if _size(folder / unquote(name)) != size]


def require_complete(folder: Path, sizes: Mapping[str, int]) -> None:
    """Raise if a data file of a table is missing or truncated.

    Args:
        folder: of the table.
        sizes: the files of its newest version, percent-encoded, with their size when they were written [bytes].

    Raises:
        StoreError: names the table, the file and the remedy.
    """
    if incomplete := incomplete_files(folder, sizes):
        found = "is truncated" if (folder / unquote(incomplete[0])).exists() else "is missing"
        raise StoreError(f"{folder.name} cannot be used: its data file {incomplete[0]} {found}; {_REMEDY}")


def require_no_remains(uri: str) -> None:
    """Raise if a folder without a readable log has data files: it is a damaged table, not a new one.

    Raises:
        StoreError: names the table and the remedy.
    """
    folder = folder_of(uri)
    written_before = time.time() - _CREATED_SECONDS
    if folder is not None and any(path.stat().st_mtime < written_before for path in folder.rglob("*.parquet")):
        raise StoreError(f"{folder.name} cannot be used: its log {folder / '_delta_log'} is lost or empty; {_REMEDY}")


def require_writable(uri: str, n_bytes: int) -> None:
    """Raise if a local table cannot be written to, or has no space for `n_bytes` more.

    Raises:
        StoreError: names the table and the remedy; nothing was written.
    """
    folder = folder_of(uri)
    if folder is None:
        return
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        is_read_only = os.statvfs(existing).f_flag & os.ST_RDONLY
        reason = "Read-only file system" if is_read_only else f"this user may not write to {existing}"
        raise StoreError(
            f"{folder.name} cannot be written: {reason}. Nothing was changed. Make {existing} writable, or set "
            "HAZECAST_HOME to another folder"
        )
    free = shutil.disk_usage(existing).free
    if free < n_bytes + SPARE_BYTES:
        raise StoreError(
            f"{folder.name} cannot be written: too little free space under {existing}, {free / 2**20:.1f} MiB. Nothing "
            "was changed. Free some, or set HAZECAST_HOME to another disk"
        )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
