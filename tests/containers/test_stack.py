"""The running stack: build, start, use, kill each service, back up and restore. `make engine-test`."""

import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
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
    compose,
    get,
    inside,
    is_idle,
    kill,
    load,
    login,
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
HIDDEN = (5432, 8080, 9090, 9093, 9102, 9115)
DASHBOARDS = sorted((ROOT / "infrastructure/grafana/dashboards").glob("*.json"))
# Panels without data in a healthy stack.
EMPTY_WHEN_WELL = {"API: errors", "Firing alerts", "Verdicts and incidents"}
# Panels without data until forecasts have been verified, days after the first.
EMPTY_WHEN_NEW = {"Skill by pollutant", "Skill by lead time", "Coverage of the 80 % interval"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_builds_are_reproducible(tmp_path: Path, dockerfile: Path):
    made = []
    for number in range(2):
        # As in a second checkout: other times, other modes.
        copy = tmp_path / str(number)
        shutil.copytree(
            ROOT, copy, copy_function=shutil.copy, ignore=shutil.ignore_patterns(".git", ".venv", "secrets")
        )
        arguments = ["--build-arg=SOURCE_DATE_EPOCH=1700000000", "--no-cache", "--quiet"]
        command = ["docker", "build", *arguments, "--file", copy / dockerfile.relative_to(ROOT), copy]
        made.append(subprocess.run(command, capture_output=True, text=True, check=True, timeout=1200).stdout)
        shutil.rmtree(copy)
    assert made[0] == made[1]


def test_all_services_are_healthy(stack: list[str]):
    running = set(stack)
    until(
        lambda: {name for name, state in states().items() if state in ("healthy", "running")} == running,
        seconds=120,
        what="health",
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_ports_respond(stack: list[str], name: str):
    assert get(PUBLISHED[name])[0] == 200


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000/api/2.0/mlflow/experiments/search", f"{PREFECT}/flows/filter"])
def test_mlflow_and_prefect_require_their_password(stack: list[str], url: str):
    body = {"max_results": 1} if ":5000" in url else {}
    assert post(url, body) is not None
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)
    foreign = {"Origin": "https://evil.example", **login(url), "Content-Type": "application/json"}
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(body).encode(), headers=foreign), timeout=10)


def test_each_service_reads_its_own_secrets_only(stack: list[str]):
    script = "import os; print(*sorted(os.listdir('/run/secrets')))"
    assert compose("exec", "-T", "dashboard", "python", "-c", script).split() == []
    assert compose("exec", "-T", "api", "python", "-c", script).split() == ["MLFLOW_TRACKING_PASSWORD"]
    assert compose("exec", "-T", "worker", "python", "-c", script).split() == [
        "MLFLOW_TRACKING_PASSWORD",
        "PREFECT_API_AUTH_STRING",
    ]


def test_other_ports_are_closed(stack: list[str]):
    for port in HIDDEN:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex(("127.0.0.1", port)) != 0, port


@pytest.mark.parametrize("name", OURS)
def test_services_are_unprivileged_on_a_read_only_disk(stack: list[str], name: str):
    script = "import os; print(os.getuid(), os.access('/opt', os.W_OK), os.statvfs('/').f_flag & os.ST_RDONLY)"
    assert compose("exec", "-T", name, "python", "-c", script).split() == ["10001", "False", "1"]


