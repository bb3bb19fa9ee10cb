"""`hazecast up` as a real process: one command to a served forecast, and Ctrl-C stops all child processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from hazecast.sources.simulated import SimulatedSource
from ports import free_port

pytestmark = pytest.mark.system

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 40
BUSY = 503
PORTS = ("API", "DASHBOARD", "MLFLOW", "PREFECT", "WORKER")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "hamlet"
    folder.mkdir()
    source = SimulatedSource(n_stations=1)
    source.fetch_stations().drop("source").write_csv(folder / "stations.csv")
    rows = source.fetch_observations(since=START, until=START + timedelta(days=DAYS))
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.select("station_id", "observed_at", "pm25").write_csv(folder / "observations.csv")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    ports = {f"HAZECAST_{name}_PORT": str(free_port()) for name in PORTS}
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HAZECAST_", "MLFLOW_", "PREFECT_"))
    }
    return kept | ports | {"HAZECAST_HOME": str(tmp_path_factory.mktemp("home")), "COLUMNS": "120"}


@contextmanager
def up(dataset: Path, environment: dict[str, str], log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "hazecast.cli", "up", "--data", str(dataset), *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        deadline = time.monotonic() + 240
        while b"Ctrl-C" not in log.read_bytes() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def answers(environment: dict[str, str], name: str, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{environment[f'HAZECAST_{name}_PORT']}{path}", timeout=10, trust_env=False)


def test_one_command_to_a_served_forecast(dataset: Path, environment: dict[str, str], tmp_path: Path):
    log = tmp_path / "up.log"
    with up(dataset, environment, log) as process:
        assert process.poll() is None, log.read_text()
        output = log.read_text()
        assert "REPLAYED CLOCK" in output
        for name, path in (("MLFLOW", "/health"), ("API", "/api/v1/health"), ("DASHBOARD", "/_stcore/health")):
            assert answers(environment, name, path).status_code == 200
        assert answers(environment, "API", "/api/v1/ready").status_code == 200
        station = answers(environment, "API", "/api/v1/stations").json()["stations"][0]["station_id"]
        forecast = answers(environment, "API", f"/api/v1/stations/{station}/forecast?pollutant=pm25").json()
        assert len(forecast["hours"]) == 72
        assert forecast["issued_at"] == "2024-02-09T23:00:00Z"  # by the first model
        assert forecast["source"] == "files"
        assert not forecast["simulated"]
        assert await_answer(environment, "WORKER", "/health")
        require_passwords(environment, output)
        examined = command(dataset, environment, "doctor")
        assert examined.returncode == 0, examined.stdout
        assert examined.stdout.count("is healthy, of the stack of process") == len(PORTS)
        second = command(dataset, environment, "up")
        assert second.returncode == 1
        assert f"is running already in process {process.pid}" in second.stderr
        deployments = post(environment, "/api/deployments/filter")
        assert {found["name"] for found in deployments} == {"training", "prediction", "monitoring", "full", "upkeep"}
        run = f"http://127.0.0.1:{environment['HAZECAST_PREFECT_PORT']}/api/deployments/{deployments[0]['id']}/create_flow_run"
        assert httpx.post(run, json={"job_variables": {"command": "id"}}, trust_env=False).status_code == 401
        assert await_issue(environment, "2024-02-10T00:00:00Z")  # after the full training
        assert answers(environment, "API", "/api/v1/status").json()["training"] is None
    assert process.returncode == 0, log.read_text()
    for name in PORTS:
        with pytest.raises(httpx.TransportError):
            answers(environment, name, "/")


def require_passwords(environment: dict[str, str], output: str) -> None:
    """MLflow and Prefect open with the passwords in the files that `up` names, and print or log neither."""
    home = Path(environment["HAZECAST_HOME"])
    assert answers(environment, "MLFLOW", "/").status_code == 401
    assert answers(environment, "PREFECT", "/api/flows/filter").status_code == 401
    password = (home / "secrets" / "mlflow").read_text().strip()
    address = f"http://127.0.0.1:{environment['HAZECAST_MLFLOW_PORT']}/"
    assert httpx.get(address, auth=("hazecast", password), timeout=10, trust_env=False).status_code == 200
    logs = output + "".join(log.read_text() for log in (home / "logs").glob("*.log"))
    for name in ("mlflow", "prefect"):
        path = home / "secrets" / name
        assert path.stat().st_mode & 0o777 == 0o600
        assert str(path) in output
        assert path.read_text().strip().removeprefix("hazecast:") not in logs


def await_issue(environment: dict[str, str], issued_at: str) -> bool:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if answers(environment, "API", "/api/v1/status").json()["newest_issued_at"] == issued_at:
            return True
        time.sleep(1)
    return False


def await_answer(environment: dict[str, str], name: str, path: str) -> bool:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            if answers(environment, name, path).is_success:
                return True
        except httpx.TransportError:
            time.sleep(0.5)
    return False


def post(environment: dict[str, str], path: str, content: object = None) -> list[dict[str, object]]:
    """POST to the Prefect server; retried while its database is busy, as Prefect's client does."""
    address = f"http://127.0.0.1:{environment['HAZECAST_PREFECT_PORT']}{path}"
    deadline = time.monotonic() + 120
    while True:
        login = (Path(environment["HAZECAST_HOME"]) / "secrets" / "prefect").read_text().strip().split(":")
        answer = httpx.post(address, json=content or {}, auth=tuple(login), timeout=30, trust_env=False)
        if answer.status_code != BUSY or time.monotonic() > deadline:
            return answer.raise_for_status().json()
        time.sleep(0.5)


