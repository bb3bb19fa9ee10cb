"""The stack for real: built, started, used, killed piece by piece, saved and put back. `make engine-test`."""

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import pytest
from disks import SmallDisk
from stack import (
    API,
    DOCKERFILES,
    OURS,
    PREFECT,
    ROOT,
    api,
    ask,
    compose,
    inside,
    is_idle,
    kill,
    load,
    make_secrets,
    post,
    start_run,
    state_of,
    states,
    until,
)

from hazecast.features.signature import input_signature

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("HAZECAST_ENGINE_TEST" not in os.environ, reason="needs a container engine: make engine-test"),
]

PUBLISHED = {
    "api": "http://127.0.0.1:8000/api/v1/health",
    "dashboard": "http://127.0.0.1:8501/_stcore/health",
    "mlflow": "http://127.0.0.1:5000/health",
    "prefect": "http://127.0.0.1:4200/api/health",
}
HIDDEN = (5432, 9000, 8080, 9090, 9093, 9102, 9115)
DASHBOARDS = sorted((ROOT / "infrastructure/grafana/dashboards").glob("*.json"))
# These have rows when something is wrong, and none in a healthy stack.
EMPTY_WHEN_WELL = {"API: errors", "Firing alerts", "Verdicts and incidents"}
# These have rows when forecasts have met what came, days after the first.
EMPTY_WHEN_NEW = {"Skill by pollutant", "Skill by lead time", "Coverage of the 80 % interval"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_the_same_files_make_the_same_image(tmp_path: Path, dockerfile: Path):
    made = []
    for number in range(2):
        # As a second checkout would have it: other times, other rights.
        copy = tmp_path / str(number)
        shutil.copytree(
            ROOT, copy, copy_function=shutil.copy, ignore=shutil.ignore_patterns(".git", ".venv", "secrets")
        )
        arguments = ["--build-arg=SOURCE_DATE_EPOCH=1700000000", "--no-cache", "--quiet"]
        command = ["docker", "build", *arguments, "--file", copy / dockerfile.relative_to(ROOT), copy]
        made.append(subprocess.run(command, capture_output=True, text=True, check=True, timeout=1200).stdout)
        shutil.rmtree(copy)
    assert made[0] == made[1]


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


def test_services_have_no_capabilities_and_are_held_to_their_limits(stack: list[str]):
    described = json.loads(compose("config", "--format", "json"))["services"]
    for container in inspected():
        name, host = container["Config"]["Labels"]["com.docker.compose.service"], container["HostConfig"]
        limits = described[name]["deploy"]["resources"]["limits"]
        assert host["NanoCpus"] == float(limits["cpus"]) * 1e9, name
        assert host["Memory"] == int(limits["memory"]), name
        status = Path(f"/proc/{container['State']['Pid']}/status").read_text()
        assert "CapEff:\t0000000000000000\n" in status, name
        assert "NoNewPrivs:\t1\n" in status, name


def inspected() -> list[dict[str, Any]]:
    """What the engine says of every running container."""
    containers = compose("ps", "--quiet").split()
    asked = subprocess.run(["docker", "inspect", *containers], capture_output=True, text=True, check=True)
    return list(json.loads(asked.stdout))


def test_no_secret_shows_from_outside(stack: list[str]):
    seen = json.dumps(inspected())
    for path in (ROOT / "secrets").iterdir():
        assert path.name == "alertmanager" or path.read_text() not in seen, path.name


def test_the_first_forecast_comes_by_itself(stack: list[str]):
    took = until(lambda: ask(f"{API}/ready")[0] == 200, seconds=1800, what="first forecast")
    print(f"first forecast {took:.0f} s after all were healthy and looked at")
    stations = api("stations")["stations"]
    forecast = api(f"stations/{quote(stations[0]['station_id'], safe='')}/forecast")
    assert len(forecast["hours"]) == 72


def test_a_model_was_registered_through_mlflow(stack: list[str]):
    status, body = ask("http://127.0.0.1:5000/api/2.0/mlflow/registered-models/search")
    assert status == 200
    assert [model["name"] for model in json.loads(body)["registered_models"]] == ["hazecast-simulated"]


def test_prometheus_reads_everything_and_understands_every_rule(stack: list[str]):
    def all_up() -> bool:
        targets = inside("http://prometheus:9090/api/v1/targets")["data"]["activeTargets"]
        return len(targets) >= 12 and {target["health"] for target in targets} == {"up"}

    until(all_up, seconds=180, what="every target is read")
    groups = inside("http://prometheus:9090/api/v1/rules")["data"]["groups"]
    rules = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert len(rules) >= 13
    assert set(rules.values()) <= {"ok", "unknown"}, rules


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_ask_for_what_is_there(stack: list[str], path: Path):
    for panel in json.loads(path.read_text())["panels"]:
        for expression in (target["expr"].replace("$place", ".+") for target in panel["targets"]):
            address = f"http://prometheus:9090/api/v1/query?query={quote(expression)}"
            if panel["title"] in EMPTY_WHEN_WELL | EMPTY_WHEN_NEW:
                inside(address)  # it is understood; no answer is a good one
                continue
            # What happened just now is read at the next scrape.
            until(lambda asked=address: inside(asked)["data"]["result"] != [], seconds=120, what=panel["title"])


def test_rules_pass_their_tests_in_the_version_that_runs(stack: list[str]):
    for path in sorted((ROOT / "infrastructure/prometheus/tests").glob("*.yml")):
        rules = f"/etc/prometheus/tests/{path.name}"
        # promtool writes where TMPDIR is; the volume is the one place there that can be written.
        compose("exec", "-T", "--env", "TMPDIR=/prometheus", "prometheus", "promtool", "test", "rules", rules)


def test_operators_are_told_what_is_down_and_when_it_is_back(stack: list[str]):
    told: list[Any] = []
    with listening(told) as port:
        make_secrets(ALERT_WEBHOOK=f"http://{address_of_this_machine()}:{port}/")
        compose("up", "--detach", "--wait", "--force-recreate", "alertmanager")
        try:
            compose("stop", "dashboard")
            took = until(lambda: "firing" in said(told, "ServiceDown"), seconds=420, what="ServiceDown is delivered")
            compose("start", "dashboard")
            until(lambda: "resolved" in said(told, "ServiceDown"), seconds=600, what="its end is delivered")
        finally:
            (ROOT / "secrets/alertmanager").unlink()
            make_secrets()
            compose("up", "--detach", "--wait", "--force-recreate", "alertmanager", "dashboard")
    print(f"delivered {took:.0f} s after the dashboard had been stopped")
    assert {alert["labels"]["service"] for alert in told if alert["labels"]["alertname"] == "ServiceDown"} == {
        "dashboard"
    }


def address_of_this_machine() -> str:
    """As containers see it."""
    asked = ["docker", "network", "inspect", "hazecast_outside", "--format", "{{(index .IPAM.Config 0).Gateway}}"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def said(told: list[Any], name: str) -> set[str]:
    """In which states the alert was told."""
    return {alert["status"] for alert in told if alert["labels"]["alertname"] == name}


@contextmanager
def listening(told: list[Any]) -> Iterator[int]:
    """A webhook that adds every alert it gets to `told`; its port."""

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("0.0.0.0", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("name", ["mlflow", "prefect", "s3", "postgres", "worker", "dashboard", "api"])
def test_what_is_killed_under_load_comes_back_and_forecasts_stay(stack: list[str], name: str):
    station = quote(api("stations")["stations"][0]["station_id"], safe="")
    with load(f"{API}/stations/{station}/forecast") as asked:
        kill(name)
        until(lambda: states().get(name) != "healthy", seconds=30, what=f"{name} is seen to be away")
        away = until(lambda: states().get(name) == "healthy", seconds=300, what=f"{name} is back")
    print(f"{name}: back in {away:.0f} s; {asked}")
    assert name == "api" or not asked.unanswered
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


def test_a_first_run_that_failed_is_tried_again(stack: list[str]):
    first = {"flow_runs": {"tags": {"all_": [f"first-run-simulated-{input_signature()}"]}}, "sort": "START_TIME_DESC"}
    runs = post(f"{PREFECT}/flow_runs/filter", first)
    compose("restart", "worker")
    until(lambda: states().get("worker") == "healthy", seconds=300, what="the worker is back")
    assert len(post(f"{PREFECT}/flow_runs/filter", first)) == len(runs)
    failed = {"state": {"type": "FAILED"}, "force": True}
    post(f"{PREFECT}/flow_runs/{runs[0]['id']}/set_state", failed)
    compose("restart", "worker")
    until(lambda: len(post(f"{PREFECT}/flow_runs/filter", first)) > len(runs), seconds=300, what="another first run")
    until(is_idle, seconds=1200, what="it ends")


def test_a_backup_survives_the_loss_of_every_volume(stack: list[str], disks: dict[str, SmallDisk], tmp_path: Path):
    script, folder = "infrastructure/containers/backup.sh", tmp_path / "saved"
    before = stored()
    subprocess.run(["bash", script, "save", folder], cwd=ROOT, check=True, timeout=600)
    began = monotonic()
    compose("down", "--volumes", "--timeout", "20")
    for disk in disks.values():
        disk.format()
    compose("up", "--detach", "--wait", "postgres", "s3")
    compose("create", *stack)
    subprocess.run(["bash", script, "load", folder], cwd=ROOT, check=True, timeout=900)
    until(lambda: ask(f"{API}/ready")[0] == 200, seconds=600, what="ready after restore")
    print(f"{before} back {monotonic() - began:.0f} s after the volumes were destroyed")
    assert stored() == before
    compose("up", "--detach", "--wait", *stack)


def stored() -> object:
    """What must not be lost: versions of the tables and of the models."""
    tables = {entry["table"]: entry["version"] for entry in api("status")["tables"]}
    models = json.loads(ask("http://127.0.0.1:5000/api/2.0/mlflow/model-versions/search")[1])["model_versions"]
    return tables["forecasts"], sorted(model["version"] for model in models)
