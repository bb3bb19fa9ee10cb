"""The stack for real: built, started, used, killed piece by piece, saved and put back. `make engine-test`."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from urllib.parse import quote

import pytest
from stack import API, ROOT, api, ask, compose, is_idle, kill, load, services, start_run, state_of, states, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("HAZECAST_ENGINE_TEST" not in os.environ, reason="needs a container engine: make engine-test"),
]

OURS = ("api", "dashboard", "worker", "prefect", "mlflow", "s3")
PUBLISHED = {
    "api": "http://127.0.0.1:8000/api/v1/health",
    "dashboard": "http://127.0.0.1:8501/_stcore/health",
    "mlflow": "http://127.0.0.1:5000/health",
    "prefect": "http://127.0.0.1:4200/api/health",
}
HIDDEN = (5432, 9000, 8080, 9090, 9093, 9102, 9115)


@pytest.fixture(scope="module")
def stack() -> Iterator[list[str]]:
    """All services up and healthy, from new volumes; nothing is left afterwards."""
    subprocess.run(["bash", "infrastructure/containers/secrets.sh"], cwd=ROOT, check=True)
    compose("build", seconds=3000)
    compose("down", "--volumes")
    names = services()
    compose("up", "--detach", "--wait", "--wait-timeout", "900", *names, seconds=1000)
    yield names
    compose("down", "--volumes", "--timeout", "20")


def test_everything_is_healthy(stack: list[str]):
    running = set(stack) - {"buckets"}
    until(
        lambda: {name for name, state in states().items() if state in ("healthy", "running")} == running,
        seconds=120,
        what="health",
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_ports_answer(stack: list[str], name: str):
    assert ask(PUBLISHED[name])[0] == 200


def test_other_ports_do_not(stack: list[str]):
    for port in HIDDEN:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex(("127.0.0.1", port)) != 0, port


@pytest.mark.parametrize("name", OURS)
def test_services_run_as_nobody_on_a_read_only_disk(stack: list[str], name: str):
    script = "import os; print(os.getuid(), os.access('/opt', os.W_OK), os.statvfs('/').f_flag & os.ST_RDONLY)"
    assert compose("exec", "-T", name, "python", "-c", script).split() == ["10001", "False", "1"]


def test_no_secret_shows_from_outside(stack: list[str]):
    containers = compose("ps", "--quiet").split()
    seen = subprocess.run(["docker", "inspect", *containers], capture_output=True, text=True, check=True).stdout
    for path in (ROOT / "secrets").iterdir():
        assert path.name == "alertmanager" or path.read_text() not in seen, path.name


def test_the_first_forecast_comes_by_itself(stack: list[str]):
    until(lambda: ask("http://127.0.0.1:8000/api/v1/ready")[0] == 200, seconds=1800, what="first forecast")
    stations = api("stations")["stations"]
    forecast = api(f"stations/{quote(stations[0]['station_id'], safe='')}/forecast")
    assert len(forecast["hours"]) == 72


def test_a_model_was_registered_through_mlflow(stack: list[str]):
    status, body = ask("http://127.0.0.1:5000/api/2.0/mlflow/registered-models/search")
    assert status == 200
    assert [model["name"] for model in json.loads(body)["registered_models"]] == ["hazecast-simulated"]


@pytest.mark.parametrize("name", ["mlflow", "prefect", "s3", "postgres", "worker", "dashboard", "api"])
def test_what_is_killed_under_load_comes_back_and_forecasts_stay(stack: list[str], name: str):
    station = quote(api("stations")["stations"][0]["station_id"], safe="")
    with load(f"{API}/stations/{station}/forecast") as statuses:
        kill(name)
        until(lambda: states().get(name) != "healthy", seconds=30, what=f"{name} is seen to be away")
        away = until(lambda: states().get(name) == "healthy", seconds=300, what=f"{name} is back")
    unanswered = len(statuses) - statuses.count(200)
    print(f"{name}: back in {away:.0f} s; {len(statuses)} forecasts asked for, {unanswered} not answered")
    assert name == "api" or unanswered == 0
    until(lambda: ask(f"{API}/ready")[0] == 200, seconds=60, what="ready")


def test_a_run_survives_its_worker(stack: list[str]):
    until(is_idle, seconds=1200, what="the runs that were hit above end")
    run = start_run("Training%20Pipeline/training")
    until(lambda: state_of(run) == "RUNNING", seconds=120, what="the training runs")
    sleep(15)
    kill("worker")
    until(lambda: "goes on: training" in compose("logs", "worker"), seconds=180, what="the new worker takes it up")
    took = until(lambda: state_of(run) == "COMPLETED", seconds=900, what="the training ends")
    print(f"completed {took:.0f} s after it was taken up")


def test_a_backup_survives_the_loss_of_every_volume(stack: list[str], tmp_path: Path):
    script, folder = "infrastructure/containers/backup.sh", tmp_path / "saved"
    before = _stored()
    subprocess.run(["bash", script, "save", folder], cwd=ROOT, check=True, timeout=600)
    compose("down", "--volumes", "--timeout", "20")
    compose("up", "--detach", "--wait", "postgres", "s3")
    compose("create", *stack)
    subprocess.run(["bash", script, "load", folder], cwd=ROOT, check=True, timeout=900)
    until(lambda: ask("http://127.0.0.1:8000/api/v1/ready")[0] == 200, seconds=600, what="ready after restore")
    assert _stored() == before


def _stored() -> object:
    """What must not be lost: versions of the tables and of the models."""
    tables = {entry["table"]: entry["version"] for entry in api("status")["tables"]}
    models = json.loads(ask("http://127.0.0.1:5000/api/2.0/mlflow/model-versions/search")[1])["model_versions"]
    return tables["forecasts"], sorted(model["version"] for model in models)
