"""Place files: search path, reading and writing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hazecast.errors import NotKnown, SettingsError
from hazecast.places.place import Place


def list_places(folders: Iterable[Path]) -> list[Place]:
    """Every place of `folders`, sorted by name; in an earlier folder it hides its namesake in a later one.

    Raises:
        SettingsError: a file is malformed; the message names file, key and remedy.
    """
    found: dict[str, Place] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            if path.stem not in found and _is_place(_parse(path)):
                found[path.stem] = read_place(path)
    return [found[name] for name in sorted(found)]


def find_place(name: str, folders: Iterable[Path]) -> Place:
    """The place called `name`.

    Raises:
        NotKnown: there is no such file; the message lists the places there are.
        SettingsError: its file is malformed.
    """
    folders = list(folders)
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return read_place(path)
    raise NotKnown("place", name, [place.place for place in list_places(folders)])


def read_place(path: Path) -> Place:
    """The place in `path`; it is called as its file is.

    Raises:
        SettingsError: not readable, not YAML, or not a place; the message names file, key and remedy.
    """
    try:
        place = Place.model_validate(_parse(path))
    except ValidationError as err:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'file'}: {_reason(p['msg'])}" for p in err.errors())
        raise SettingsError(f"{path}: {problems} (docs/places.md documents place files)") from err
    if place.place != path.stem:
        raise SettingsError(f"{path}: calls itself {place.place!r}; name the file {place.place}.yaml")
    return place


def write_place(place: Place, path: Path) -> None:
    """Write `place` so that `read_place` gives it back.

    Raises:
        SettingsError: the file is there already, or cannot be written.
    """
    content = place.model_dump(mode="json", exclude_defaults=False, exclude_none=True)
    try:
        with path.open("x") as file:
            yaml.safe_dump(content, file, sort_keys=False, allow_unicode=True)
    except FileExistsError as err:
        raise SettingsError(f"{path} is there already; choose another --out or remove it") from err
    except OSError as err:
        raise SettingsError(f"{path} cannot be written ({err.strerror}); choose another --out") from err


def _parse(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        reason = " ".join(str(err).split())
        raise SettingsError(f"{path}: is not readable YAML: {reason}") from err


def _is_place(parsed: Any) -> bool:
    """Other files may lie in the same folder."""
    return isinstance(parsed, dict) and "place" in parsed


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
