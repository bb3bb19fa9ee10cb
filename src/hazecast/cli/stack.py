"""The local stack: MLflow, API, dashboard, Prefect and a worker as child processes of `hazecast up`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import httpx

from hazecast.credentials import mlflow_password, prefect_login
from hazecast.errors import SettingsError
from hazecast.paths import FLOWS
from hazecast.settings import Settings, reachable, variable_of

START_SECONDS = 90.0
STOP_SECONDS = 10.0
_DASHBOARD = Path(__file__).parents[1] / "dashboard" / "app.py"
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_DEPLOYMENTS = FLOWS / "deployments.py"

Children = dict[str, subprocess.Popen[bytes]]


@dataclass(frozen=True)
class Service:
    """One child process: how to start it, and the address of its health check.

    `environment` returns the variables of this process alone, such as its password; it is called at the start.
    `essential`: no forecast is shown without it, so `hazecast up` waits for it and stops with it. The others start in
    the background, and a warning is printed when one stops.
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
    dashboard = ("-m", "streamlit", "run", str(_DASHBOARD), "--server.headless", "true", "--server.address", host)
    options = ("--browser.gatherUsageStats", "false", "--server.port", str(settings.dashboard_port))
    return (
        *([] if settings.has_mlflow_server else [_mlflow(settings)]),
        _service(settings, "API", "/api/v1/health", host, "-m", "hazecast.cli", "serve"),
        _service(settings, "Dashboard", "/_stcore/health", host, *dashboard, *options),
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


def require_free_ports(local: tuple[Service, ...]) -> None:
    """Raise before anything is started if a port is taken.

    Raises:
        SettingsError: names the service, the port and the setting that changes it.
    """
    for service in local:
        with socket.socket(socket.AF_INET6 if ":" in service.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((service.host, service.port))
            except OSError as err:
                variable = variable_of(service.port_setting)
                raise SettingsError(
                    f"port {service.port} for {service.name} on {service.host} is not free ({err.strerror}); stop "
                    f"the process that uses it, or choose another port: {variable}={service.port + 1000}"
                ) from err


@contextmanager
def running(local: tuple[Service, ...], environment: Mapping[str, str], logs: Path) -> Iterator[Children]:
    """Start all services, wait until the essential ones are healthy, and stop all at the end of the body.

    If this process is killed, a supervisor process stops them.

    Raises:
        SettingsError: a service did not start; the message names its log file.
    """
    logs.mkdir(parents=True, exist_ok=True)
    # Prefect's server does not create its own home.
    Path(environment["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    children: Children = {}
    previous = signal.signal(signal.SIGTERM, _interrupt)
    supervisor = subprocess.Popen([sys.executable, str(_SUPERVISOR)], stdin=subprocess.PIPE, start_new_session=True)
    try:
        essential = [service for service in local if service.essential]
        for service in essential:
            children[service.name] = _start(service, environment, logs, supervisor)
        for service in essential:
            _await_health(service, children[service.name], logs)
        for service in local:
            if not service.essential:
                children[service.name] = _start(service, environment, logs, supervisor)
        yield children
    finally:
        _stop(children)
        supervisor.communicate()
        signal.signal(signal.SIGTERM, previous)


def wait(local: tuple[Service, ...], children: Children, logs: Path, *, warn: Callable[[str], None]) -> None:
    """Wait until interrupted; when a service that is not essential stops, print one warning.

    Raises:
        SettingsError: an essential service stopped; the message names its log file.
    """
    running_services = {service.name: service.essential for service in local}
    while True:
        for name in [name for name in running_services if children[name].poll() is not None]:
            message = f"{name} stopped with code {children[name].returncode}; see {_log_of(name, logs)}"
            if running_services.pop(name):
                raise SettingsError(message)
            warn(message)
        time.sleep(0.5)


def _start(
    service: Service, environment: Mapping[str, str], logs: Path, supervisor: subprocess.Popen[bytes]
) -> subprocess.Popen[bytes]:
    with _log_of(service.name, logs).open("wb") as log:
        # A session of its own: Ctrl-C reaches only this process, which then stops the child's whole process group.
        child = subprocess.Popen(
            service.command,
            env={**os.environ, **environment, **service.environment()},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    assert supervisor.stdin is not None
    supervisor.stdin.write(f"{child.pid}\n".encode())
    supervisor.stdin.flush()
    return child


def _await_health(service: Service, child: subprocess.Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if httpx.get(service.url + service.health_path, timeout=2, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    outcome = f"is not healthy after {START_SECONDS:.0f} s" if child.poll() is None else "stopped at once"
    raise SettingsError(f"{service.name} {outcome}; see {_log_of(service.name, logs)}")


def _stop(children: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for child in children.values():
        _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children.values():
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(deadline - time.monotonic(), 0.1))
        _signal_group(child, signal.SIGKILL)
        child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _log_of(name: str, logs: Path) -> Path:
    return logs / f"{name.lower()}.log"
