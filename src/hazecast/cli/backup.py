"""`hazecast backup`, `restore` and `repair`: the local home as one file, and what is whole of a damaged one."""

import ctypes
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import dataframely as dy

from hazecast import __version__
from hazecast.air import tables, verdicts  # noqa: F401 - defines every table
from hazecast.cli.processes import read_running
from hazecast.errors import AlreadyRunning, RegistryError, SettingsError
from hazecast.registry.database import move_artifacts, require_intact
from hazecast.steps.lock import only_one
from hazecast.store.repair import delete_ahead, is_table, problem_of, repair
from hazecast.wiring import Wiring

MANIFEST = "backup.json"
TABLES = "tables"
# Not saved: what is only of this machine or made again. Secrets stay where they are.
_LEFT_OUT = {"logs", "http", "locks", "secrets", "damaged", "replays", "up.json"}
_EXCHANGE = 2


def backup(home: Path, target: Path, *, now: datetime) -> tuple[Path, int]:
    """Write a home into one tar file and verify it; a running writer does not disturb it.

    Databases are copied by SQLite's own backup, before the artifacts they refer to. The log of a table is copied before
    its data files, which are never modified. The file appears under its name only when it is complete and verified.

    Args:
        home: the folder of local state.
        target: the file; a folder gets a file named after the time.
        now: UTC.

    Returns:
        The file and the number of files in it.

    Raises:
        SettingsError: there is nothing to save, or a table in the home is damaged.
    """
    if not home.is_dir():
        raise SettingsError(f"{home} does not exist; nothing to back up. Set HAZECAST_HOME to the home")
    for folder in _tables(home):
        if problem := problem_of(folder):
            raise SettingsError(f"the table {folder} is damaged: {problem}; run `hazecast repair` first")
    if target.is_dir() or not target.suffix:
        target.mkdir(parents=True, exist_ok=True)
        target /= f"hazecast-{now:%Y%m%dT%H%M%SZ}.tar"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        n_files = _write(home, partial, now)
        with _unpacked(partial, target.parent) as folder:
            _require_whole(folder)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target, n_files


def restore(archive: Path, home: Path) -> Path | None:
    """Replace a home by a backup, in one step, after the backup was unpacked and verified next to it.

    Killed at any moment, the home is the old one or the new one.

    Returns:
        Where the previous home was moved to; None: there was none.

    Raises:
        AlreadyRunning: `hazecast up` or a training of this home runs.
        SettingsError: the file is no whole backup, or the home is a mount point.
    """
    if not archive.is_file():
        raise SettingsError(f"{archive} does not exist; give the file that `hazecast backup` wrote")
    if home.is_mount():
        raise SettingsError(f"{home} is a mount point and cannot be replaced; set HAZECAST_HOME to a folder in it")
    home.parent.mkdir(parents=True, exist_ok=True)
    with _quiet(home), _unpacked(archive, home.parent) as folder:
        _require_whole(folder)
        saved_from = json.loads((folder / MANIFEST).read_text())["home"]
        (folder / MANIFEST).unlink()
        move_artifacts(folder / "mlflow.db", old=saved_from, new=str(home))
        if (home / "secrets").is_dir():
            shutil.copytree(home / "secrets", folder / "secrets")
        previous = home.with_name(f"{home.name}.before-restore")
        shutil.rmtree(previous, ignore_errors=True)
        if not home.exists():
            folder.rename(home)
            return None
        _exchange(folder, home)
        folder.rename(previous)
    return previous


def repair_home(parts: Wiring) -> Iterator[str]:
    """Keep what is whole of a damaged home; yields what was done, in words. Damaged files are moved to `damaged`.

    Rows stored while the clock was ahead are deleted.

    Raises:
        AlreadyRunning: `hazecast up` or a training of this home runs.
    """
    home, place, now = parts.settings.home.resolve(), parts.settings.place_name, parts.now()
    aside = home / "damaged" / f"{now:%Y%m%dT%H%M%SZ}"
    with _quiet(home):
        yield from _repair_registry(parts, home, aside, now)
        schemas = _schemas()
        for folder in _tables(home):
            table = schemas.get(folder.name)
            if table is None:
                yield f"{folder} is not a table of this release; left as it is"
                continue
            if done := repair(table, folder, aside / folder.relative_to(home)):
                yield f"table {folder.relative_to(home)}: {done}"
            if folder.parent.name == place and folder.exists() and (n_rows := delete_ahead(table, folder, now=now)):
                yield f"table {folder.relative_to(home)}: {n_rows:,} rows of a clock that was ahead removed or dated"


def _repair_registry(parts: Wiring, home: Path, aside: Path, now: datetime) -> Iterator[str]:
    """Move a damaged database and its artifacts aside, and register the champion kept on this machine again."""
    try:
        require_intact(home / "mlflow.db")
    except RegistryError as err:
        aside.mkdir(parents=True, exist_ok=True)
        for path in (home / "mlflow.db", home / "models"):
            if path.exists():
                path.rename(aside / path.name)
        yield f"{str(err).partition(';')[0]}: moved to {aside}"
    kept = parts.registry.champion_read_last()
    if kept is not None and not parts.registry.versions():
        parts.registry.adopt(*kept, reason="the champion kept on this machine, after its registry was lost", at=now)
        yield f"version {kept[1]} of {parts.settings.place_name} is registered again and champion"


