"""MLflow and Prefect migrate the databases of their previous minor release without loss."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from stack import compose, get, make_secrets, post

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("HAZECAST_ENGINE_TEST" not in os.environ, reason="needs a container engine: make engine-test"),
]

# The minor releases before those in our images; update them together with `make requirements`.
BEFORE = {"mlflow": "mlflow==3.16.1 mlflow-skinny==3.16.1 mlflow-tracing==3.16.1", "prefect": "prefect==3.7.8"}
MLFLOW = "http://127.0.0.1:5000/api/2.0/mlflow"
PREFECT = "http://127.0.0.1:4200/api"


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both servers in their previous release, on new volumes."""
    monkeypatch.setenv("COMPOSE_FILE", "docker-compose.yml")
    compose("down", "--volumes")
    compose("build", "mlflow", "secrets", seconds=3000)
    make_secrets()
    for name, packages in BEFORE.items():
        _build_before(name, packages)
    override = tmp_path / "before.yml"
    override.write_text(yaml.safe_dump({"services": {name: {"image": f"hazecast-{name}:before"} for name in BEFORE}}))
    with monkeypatch.context() as patch:
        patch.setenv("COMPOSE_FILE", os.pathsep.join(["docker-compose.yml", str(override)]))
        _start()
    yield
    compose("down", "--volumes", "--timeout", "20")


def _build_before(name: str, packages: str) -> None:
    """The current image with the previous release of the program."""
    dockerfile = (
        f"FROM hazecast-{name}:dev\nUSER root\n"
        f"RUN pip --python /opt/venv/bin/python install --quiet --no-cache-dir --no-deps {packages}\n"
        "USER 10001:10001\n"
    )
    built = ["docker", "build", "--quiet", "--tag", f"hazecast-{name}:before", "-"]
    subprocess.run(built, input=dockerfile, text=True, check=True, timeout=900)


def test_databases_of_the_previous_release_are_migrated(older: None):
    trained, flown = _record_in_mlflow(), _record_in_prefect()
    before = {name: _schema(name) for name in BEFORE}
    _start()
    after = {name: _schema(name) for name in BEFORE}
    print(f"schemas: {before} became {after}")
    assert all(after[name] != before[name] for name in BEFORE)

    found = json.loads(get(f"{MLFLOW}/runs/get?run_id={trained}")[1])["run"]["data"]
    assert found["metrics"][0]["value"] == 7.5
    assert found["params"] == [{"key": "rounds", "value": "300"}]
    champion = json.loads(get(f"{MLFLOW}/registered-models/alias?name=town&alias=champion")[1])["model_version"]
    assert champion["run_id"] == trained
    assert json.loads(get(f"{PREFECT}/flow_runs/{flown}")[1])["state"]["type"] == "COMPLETED"
    # New records can be added.
    assert _record_in_mlflow(model="city") != trained
    assert _record_in_prefect() != flown


def _start() -> None:
    compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "600", "postgres", *BEFORE, seconds=700)


def _schema(database: str) -> str:
    """Schema version; both programs use Alembic."""
    query = "select version_num from alembic_version"
    return compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", database, "-Atc", query).strip()


def _record_in_mlflow(model: str = "town") -> str:
    """Record a run with a metric and a parameter, and a champion version of `model`; returns the run's id."""
    experiment = post(f"{MLFLOW}/experiments/create", {"name": f"training-{model}"})["experiment_id"]
    created = post(f"{MLFLOW}/runs/create", {"experiment_id": experiment, "start_time": 1})
    run = str(created["run"]["info"]["run_id"])
    post(f"{MLFLOW}/runs/log-metric", {"run_id": run, "key": "mae", "value": 7.5, "timestamp": 1})
    post(f"{MLFLOW}/runs/log-parameter", {"run_id": run, "key": "rounds", "value": "300"})
    post(f"{MLFLOW}/registered-models/create", {"name": model})
    source = f"mlflow-artifacts:/{experiment}/{run}/artifacts/model"
    post(f"{MLFLOW}/model-versions/create", {"name": model, "source": source, "run_id": run})
    post(f"{MLFLOW}/registered-models/alias", {"name": model, "alias": "champion", "version": "1"})
    return run


def _record_in_prefect() -> str:
    """Record a completed flow run; returns its id."""
    flow: dict[str, Any] = post(f"{PREFECT}/flows/", {"name": "training"})
    run = str(post(f"{PREFECT}/flow_runs/", {"flow_id": flow["id"], "state": {"type": "PENDING"}})["id"])
    post(f"{PREFECT}/flow_runs/{run}/set_state", {"state": {"type": "COMPLETED"}, "force": True})
    return run