def started_for(home: str) -> list[str]:
    """Command lines of all running processes with this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"HAZECAST_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except (OSError, ProcessLookupError):
            continue
    return found


def test_killing_it_ends_all_processes_and_runs(dataset: Path, environment: dict[str, str], tmp_path: Path):
    home = environment["HAZECAST_HOME"]
    with up(dataset, environment, tmp_path / "up.log") as process:
        assert await_answer(environment, "WORKER", "/health")
        deployments = post(environment, "/api/deployments/filter")
        training = next(found["id"] for found in deployments if found["name"] == "training")
        post(environment, f"/api/deployments/{training}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        deadline = time.monotonic() + 120
        while not any("prefect.engine" in command for command in started_for(home)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert len(started_for(home)) > 6
        process.kill()
        deadline = time.monotonic() + 20
        while started_for(home) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert started_for(home) == []


def test_no_prefect_starts_no_server(dataset: Path, environment: dict[str, str], tmp_path: Path):
    with up(dataset, environment, tmp_path / "up.log", "--no-prefect") as process:
        assert process.poll() is None
        commands = [command.replace("--no-prefect", "") for command in started_for(environment["HAZECAST_HOME"])]
        assert len(commands) > 1
        assert not any("prefect" in command for command in commands)
        assert answers(environment, "API", "/api/v1/ready").status_code == 200


def test_second_start_reuses_stored_data(dataset: Path, environment: dict[str, str], tmp_path: Path):
    log = tmp_path / "up.log"
    with up(dataset, environment, log) as process:
        assert process.poll() is None, log.read_text()
        assert "is stored already" in log.read_text()
        assert "train" not in log.read_text()


def test_port_in_use_is_reported_with_its_setting(dataset: Path, environment: dict[str, str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["HAZECAST_API_PORT"])))
        taken.listen()
        done, examined = command(dataset, environment, "up"), command(dataset, environment, "doctor")
    assert done.returncode == 1
    assert "HAZECAST_API_PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert examined.returncode == 1
    assert "It is not of this home" in examined.stdout


def command(dataset: Path, environment: dict[str, str], name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hazecast.cli", name, "--data", str(dataset)],
        env=environment | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=120,
    )
