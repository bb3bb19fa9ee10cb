"""The MLflow and Prefect servers, guarded: known host names, their own page's origin, and a password.

    python -m hazecast.servers mlflow|prefect [--host 127.0.0.1] [--port PORT]

Prefect runs commands for whoever may create a run, so neither server is open to local users or to web pages. Prefect
checks its password itself (PREFECT_SERVER_API_AUTH_STRING); MLflow's is MLFLOW_TRACKING_PASSWORD, of the user
MLFLOW_TRACKING_USERNAME. HAZECAST_ALLOWED_HOSTS lists further host names. MLflow's image contains this file alone, so
it imports nothing of Hazecast.
"""

import argparse
import base64
import hmac
import importlib
import ipaddress
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import uvicorn

USER = "hazecast"
# Probes of load balancers and containers have no password.
HEALTH = ("/health", "/version", "/api/health", "/api/ready")
GRACE_SECONDS = 10

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
log = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class Guard:
    """ASGI middleware that refuses foreign hosts (403), foreign origins (403) and, with `login`, no password (401).

    Attributes:
        app: the guarded application.
        allowed: names besides localhost and IP addresses, as `name`, `name:port` or `*.domain`. A page that makes its
            own name resolve to this machine (DNS rebinding) sends that name as Host, never an address. An origin
            other than the requested host itself must be in the list as it is.
        login: `user:password` of HTTP Basic authentication; empty: the application checks its own.
    """

    app: App
    allowed: frozenset[str]
    login: str = ""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket") or _is_probe(scope):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get("host", "").lower(), headers.get("origin", "").lower()
        if not self._is_known(host):
            await _refuse(
                scope,
                send,
                HTTPStatus.FORBIDDEN,
                f"unknown host {host[:100]!r}; add its name to HAZECAST_ALLOWED_HOSTS",
            )
        elif origin and _netloc(origin) not in {host, *self.allowed}:
            await _refuse(scope, send, HTTPStatus.FORBIDDEN, f"cross-origin request from {origin[:100]!r}")
        elif self.login and not hmac.compare_digest(_login(headers.get("authorization", "")), self.login.encode()):
            await _refuse(scope, send, HTTPStatus.UNAUTHORIZED, "the password is missing or wrong")
        else:
            await self.app(scope, receive, send)

    def _is_known(self, host: str) -> bool:
        name = _name(host)
        patterns = [_name(allowed) for allowed in self.allowed]
        return name == "localhost" or _is_address(name) or any(fnmatchcase(name, pattern) for pattern in patterns)


def allowed_hosts(listed: str) -> frozenset[str]:
    """The names of a comma-separated list, in lower case; `name:*` is the same as `name`."""
    return frozenset(name.strip().lower().removesuffix(":*") for name in listed.split(",") if name.strip())


def _is_probe(scope: MutableMapping[str, Any]) -> bool:
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in HEALTH


def _name(host: str) -> str:
    """The host without its port; empty if it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _login(authorization: str) -> bytes:
    """The `user:password` of an Authorization header; empty if there is none."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        return base64.b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return b""


async def _refuse(scope: MutableMapping[str, Any], send: Send, status: HTTPStatus, reason: str) -> None:
    log.warning("refused %s %s: %s", scope.get("method", "websocket"), scope["path"], reason)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Basic realm="MLflow", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})


def mlflow_app() -> App:
    """MLflow's application with its stores initialised, as `mlflow server` does."""
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or _stop("MLFLOW_TRACKING_PASSWORD")
    database = os.environ.get("MLFLOW_BACKEND_STORE_URI") or _stop("MLFLOW_BACKEND_STORE_URI")
    destination = os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", "./mlartifacts")
    root, allowed = "mlflow-artifacts:/", _allowed_from_environment()
    # The guard is stricter, and has one list for both servers. MLflow reads these when it is imported.
    os.environ |= {"MLFLOW_SERVER_ALLOWED_HOSTS": "*", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*"}
    server = importlib.import_module("mlflow.server")
    os.environ |= {
        server.BACKEND_STORE_URI_ENV_VAR: database,
        server.REGISTRY_STORE_URI_ENV_VAR: database,
        server.ARTIFACT_ROOT_ENV_VAR: root,
        server.ARTIFACTS_DESTINATION_ENV_VAR: destination,
        server.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    importlib.import_module("mlflow.server.handlers").initialize_backend_stores(database, database, root)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or USER
    app: App = importlib.import_module("mlflow.server.fastapi_app").app
    return Guard(app, allowed, login=f"{user}:{password}")


def prefect_app() -> App:
    """Prefect's application with its page, API and services, as `prefect server start` does."""
    if not os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        _stop("PREFECT_SERVER_API_AUTH_STRING")
    # The page requests the API of the host that it came from, under whatever name.
    os.environ.setdefault("PREFECT_UI_API_URL", "/api")
    os.environ.setdefault("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "http://localhost:4200")
    app: App = importlib.import_module("prefect.server.api.server").create_app(final=True)
    return Guard(app, _allowed_from_environment())


def _allowed_from_environment() -> frozenset[str]:
    listed = os.environ.get("HAZECAST_ALLOWED_HOSTS") or os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS", "")
    return allowed_hosts(listed)


def _stop(variable: str) -> str:
    raise SystemExit(f"{variable} is not set: the server does not start without it")


SERVERS: dict[str, tuple[Callable[[], App], int]] = {"mlflow": (mlflow_app, 5000), "prefect": (prefect_app, 4200)}


def serve(name: str, host: str, port: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    create, default_port = SERVERS[name]
    uvicorn.run(
        create(),
        host=host,
        port=port or default_port,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve MLflow or Prefect, guarded.")
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    serve(given.server, given.host, given.port)
