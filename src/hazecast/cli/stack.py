"""The local stack: MLflow, API and dashboard as child processes that live and die with `hazecast up`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx

from hazecast.errors import SettingsError
from hazecast.settings import Settings, variable_of

START_SECONDS = 90.0
STOP_SECONDS = 10.0
_DASHBOARD = Path(__file__).parents[1] / "dashboard" / "app.py"


@dataclass(frozen=True)
class Service:
    """One child process: how to start it, where it answers when it is well."""

    name: str
    command: tuple[str, ...]
    url: str
    health_path: str
    port_setting: str
    port: int


def services(settings: Settings) -> tuple[Service, ...]:
    """What runs locally, in starting order; MLflow only where no other server is configured."""
    python, host = sys.executable, settings.host
    mlflow_options = ["--backend-store-uri", settings.tracking_uri, "--workers", "1", "--host", host]
    streamlit_options = ["--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.address", host]

    def service(name: str, setting: str, health_path: str, *command: str) -> Service:
        port = int(getattr(settings, setting))
        return Service(name, (python, *command), f"http://{_reachable(host)}:{port}", health_path, setting, port)

    mlflow = ("-m", "mlflow", "server", *mlflow_options, "--port", str(settings.mlflow_port))
    dashboard = ("-m", "streamlit", "run", str(_DASHBOARD), *streamlit_options)
    local = (service("MLflow", "mlflow_port", "/health", *mlflow),) if not settings.has_mlflow_server else ()
    return (
        *local,
        service("API", "api_port", "/api/v1/health", "-m", "hazecast.cli", "serve"),
        service(
            "Dashboard", "dashboard_port", "/_stcore/health", *dashboard, "--server.port", str(settings.dashboard_port)
        ),
    )


def require_free_ports(settings: Settings) -> None:
    """Raise before anything is started if a port is taken.

    Raises:
        SettingsError: names the service, the port and the setting that changes it.
    """
    for service in services(settings):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, service.port))
            except OSError as err:
                variable = variable_of(service.port_setting)
                raise SettingsError(
                    f"port {service.port} for {service.name} on {settings.host} is not free ({err.strerror}); stop "
                    f"what uses it or choose another port: {variable}={service.port + 1000}"
                ) from err


@contextmanager
def running(
    settings: Settings, environment: Mapping[str, str], logs: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All services, up and healthy inside the body, stopped after it whatever happens.

    Raises:
        SettingsError: a service did not start; names its log file.
    """
    logs.mkdir(parents=True, exist_ok=True)
    children: dict[str, subprocess.Popen[bytes]] = {}
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        for service in services(settings):
            children[service.name] = _start(service, environment, logs)
        for service in services(settings):
            _await_health(service, children[service.name], logs)
        yield children
    finally:
        _stop(children)
        signal.signal(signal.SIGTERM, previous)


def wait(children: Mapping[str, subprocess.Popen[bytes]], logs: Path) -> None:
    """Wait until somebody interrupts.

    Raises:
        SettingsError: a child died by itself; names its log file.
    """
    while True:
        for name, child in children.items():
            if child.poll() is not None:
                raise SettingsError(f"{name} stopped with code {child.returncode}; see {_log_of(name, logs)}")
        time.sleep(0.5)


def _start(service: Service, environment: Mapping[str, str], logs: Path) -> subprocess.Popen[bytes]:
    with _log_of(service.name, logs).open("wb") as log:
        # A session of its own: Ctrl-C reaches us alone, and we stop the child and all it started.
        return subprocess.Popen(
            service.command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
        )


def _await_health(service: Service, child: subprocess.Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if httpx.get(service.url + service.health_path, timeout=2, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    fate = f"did not come up within {START_SECONDS:.0f} s" if child.poll() is None else "stopped at once"
    raise SettingsError(f"{service.name} {fate}; see {_log_of(service.name, logs)}")


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


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host