def _schemas() -> dict[str, type[dy.Schema]]:
    """Every table by the name of its folder."""
    found: dict[str, type[dy.Schema]] = {}
    pending = list(dy.Schema.__subclasses__())
    while pending:
        schema = pending.pop()
        pending += schema.__subclasses__()
        found[str(getattr(schema, "table_name", schema.__name__.lower()))] = schema
    return found


def _tables(home: Path) -> list[Path]:
    return sorted(folder for folder in home.glob(f"{TABLES}/*/*") if folder.is_dir() and is_table(folder))


@contextmanager
def _quiet(home: Path) -> Iterator[None]:
    """Keep `hazecast up` and trainings away for the body.

    Raises:
        AlreadyRunning: one of them runs.
    """
    if running := read_running(home):
        raise AlreadyRunning(f"`hazecast up` of {home} runs in process {running.pid}; stop it first")
    names = {path.stem for path in (home / "locks").glob("*.lock")}
    with ExitStack() as locks:
        for name in sorted(names):
            work, _, place = name.partition("-")
            locks.enter_context(only_one(work, home / "locks", place))
        yield


def _write(home: Path, partial: Path, now: datetime) -> int:
    digests: dict[str, str] = {}
    with tarfile.open(partial, "w") as archive:
        for name, path in _databases(home):
            with TemporaryDirectory(dir=partial.parent) as scratch:
                copy = Path(scratch) / "copy.db"
                with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as into:
                    source.backup(into)
                digests[name] = _add(archive, name, copy)
        for path in _files(home):
            # A running upkeep deletes files that no version of the last days needs.
            with suppress(FileNotFoundError):
                name = path.relative_to(home).as_posix()
                digests[name] = _add(archive, name, path)
        about = {"hazecast": __version__, "home": str(home), "at": now.isoformat(), "sha256": digests}
        content = json.dumps(about, indent=1).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    return len(digests)


def _databases(home: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(home.rglob("*.db")):
        if path.relative_to(home).parts[0] not in _LEFT_OUT:
            yield path.relative_to(home).as_posix(), path


def _files(home: Path) -> list[Path]:
    """Every file to save but databases; the logs of tables first, as they were before the data files were listed."""
    logs = [path for path in home.rglob("_delta_log/*") if path.name != "_last_checkpoint"]
    others = [path for path in home.rglob("*") if "_delta_log" not in path.parts]
    return [path for path in (*sorted(logs), *sorted(others)) if _is_saved(path, home)]


def _is_saved(path: Path, home: Path) -> bool:
    is_temporary = path.suffix in {".lock", ".partial"} or ".db" in path.name
    is_left_out = path.relative_to(home).parts[0] in _LEFT_OUT
    return path.is_file() and not path.is_symlink() and not is_temporary and not is_left_out


def _add(archive: tarfile.TarFile, name: str, path: Path) -> str:
    """Add one file; returns its SHA-256 digest. A file that grows meanwhile is saved as long as it was at first."""
    with path.open("rb") as file:
        entry = archive.gettarinfo(arcname=name, fileobj=file)
        reader = _Hashing(file)
        archive.addfile(entry, reader)
    return reader.digest.hexdigest()


class _Hashing(io.RawIOBase):
    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


@contextmanager
def _unpacked(archive: Path, parent: Path) -> Iterator[Path]:
    """The unpacked archive in a folder of its own, removed at the end unless the body renamed it."""
    for left in parent.glob(".hazecast-unpacked-*"):
        if not _is_alive(left.name):
            shutil.rmtree(left, ignore_errors=True)
    folder = parent / f".hazecast-unpacked-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        yield folder
    except tarfile.TarError as err:
        raise SettingsError(f"{archive} is not a whole backup ({err}); give another file") from err
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(name: str) -> bool:
    try:
        os.kill(int(name.rpartition("-")[2]), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _require_whole(folder: Path) -> None:
    """Compare every file with its digest, and open every database and table.

    Raises:
        SettingsError: names what is missing or damaged.
    """
    try:
        digests = json.loads((folder / MANIFEST).read_text())["sha256"]
    except (OSError, ValueError, KeyError) as err:
        raise SettingsError("the file is no backup of Hazecast, or is cut off: it has no list of contents") from err
    for name, digest in digests.items():
        path = folder / PurePosixPath(name)
        if not path.is_file() or _digest(path) != digest:
            raise SettingsError(f"the backup is damaged: {name} is missing or not as it was written; give another file")
    for path in folder.rglob("*.db"):
        require_intact(path)
    for table in _tables(folder):
        if problem := problem_of(table):
            raise SettingsError(f"the backup is damaged: the table {table.relative_to(folder)}: {problem}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _exchange(first: Path, second: Path) -> None:
    """Exchange two folders in one step (renameat2); where the system has no such call, in two renames."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(-100, os.fsencode(first), -100, os.fsencode(second), _EXCHANGE) == 0:
            return
    between = second.with_name(f".{second.name}.exchanged")
    second.rename(between)
    first.rename(second)
    between.rename(first)
