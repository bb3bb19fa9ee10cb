"""Passwords of the MLflow and Prefect servers of `hazecast up`, created once in HAZECAST_HOME/secrets.

`mlflow` has the password of the user `hazecast`; `prefect` has `user:password` as Prefect's page and clients take it.
Only their owner can read the files. A setting takes precedence over its file.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from hazecast.settings import Settings

PREFECT_USER = "hazecast"
_LOCAL = {"127.0.0.1", "localhost", "::1"}


def mlflow_password(settings: Settings) -> str:
    """Password of the local MLflow server; created if there is none."""
    return settings.mlflow_tracking_password.get_secret_value() or _kept(mlflow_file(settings), prefix="")


def prefect_login(settings: Settings) -> str:
    """`user:password` of the local Prefect server; created if there is none."""
    given = settings.prefect_api_auth_string.get_secret_value()
    return given or _kept(prefect_file(settings), prefix=f"{PREFECT_USER}:")


def known_prefect_login(settings: Settings) -> str:
    """`user:password` for a client of the configured Prefect server; empty: none is known.

    The file is of the server that `hazecast up` started, so it is used for a server on this machine only.
    """
    if given := settings.prefect_api_auth_string.get_secret_value():
        return given
    is_local = urlsplit(settings.prefect_address).hostname in _LOCAL
    path = prefect_file(settings)
    return path.read_text().strip() if is_local and path.exists() else ""


def mlflow_file(settings: Settings) -> Path:
    """File of the MLflow password."""
    return settings.home.resolve() / "secrets" / "mlflow"


def prefect_file(settings: Settings) -> Path:
    """File of the Prefect login."""
    return settings.home.resolve() / "secrets" / "prefect"


def _kept(path: Path, *, prefix: str) -> str:
    """The content of the file; a new password, if it is missing or empty."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        kept = path.read_text().strip()
    except FileNotFoundError:
        kept = ""
    if not kept:
        kept = f"{prefix}{secrets.token_urlsafe(32)}"
        unfinished = path.with_name(f".{path.name}-{os.getpid()}")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"{kept}\n")
        unfinished.replace(path)
    path.chmod(0o600)
    return kept
