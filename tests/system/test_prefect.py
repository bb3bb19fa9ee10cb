"""A real Prefect server and worker: schedules, overdue runs, and recovery after a worker or server is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hazecast.air.tables import Forecasts, Runs
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store
from ports import free_port

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 30
BUSY = 503
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def eventually(condition: Callable[[], Any], *, seconds: float = 500, what: str = "") -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s: {what}")


class Process:
    """A child process in its own session that can be killed and restarted."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self._command, self._environment, self.log = command, environment, log

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True, cwd=ROOT
            )

    def kill(self) -> None:
        os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(30)


class Stack:
    """Prefect server, worker and client."""

    def __init__(self, home: Path, data: Path, ports: tuple[int, int]) -> None:
        server_port, worker_port = ports
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{server_port}/api", timeout=60, trust_env=False)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAZECAST_", "PREFECT_"))}
        self.environment = kept | {
            "HAZECAST_HOME": str(home),
            "HAZECAST_SOURCE": "files",
            "HAZECAST_DATA": str(data),
            "HAZECAST_WORKER_PORT": str(worker_port),
            "PREFECT_API_URL": f"http://127.0.0.1:{server_port}/api",
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
            "OMP_NUM_THREADS": "1",
            "HAZECAST_LIGHT_TRAINING": "true",
        }
        (home / "prefect").mkdir(parents=True)
        python = sys.executable
        server = (python, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(server_port))
        self.server = Process(server, self.environment, home / "server.log")
        worker = (python, str(ROOT / "flows" / "deployments.py"), "--work")
        self.worker = Process(worker, self.environment, home / "worker.log")
        self.worker_health = f"http://127.0.0.1:{worker_port}/health"
        self.store = Store(str(home / "tables" / data.name))

    def await_server(self) -> None:
        eventually(lambda: answers(str(self.api.base_url) + "health"), what="the Prefect server")

    def await_worker(self) -> None:
        eventually(lambda: answers(self.worker_health), what=self.worker.log.read_text()[-2000:])

    def request(self, method: str, path: str, **more: Any) -> Any:
        """Send a request; retried while the server's database is busy, as Prefect's client does."""
        answer = eventually(lambda: self._unless_busy(method, path, **more), what=f"an answer of {path}")
        return answer.raise_for_status().json()

    def _unless_busy(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        with suppress(httpx.TimeoutException):
            answer = self.api.request(method, path, **more)
            return None if answer.status_code == BUSY else answer
        return None

    def deployment(self, name: str) -> dict[str, Any]:
        return self.request("GET", f"/deployments/name/{name}")

    def create_run(self, name: str, *, due: datetime) -> str:
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}}
        run = {"state": state, "idempotency_key": uuid4().hex}
        return self.request("POST", f"/deployments/{self.deployment(name)['id']}/create_flow_run", json=run)["id"]

    def state(self, run_id: str) -> dict[str, Any]:
        return self.request("GET", f"/flow_runs/{run_id}")["state"]

    def await_running(self, run_id: str) -> None:
        eventually(lambda: self.state(run_id)["type"] != "SCHEDULED", what="the run to be taken")
        eventually(lambda: self.state(run_id)["type"] != "PENDING", what="the run to begin")
        assert self.state(run_id)["type"] == "RUNNING", self.state(run_id)

    def ended(self, run_id: str, *, seconds: float = 500) -> dict[str, Any]:
        eventually(lambda: self.state(run_id)["type"] in ENDED, seconds=seconds, what=f"the end of {run_id}")
        return self.state(run_id)

    def queue_depth(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "hazecast.cli", "queue-depth"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300, check=True)
        return json.loads(done.stdout)

    def trainings(self) -> int:
        return self.store.read(Runs).filter(step="train", outcome="ok").height


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "hamlet"
    folder.mkdir()
    source = SimulatedSource(n_stations=2, pollutants=["pm25"])
    source.fetch_stations().drop("source").write_csv(folder / "stations.csv")
    rows = source.fetch_observations(since=START, until=START + timedelta(days=DAYS))
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.write_parquet(folder / "observations.parquet")
    return folder


@pytest.fixture(scope="module")
def stack(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("home"), data, (free_port(), free_port()))
    running.server.start()
    # The worker waits for the server.
    running.worker.start()
    try:
        running.await_server()
        running.await_worker()
        yield running
    finally:
        running.api.close()
        for process in (running.worker, running.server):
            with suppress(ProcessLookupError):
                process.kill()


def test_deployments_have_their_schedules_and_queues(stack: Stack):
    expected = {
        "Training Pipeline/training": ("0 2 * * 0", "training"),
        "Prediction Pipeline/prediction": ("0 6 * * *", "forecasting"),
        "Monitoring Pipeline/monitoring": ("0 0,6,12,18 * * *", "forecasting"),
        "Full Pipeline/full": ("0 0 * * 6", "training"),
    }
    for name, (cron, queue) in expected.items():
        found = stack.deployment(name)
        schedule = found["schedules"][0]["schedule"]
        assert (schedule["cron"], schedule["timezone"], found["work_queue_name"]) == (cron, "UTC", queue)
    queues = stack.request("POST", "/work_pools/hazecast/queues/filter", json={})
    assert {queue["name"]: queue["concurrency_limit"] for queue in queues}["training"] == 1


def test_overdue_runs_are_caught_up_once(stack: Stack):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    overdue = [stack.create_run("Prediction Pipeline/prediction", due=yesterday - timedelta(days=n)) for n in (1, 0)]
    states = [stack.ended(run_id) for run_id in overdue]
    assert [state["type"] for state in states] == ["COMPLETED", "COMPLETED"]
    archive = stack.store.read(Forecasts)
    assert archive["issued_at"].n_unique() == 1
    assert archive.height == 2 * 72


def test_training_completes_when_worker_and_server_are_killed(stack: Stack):
    running = stack.create_run("Training Pipeline/training", due=datetime.now(UTC))
    stack.await_running(running)
    waiting = stack.create_run("Training Pipeline/training", due=datetime.now(UTC) - timedelta(seconds=30))
    stack.worker.kill()
    assert stack.state(waiting)["type"] == "SCHEDULED"
    depth = stack.queue_depth()
    assert (depth["pool"], depth["waiting"]) == ("hazecast", 1)
    assert depth["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Hazecast"
    # The flow runs in its own process, which continues when its worker is killed.
    assert stack.ended(running)["type"] == "COMPLETED"
    assert stack.trainings() == 1

    stack.worker.start()
    stack.await_running(waiting)
    stack.server.kill()
    time.sleep(3)
    stack.server.start()
    stack.await_server()
    assert stack.ended(waiting)["type"] == "COMPLETED"
    assert stack.trainings() == 2
    again = stack.create_run("Prediction Pipeline/prediction", due=datetime.now(UTC))
    assert stack.ended(again)["name"] == "AlreadyIssued"
