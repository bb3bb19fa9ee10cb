"""API keys at rest: a JSON file that holds who may do what and how often, and of each key only its hash."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hazecast.errors import ContractError, NotKnown, SettingsError

SCOPES = ("read", "predict", "metrics")
DEFAULT_PER_MINUTE = 600
_PREFIX = "hz_"
_RANDOM_BYTES = 32
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class ApiKey:
    """One key.

    Attributes:
        name: whose it is; stands in the access log.
        sha256: of the key itself, in hex; the key is random, so a plain hash keeps it.
        scopes: what it may do.
        per_minute: requests allowed in a minute.
    """

    name: str
    sha256: str
    scopes: tuple[str, ...]
    per_minute: int


def hash_key(key: str) -> str:
    """What is stored instead of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(file: Path) -> dict[str, ApiKey]:
    """Keys by their hash; none while the file does not exist.

    Raises:
        SettingsError: the file is not what `add_key` writes.
    """
    try:
        found = [ApiKey(**{**row, "scopes": tuple(row["scopes"])}) for row in json.loads(file.read_text())]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as err:
        raise SettingsError(f"HAZECAST_API_KEYS: {file} cannot be read as a file of keys: {err}") from err
    return {key.sha256: key for key in found}


def add_key(file: Path, name: str, *, scopes: Iterable[str], per_minute: int) -> str:
    """Make a key, store its hash and return it: it cannot be had again.

    Raises:
        NotKnown: a scope that does not exist.
        ContractError: the name is taken.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise NotKnown("scope", scope, list(SCOPES))
    keys = read_keys(file)
    if any(key.name == name for key in keys.values()):
        raise ContractError(f"there is a key named {name!r} already; revoke it first or choose another name")
    key = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    made = ApiKey(name, hash_key(key), tuple(scopes), per_minute)
    _write(file, {**keys, made.sha256: made})
    return key


def revoke_key(file: Path, name: str) -> None:
    """Take a key away; a running API notices within seconds.

    Raises:
        NotKnown: nobody has it.
    """
    keys = read_keys(file)
    kept = {sha256: key for sha256, key in keys.items() if key.name != name}
    if len(kept) == len(keys):
        raise NotKnown("key", name, [key.name for key in keys.values()])
    _write(file, kept)


def _write(file: Path, keys: Mapping[str, ApiKey]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.half")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "w") as written:
        json.dump([asdict(key) for key in keys.values()], written, indent=1)
    half.replace(file)