def test_services_have_no_capabilities_and_their_limits(stack: list[str]):
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
    """`docker inspect` of every running container."""
    containers = compose("ps", "--quiet").split()
    done = subprocess.run(["docker", "inspect", *containers], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def test_inspect_shows_no_secret(stack: list[str]):
    seen = json.dumps(inspected())
    for path in (ROOT / "secrets").iterdir():
        assert path.name == "alertmanager" or path.read_text().strip() not in seen, path.name


def test_first_forecast_is_issued_automatically(stack: list[str]):
    took = until(lambda: get(f"{API}/ready")[0] == 200, seconds=1800, what="first forecast")
    print(f"first forecast {took:.0f} s after all services were healthy and inspected")
    stations = api("stations")["stations"]
    forecast = api(f"stations/{quote(stations[0]['station_id'], safe='')}/forecast")
    assert len(forecast["hours"]) == 72


def test_model_is_registered_in_mlflow(stack: list[str]):
    status, body = get("http://127.0.0.1:5000/api/2.0/mlflow/registered-models/search")
    assert status == 200
    assert [model["name"] for model in json.loads(body)["registered_models"]] == ["hazecast-simulated"]


def test_prometheus_scrapes_all_targets_and_loads_all_rules(stack: list[str]):
    def all_up() -> bool:
        targets = inside("http://prometheus:9090/api/v1/targets")["data"]["activeTargets"]
        return len(targets) >= 11 and {target["health"] for target in targets} == {"up"}

    until(all_up, seconds=180, what="every target is scraped")
    groups = inside("http://prometheus:9090/api/v1/rules")["data"]["groups"]
    rules = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert len(rules) >= 13
    assert set(rules.values()) <= {"ok", "unknown"}, rules


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_have_data(stack: list[str], path: Path):
    for panel in json.loads(path.read_text())["panels"]:
        for expression in (target["expr"].replace("$place", ".+") for target in panel["targets"]):
            address = f"http://prometheus:9090/api/v1/query?query={quote(expression)}"
            if panel["title"] in EMPTY_WHEN_WELL | EMPTY_WHEN_NEW:
                inside(address)  # a valid query; no data is fine
                continue
            # Recent events appear at the next scrape.
            until(lambda url=address: inside(url)["data"]["result"] != [], seconds=120, what=panel["title"])


def test_rules_pass_their_tests_in_the_running_version(stack: list[str]):
    for path in sorted((ROOT / "infrastructure/prometheus/tests").glob("*.yml")):
        rules = f"/etc/prometheus/tests/{path.name}"
        # promtool writes to TMPDIR; the volume is the only writable folder.
        compose("exec", "-T", "--env", "TMPDIR=/prometheus", "prometheus", "promtool", "test", "rules", rules)


def test_operators_are_notified_of_outage_and_recovery(stack: list[str]):
    received: list[Any] = []
    with listening(received) as port:
        make_secrets(ALERT_WEBHOOK=f"http://{address_of_this_machine()}:{port}/")
        compose("up", "--detach", "--wait", "--force-recreate", "alertmanager")
        try:
            compose("stop", "dashboard")
            took = until(
                lambda: "firing" in statuses(received, "ServiceDown"), seconds=420, what="ServiceDown is delivered"
            )
            compose("start", "dashboard")
            until(lambda: "resolved" in statuses(received, "ServiceDown"), seconds=600, what="its end is delivered")
        finally:
            (ROOT / "secrets/alertmanager").unlink()
            make_secrets()
            compose("up", "--detach", "--wait", "--force-recreate", "alertmanager", "dashboard")
    print(f"delivered {took:.0f} s after the dashboard had been stopped")
    assert {alert["labels"]["service"] for alert in received if alert["labels"]["alertname"] == "ServiceDown"} == {
        "dashboard"
    }


def address_of_this_machine() -> str:
    """Address of this machine in the stack's network."""
    command = ["docker", "network", "inspect", "hazecast_outside", "--format", "{{(index .IPAM.Config 0).Gateway}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def statuses(received: list[Any], name: str) -> set[str]:
    """Statuses in which the alert was delivered."""
    return {alert["status"] for alert in received if alert["labels"]["alertname"] == name}


@contextmanager
def listening(received: list[Any]) -> Iterator[int]:
    """Run a webhook that appends its alerts to `received`; yields its port."""

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write no access log."""

    with ThreadingHTTPServer(("0.0.0.0", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("name", ["mlflow", "prefect", "postgres", "worker", "dashboard", "api"])
def test_killed_services_recover_under_load(stack: list[str], name: str):
    station = quote(api("stations")["stations"][0]["station_id"], safe="")
    with load(f"{API}/stations/{station}/forecast") as requests:
        kill(name)
        until(lambda: states().get(name) != "healthy", seconds=30, what=f"{name} is unhealthy")
        away = until(lambda: states().get(name) == "healthy", seconds=300, what=f"{name} is healthy")
    print(f"{name}: back in {away:.0f} s; {requests}")
    assert name == "api" or not requests.failed
    until(lambda: get(f"{API}/ready")[0] == 200, seconds=60, what="ready")


def test_run_is_resumed_after_its_worker_is_killed(stack: list[str]):
    until(is_idle, seconds=1200, what="interrupted runs end")
    run = start_run("Training%20Pipeline/training")
    until(lambda: state_of(run) == "RUNNING", seconds=120, what="the training runs")
    sleep(15)
    kill("worker")
    until(lambda: "resumed: training" in compose("logs", "worker"), seconds=180, what="the new worker resumes it")
    took = until(lambda: state_of(run) == "COMPLETED", seconds=900, what="the training ends")
    print(f"completed {took:.0f} s after it was resumed")


def test_failed_first_run_is_retried(stack: list[str]):
    first = {"flow_runs": {"tags": {"all_": [f"first-run-simulated-{input_signature()}"]}}, "sort": "START_TIME_DESC"}
    runs = post(f"{PREFECT}/flow_runs/filter", first)
    compose("restart", "worker")
    until(lambda: states().get("worker") == "healthy", seconds=300, what="the worker is healthy")
    assert len(post(f"{PREFECT}/flow_runs/filter", first)) == len(runs)
    failed = {"state": {"type": "FAILED"}, "force": True}
    post(f"{PREFECT}/flow_runs/{runs[0]['id']}/set_state", failed)
    compose("restart", "worker")
    until(lambda: len(post(f"{PREFECT}/flow_runs/filter", first)) > len(runs), seconds=300, what="another first run")
    until(is_idle, seconds=1200, what="it ends")


def test_backup_restores_all_volumes(stack: list[str], disks: dict[str, SmallDisk], tmp_path: Path):
    script, folder = "infrastructure/containers/backup.sh", tmp_path / "saved"
    before = stored()
    subprocess.run(["bash", script, "save", folder], cwd=ROOT, check=True, timeout=600)
    began = monotonic()
    compose("down", "--volumes", "--timeout", "20")
    for disk in disks.values():
        disk.format()
    compose("up", "--detach", "--wait", "postgres")
    compose("create", *stack)
    subprocess.run(["bash", script, "load", folder], cwd=ROOT, check=True, timeout=900)
    until(lambda: get(f"{API}/ready")[0] == 200, seconds=600, what="ready after restore")
    print(f"{before} restored {monotonic() - began:.0f} s after the volumes were destroyed")
    assert stored() == before
    compose("up", "--detach", "--wait", *stack)


def stored() -> object:
    """Version of the forecasts and versions of the models."""
    tables = {entry["table"]: entry["version"] for entry in api("status")["tables"]}
    models = json.loads(get("http://127.0.0.1:5000/api/2.0/mlflow/model-versions/search")[1])["model_versions"]
    return tables["forecasts"], sorted(model["version"] for model in models)
