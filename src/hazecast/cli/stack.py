"""The local stack: MLflow, API, dashboard, Prefect and a worker as child processes of `hazecast up`."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hazecast.credentials import mlflow_password, prefect_login
from hazecast.paths import FLOWS
from hazecast.settings import Settings, reachable

_DEPLOYMENTS = FLOWS / "deployments.py"


@dataclass(frozen=True)
class Service:
    """One child process: how to start it, and the address of its health check.

    `environment` returns the variables of this process alone, such as its password; it is called at each start.
    `essential`: `hazecast up` waits for it before it prints the addresses; the others start afterwards.
    """

    name: str
    command: tuple[str, ...]
    url: str
    health_path: str
    port_setting: str
    host: str
    port: int
    essential: bool = True
    environment: Callable[[], Mapping[str, str]] = dict


def services(settings: Settings, *, prefect: bool = True) -> tuple[Service, ...]:
    """The services to run locally, in starting order; MLflow and Prefect only where no other server is configured."""
    host = settings.host
    dashboard = ("-m", "hazecast.dashboard", "--server.address", host, "--server.port", str(settings.dashboard_port))
    return (
        *([] if settings.has_mlflow_server else [_mlflow(settings)]),
        _service(settings, "API", "/api/v1/health", host, "-m", "hazecast.cli", "serve"),
        _service(settings, "Dashboard", settings.dashboard_health_path, host, *dashboard),
        *(_orchestration(settings) if prefect else []),
    )


def _mlflow(settings: Settings) -> Service:
    service = _guarded(settings, "MLflow", "/health", settings.mlflow_host)
    return replace(
        service,
        environment=lambda: {
            "HAZECAST_ALLOWED_HOSTS": settings.allowed_hosts,
            "MLFLOW_BACKEND_STORE_URI": settings.tracking_uri,
            "MLFLOW_TRACKING_USERNAME": settings.mlflow_tracking_username,
            "MLFLOW_TRACKING_PASSWORD": mlflow_password(settings),
        },
    )


def _orchestration(settings: Settings) -> list[Service]:
    """A Prefect server, and a worker with the schedules; only the worker where another server is configured."""
    worker = _service(settings, "Worker", "/health", settings.worker_host, str(_DEPLOYMENTS), "--work")
    if settings.prefect_api_url:
        return [replace(worker, essential=False)]
    server = replace(
        _guarded(settings, "Prefect", "/api/health", settings.prefect_host),
        essential=False,
        environment=lambda: {
            "HAZECAST_ALLOWED_HOSTS": settings.allowed_hosts,
            "PREFECT_SERVER_API_AUTH_STRING": prefect_login(settings),
        },
    )
    worker = replace(worker, essential=False, environment=lambda: {"PREFECT_API_AUTH_STRING": prefect_login(settings)})
    return [server, worker]


def _guarded(settings: Settings, name: str, health_path: str, host: str) -> Service:
    """MLflow or Prefect behind the guard of `hazecast.servers`."""
    port = getattr(settings, f"{name.lower()}_port")
    command = ("-m", "hazecast.servers", name.lower(), "--host", host, "--port", str(port))
    return _service(settings, name, health_path, host, *command)


def _service(settings: Settings, name: str, health_path: str, host: str, *command: str) -> Service:
    setting = f"{name.lower()}_port"
    port = int(getattr(settings, setting))
    url = f"http://{reachable(host)}:{port}"
    return Service(name, (sys.executable, *command), url, health_path, setting, host, port)
