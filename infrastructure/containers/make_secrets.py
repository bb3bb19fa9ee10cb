"""Create missing passwords in secrets/ and give each service of the compose stack its own (service `secrets`).

Existing passwords are kept, because the volumes depend on them. A secret of the user is a line of .env or the file
secrets/VARIABLE. Each service gets a folder that only its user can read, with one file for each variable.
"""

import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from hazecast.settings import Settings, is_secret, services_of, variable_of

CHECKOUT, DISTRIBUTED = Path("/checkout"), Path("/distributed")
PREFECT_USER = "hazecast"
API_KEYS = "api_keys.json"
OURS, POSTGRES, GRAFANA, NOBODY = 10001, 999, 472, 65534


class SecretsError(Exception):
    """A secret cannot be used as it is given; the message has the remedy."""


@dataclass(frozen=True)
class Folder:
    """The user of a service, and its files: name to text."""

    user: int
    files: dict[str, str]


def create(folder: Path, *, webhook: str = "") -> dict[str, str]:
    """Create missing passwords, for the owner of the folder's parent only; all files of the stack by name."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("postgres", "mlflow_db", "prefect_db", "grafana", "mlflow", "prefect"):
        prefix = f"{PREFECT_USER}:" if name == "prefect" else ""
        _write_once(folder / name, prefix + secrets.token_hex(20))
    config: dict[str, object] = {"name": "operators"}
    if webhook:
        (folder / "alertmanager").unlink(missing_ok=True)
        config["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    route = {"receiver": "operators", "group_by": ["alertname"], "repeat_interval": "12h"}
    _write_once(folder / "alertmanager", json.dumps({"route": route, "receivers": [config]}, indent=1))
    owner = folder.parent.stat()
    for path in [folder, *folder.iterdir()]:
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return {path.name: path.read_text().strip() for path in folder.iterdir() if path.is_file()}


def _write_once(path: Path, text: str) -> None:
    if path.exists() and path.read_text().strip():
        return
    unfinished = path.with_name(f".{path.name}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{text}\n")
    unfinished.replace(path)
    print(f"created secrets/{path.name}")  # noqa: T201 - a script's own output


def given(files: Mapping[str, str], lines: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, str]:
    """The user's secrets by variable, from secrets/ and from .env.

    Raises:
        SecretsError: one is given twice, or where this container does not see its value.
    """
    found = {}
    for variable in map(variable_of, filter(is_secret, Settings.model_fields)):
        if lines.get(f"{variable}_FILE"):
            raise SecretsError(f"{variable}_FILE in .env is not used here: copy the file to secrets/{variable}")
        values = {text for text in (files.get(variable), lines.get(variable)) if text}
        if len(values) > 1:
            raise SecretsError(f"{variable} is in .env and, with another value, in secrets/: remove one of them")
        if not values and environment.get(variable):
            raise SecretsError(f"{variable} is set in the shell only: write it to .env or to secrets/{variable}")
        if values:
            found[variable] = values.pop()
    return found


def folders(files: Mapping[str, str], user_secrets: Mapping[str, str]) -> dict[str, Folder]:
    """What each service gets; the user's own passwords of MLflow and Prefect take precedence."""
    mlflow = {"MLFLOW_TRACKING_PASSWORD": user_secrets.get("MLFLOW_TRACKING_PASSWORD", files["mlflow"])}
    prefect = {"PREFECT_API_AUTH_STRING": user_secrets.get("PREFECT_API_AUTH_STRING", files["prefect"])}
    own = {
        "worker": mlflow | prefect,
        "api": mlflow | {name: files[name] for name in (API_KEYS,) if name in files},
        "metrics": prefect,
        "dashboard": {},
        "mlflow": mlflow | {"DB_PASSWORD": files["mlflow_db"]},
        "prefect": {
            "PREFECT_SERVER_API_AUTH_STRING": prefect["PREFECT_API_AUTH_STRING"],
            "PREFECT_SERVER_DATABASE_PASSWORD": files["prefect_db"],
        },
    }
    needed = {
        service: {
            variable_of(name): user_secrets[variable_of(name)]
            for name in Settings.model_fields
            if is_secret(name) and service in services_of(name) and variable_of(name) in user_secrets
        }
        for service in own
    }
    of_others = {
        "postgres": Folder(POSTGRES, {name: files[name] for name in ("postgres", "mlflow_db", "prefect_db")}),
        "grafana": Folder(GRAFANA, {"grafana": files["grafana"]}),
        "alertmanager": Folder(NOBODY, {"alertmanager": files["alertmanager"]}),
    }
    return {service: Folder(OURS, needed[service] | text) for service, text in own.items()} | of_others


def distribute(root: Path, given_folders: Mapping[str, Folder]) -> None:
    """Write the folders; files that are no longer given are removed."""
    for name, folder in given_folders.items():
        path = root / name
        path.mkdir(exist_ok=True)
        for old in path.iterdir():
            if old.name not in folder.files:
                old.unlink()
        for file, text in folder.files.items():
            unfinished = path / f".{file}"
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), "w") as opened:
                opened.write(text)
            os.chown(unfinished, folder.user, folder.user)
            unfinished.replace(path / file)
        os.chown(path, folder.user, folder.user)
        path.chmod(0o500)


def main() -> None:
    """Create, read and distribute."""
    files = create(CHECKOUT / "secrets", webhook=os.environ.get("ALERT_WEBHOOK", ""))
    lines = dotenv_values(CHECKOUT / ".env") if (CHECKOUT / ".env").is_file() else {}
    unknown = [name for name in files if re.fullmatch("[A-Z][A-Z0-9_]+", name) and name not in _variables()]
    if unknown:
        raise SecretsError(f"secrets/{unknown[0]} is no secret setting; those are {', '.join(_variables())}")
    distribute(DISTRIBUTED, folders(files, given(files, lines, os.environ)))


def _variables() -> list[str]:
    return [variable_of(name) for name in Settings.model_fields if is_secret(name)]


if __name__ == "__main__":
    try:
        main()
    except SecretsError as err:
        sys.exit(f"error: {err}")
