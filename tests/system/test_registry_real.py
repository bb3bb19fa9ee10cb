"""The registry on real servers: MLflow on PostgreSQL with artifacts in S3, killed and restarted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest

from hazecast.errors import RegistryError
from hazecast.models.climatology import Climatology
from hazecast.registry import Registry, Training
from hazecast.registry import registry as registry_module
from hazecast.registry.runs import log_model

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LOGIN = ("hazecast", "a password")


class MlflowServer:
    """An MLflow server that can be killed and restarted on the same storage."""

    def __init__(self, port: int, database: str, s3: tuple[str, dict[str, str]], log: Path) -> None:
        self.address, self._log = f"http://127.0.0.1:{port}", log
        bucket, options = s3
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")},
            **{name: value for name, value in options.items() if name.startswith("AWS_")},
            "MLFLOW_ARTIFACTS_DESTINATION": bucket,
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_TRACKING_PASSWORD": LOGIN[1],
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self._command = (sys.executable, "-m", "hazecast.servers", "mlflow", "--port", str(port))

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            try:
                if httpx.get(self.address + "/health", timeout=2, trust_env=False).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.3)
        raise AssertionError(self._log.read_text()[-2000:])

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL server; yields its address for SQLAlchemy."""
    pgserver = pytest.importorskip("pgserver", reason="no PostgreSQL in a wheel for this Python", exc_type=ImportError)
    server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    with postgresql(tmp_path / "postgresql") as address:
        yield address


@pytest.fixture
def server(
    database: str, s3_bucket: tuple[str, dict[str, str]], unused_port: int, tmp_path: Path
) -> Iterator[MlflowServer]:
    running = MlflowServer(unused_port, database, s3_bucket, tmp_path / "mlflow.log")
    running.start()
    yield running
    running.kill()


def training() -> Training:
    notes = {"judged": "better"}
    return Training(parameters={"seed": 1}, metrics={"mae": 1.0}, forecaster=Climatology(NOW), notes=notes)


def test_models_persist_when_the_server_is_killed(
    server: MlflowServer, database: str, s3_bucket: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
):
    registry = Registry(server.address, place="town", login=LOGIN)
    assert registry.record(training()) == "1"
    registry.promote("1", reason="first", by="test", at=NOW)
    assert rows_in_postgresql(database) == 1
    assert objects_in_s3(*s3_bucket) > 5

    server.kill()
    with monkeypatch.context() as impatient:
        impatient.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(RegistryError):
            registry.champion()
        with pytest.raises(RegistryError):
            registry.record(training())

    server.start()
    assert registry.champion() == (Climatology(NOW), "1")
    assert [version.version for version in registry.versions()] == ["1"]
    assert registry.record(training()) == "2"
    registry.promote("2", reason="second", by="test", at=NOW)
    assert registry.rollback(reason="back", by="test", at=NOW) == "1"
    assert [change.action for change in registry.history()] == ["promote", "promote", "rollback"]


def test_registration_is_atomic_when_the_server_is_killed(server: MlflowServer, monkeypatch: pytest.MonkeyPatch):
    registry = Registry(server.address, place="town", login=LOGIN)
    registry.record(training())
    registry.promote("1", reason="first", by="test", at=NOW)

    with monkeypatch.context() as dying:
        dying.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        dying.setattr(registry_module, "log_model", and_then(log_model, server.kill))
        with pytest.raises(RegistryError, match=server.address):
            registry.record(training())
    server.start()
    assert [version.version for version in registry.versions()] == ["1"]
    assert registry.champion_version() == "1"

    with monkeypatch.context() as restarting:
        restarting.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
        restarting.setattr(registry_module, "log_model", and_then(log_model, lambda: restart(server)))
        assert registry.record(training()) == "2"

    with monkeypatch.context() as dying:
        client = registry._client
        dying.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        dying.setattr(client, "set_registered_model_tag", and_then(client.set_registered_model_tag, server.kill))
        with pytest.raises(RegistryError):
            registry.promote("2", reason="noted, and never made", by="test", at=NOW)
    server.start()
    assert registry.champion_version() == "1"
    assert [change.version for change in registry.history()] == ["1"]
    registry.promote("2", reason="made", by="test", at=NOW)
    assert registry.rollback(reason="back", by="test", at=NOW) == "1"


def and_then(action: Callable[..., Any], fault: Callable[[], object]) -> Callable[..., Any]:
    """Run `action`, then inject `fault`."""

    def both(*given: Any, **named: Any) -> Any:
        outcome = action(*given, **named)
        fault()
        return outcome

    return both


def restart(server: MlflowServer) -> None:
    server.kill()
    Thread(target=server.start).start()


def rows_in_postgresql(database: str) -> int:
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        found = connection.execute("select count(*) from model_versions").fetchone()
    assert found is not None
    return int(found[0])


def objects_in_s3(bucket: str, options: dict[str, str]) -> int:
    name = bucket.removeprefix("s3://").split("/")[0]
    listed = httpx.get(f"{options['AWS_ENDPOINT_URL']}/{name}?list-type=2", timeout=10, trust_env=False)
    return listed.text.count("<Key>")
