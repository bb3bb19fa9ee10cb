"""The identity of a dataset folder: which tables and models under a home belong to it.

`datasets.json` in the home records the place name of each folder, by its full path. The first folder of a name gets
that name; another folder of the same name, or a folder named like a place file, gets a name with a hash of its path.
"""

import hashlib
import json
import os
import re
import unicodedata
from pathlib import Path

from hazecast.errors import SettingsError

RECORD = "datasets.json"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def dataset_place(folder: Path, home: Path, *, reserved: set[str], shared: bool) -> str:
    """The place name of a dataset folder; always the same for the same folder and home.

    Args:
        folder: the dataset folder.
        home: folder of the local state.
        reserved: names of places that are not dataset folders.
        shared: whether other homes may use the same tables (S3); then the name always has the hash.
    """
    path = str(folder.resolve())
    recorded = read_record(home)
    known = next((name for name, owner in recorded.items() if owner == path), None)
    if known is not None:
        return known
    name = plain_name(folder.resolve().name)
    if shared or name in reserved or name in recorded:
        return f"{name}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    return name


def claim(place: str, folder: Path, home: Path, *, reserved: set[str]) -> None:
    """Record that `place` is the name of `folder`.

    Raises:
        SettingsError: the name belongs to another folder or to a place file.
    """
    path = str(folder.resolve())
    if place in reserved:
        raise SettingsError(
            f"{place} is a live place, so a dataset folder cannot use its tables; choose another --place"
        )
    recorded = read_record(home)
    owner = recorded.get(place, path)
    if owner != path:
        raise SettingsError(
            f"the tables of place {place} hold data of {owner}, not of {path}; choose another --place, or correct "
            f"{home / RECORD} if the folder has moved"
        )
    if recorded.get(place) == path:
        return
    home.mkdir(parents=True, exist_ok=True)
    partial = home / f".{RECORD}.{os.getpid()}"
    partial.write_text(json.dumps({**recorded, place: path}, indent=2, ensure_ascii=False), encoding="utf-8")
    partial.replace(home / RECORD)


def read_record(home: Path) -> dict[str, str]:
    """Folder by place name.

    Raises:
        SettingsError: the record is damaged.
    """
    path = home / RECORD
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {str(name): str(folder) for name, folder in content.items()}
    except (OSError, ValueError, AttributeError) as err:
        raise SettingsError(f"{path}: not readable ({err}); restore it from a backup or remove it") from err


def plain_name(name: str) -> str:
    """`name` in letters that every file system, address and model registry takes: "São Paulo" is "Sao-Paulo"."""
    if _PLAIN.fullmatch(name):
        return name
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-._") or "dataset"
