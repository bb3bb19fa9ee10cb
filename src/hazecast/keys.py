"""API keys at rest: a JSON file with the name, scopes, rate limit and hash of each key."""

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
        name: of its owner; written to the access log.
        sha256: hash of the key in hex; a random key needs no salt.
        scopes: some of SCOPES.
        per_minute: rate limit, requests in a minute.
    """

    name: str
    sha256: str
    scopes: tuple[str, ...]
    per_minute: int


def hash_key(key: str) -> str:
    """The hash that is stored instead of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(file: Path) -> dict[str, ApiKey]:
    """Read the keys, by their hash; empty if the file does not exist.

    Raises:
        SettingsError: the file cannot be read, or is not one that `add_key` writes.
    """
    try:
        found = [ApiKey(**{**row, "scopes": tuple(row["scopes"])}) for row in json.loads(file.read_text())]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as err:
        raise SettingsError(f"HAZECAST_API_KEYS: {file} is not a readable file of keys: {err}") from err
    return {key.sha256: key for key in found}


def add_key(file: Path, name: str, *, scopes: Iterable[str], per_minute: int) -> str:
    """Create a key, store its hash and return the key; it cannot be recovered later.

    Raises:
        NotKnown: a scope does not exist.
        ContractError: the name is taken.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise NotKnown("scope", scope, list(SCOPES))
    keys = read_keys(file)
    if any(key.name == name for key in keys.values()):
        raise ContractError(f"a key named {name!r} exists already; revoke it first or choose another name")
    key = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    added = ApiKey(name, hash_key(key), tuple(scopes), per_minute)
    _write(file, {**keys, added.sha256: added})
    return key


def revoke_key(file: Path, name: str) -> None:
    """Remove a key; a running API reloads the file within seconds.

    Raises:
        NotKnown: there is no key of that name.
    """
    keys = read_keys(file)
    kept = {sha256: key for sha256, key in keys.items() if key.name != name}
    if len(kept) == len(keys):
        raise NotKnown("key", name, [key.name for key in keys.values()])
    _write(file, kept)


def _write(file: Path, keys: Mapping[str, ApiKey]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.half")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "w") as written:
        json.dump([asdict(key) for key in keys.values()], written, indent=1)
    partial.replace(file)
