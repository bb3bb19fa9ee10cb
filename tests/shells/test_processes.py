"""The processes of `hazecast up`, with small real servers: one that is slow or fails does not stop the others."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hazecast.cli import processes
from hazecast.cli.processes import Processes, is_healthy, read_running, reserved_ports
from hazecast.cli.stack import Service
from hazecast.errors import SettingsError
from ports import free_port

# Responds to its health check after argv[2] seconds; a file argv[3] that does not exist is created, and it fails.
SERVER = """
import http.server, pathlib, sys, time
once = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
if once is not None and not once.exists():
    once.touch()
    sys.exit("RuntimeError: the disk of the database is full")
time.sleep(float(sys.argv[2]))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
print("ready", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def service(name: str, *arguments: str, after_seconds: float = 0.0, essential: bool = True) -> Service:
    port = free_port()
    command = (sys.executable, "-c", SERVER, str(port), str(after_seconds), *arguments)
    url = f"http://127.0.0.1:{port}"
    return Service(name, command, url, "/", "api_port", "127.0.0.1", port, essential=essential)


@contextmanager
def running(home: Path, *services: Service):
    """The services while a thread watches them, and the warnings so far."""
    warnings: list[str] = []
    environment = {"PREFECT_HOME": str(home / "prefect")}
    with reserved_ports(services) as ports:
        local = Processes(services, environment, home, ports, warn=warnings.append)
        with local.running():
            ended = threading.Event()

            def watch() -> None:
                while not ended.is_set():
                    local._look()
                    time.sleep(0.05)

            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                yield warnings
            finally:
                ended.set()
                watcher.join()


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 2.0)
    monkeypatch.setattr(processes, "RESTART_SECONDS", 0.5)


def test_a_service_that_fails_names_its_reason_starts_again_and_stops_no_other(tmp_path: Path):
    good, failing = service("API"), service("MLflow", str(tmp_path / "once"))
    with running(tmp_path, good, failing) as warnings:
        assert is_healthy(good)
        assert "MLflow stopped with code 1" in warnings[0]
        assert "the disk of the database is full" in warnings[0]
        assert str(tmp_path / "logs" / "mlflow.log") in warnings[0]
        assert within(10, lambda: is_healthy(failing))
    assert not is_healthy(good)
    # The reason of the first failure is still in the log of the second start.
    log = (tmp_path / "logs" / "mlflow.log").read_text()
    assert log.count("MLflow starts") == 2
    assert log.index("the disk of the database is full") < log.index("ready")


def test_a_slow_service_is_reported_goes_on_starting_and_delays_the_others_no_longer(tmp_path: Path):
    good, slow, last = service("API"), service("MLflow", after_seconds=4), service("Worker", essential=False)
    with running(tmp_path, good, slow, last) as warnings:
        assert "MLflow is not ready after 2 s and goes on starting: it logged nothing" in warnings[0]
        assert within(10, lambda: is_healthy(last))
        assert within(10, lambda: is_healthy(slow))
        assert within(10, lambda: "MLflow is ready" in warnings)


def test_a_killed_service_is_replaced(tmp_path: Path):
    api = service("API")
    with running(tmp_path, api) as warnings:
        assert within(10, lambda: is_healthy(api))
        first = read_running(tmp_path).services["API"]
        subprocess.run(["kill", "-9", str(first)], check=True)
        assert within(10, lambda: bool(warnings))
        assert "API stopped with code -9" in warnings[0]
        assert within(10, lambda: is_healthy(api))
        assert read_running(tmp_path).services["API"] != first
    assert read_running(tmp_path) is None


def test_the_state_of_a_killed_stack_is_not_taken_for_a_running_one(tmp_path: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "up.json").write_text(json.dumps({"pid": ended.pid, "services": {}}))
    assert read_running(tmp_path) is None
    (tmp_path / "up.json").write_text("{")
    assert read_running(tmp_path) is None


def test_ports_are_held_until_the_service_starts(tmp_path: Path):
    api = service("API")
    with reserved_ports([api]) as ports:
        with pytest.raises(SettingsError, match="HAZECAST_API_PORT"), reserved_ports([api]):
            pass
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind((api.host, api.port))
        local = Processes([api], {"PREFECT_HOME": str(tmp_path)}, tmp_path, ports, warn=print)
        with local.running():
            assert httpx.get(api.url, trust_env=False).status_code == 200
            with pytest.raises(OSError, match="in use"), socket.socket() as other:
                other.bind((api.host, api.port))


def test_large_logs_are_rotated_while_the_service_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "LOG_BYTES", 1_000)
    monkeypatch.setattr(processes, "HEALTH_SECONDS", 0.0)
    api = service("API")
    logs = tmp_path / "logs"
    logs.mkdir()
    for number, size in ((1, 10), (2, 20), (3, 30)):
        (logs / f"api.log.{number}").write_text("x" * size)
    (logs / "api.log").write_text("crash of yesterday\n" * 100)
    with running(tmp_path, api):
        assert "crash of yesterday" in (logs / "api.log.1").read_text()
        assert "ready" in (logs / "api.log").read_text()
        with (logs / "api.log").open("a") as log:
            log.write("y" * 2_000)
        assert within(10, lambda: (logs / "api.log").stat().st_size < 1_000)
    assert "ready" in (logs / "api.log.1").read_text()
    assert len(list(logs.glob("api.log*"))) == 4
