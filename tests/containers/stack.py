"""The compose stack of the engine tests: its commands, its services, and what it answers."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
API = "http://127.0.0.1:8000/api/v1"
PREFECT = "http://127.0.0.1:4200/api"
OURS = ("api", "dashboard", "worker", "prefect", "mlflow", "s3")
DOCKERFILES = [*sorted(ROOT.glob("Dockerfile.*")), ROOT / "infrastructure" / "containers" / "Dockerfile.s3"]


def compose(*words: str, seconds: float = 600) -> str:
    """What `docker compose …` prints.

    Raises:
        AssertionError: it fails; with what it said.
    """
    done = subprocess.run(
        ["docker", "compose", *words], cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"docker compose {' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def composed_with(stack: list[str], *files: str | Path) -> Iterator[None]:
    """The running stack with these compose files on top inside the body, and without them afterwards."""
    usual = os.environ["COMPOSE_FILE"]
    os.environ["COMPOSE_FILE"] = os.pathsep.join([usual, *map(str, files)])
    try:
        _start(stack)
        yield
    finally:
        os.environ["COMPOSE_FILE"] = usual
        _start(stack)


def _start(stack: list[str]) -> None:
    compose("up", "--detach", "--wait", "--wait-timeout", "600", *stack, seconds=700)


def make_secrets(**environment: str) -> None:
    """As `make secrets` with these variables set."""
    command = ["bash", "infrastructure/containers/secrets.sh"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)


def services() -> list[str]:
    """Every service whose image is here or can be built; Grafana's is nowhere but in its registry."""
    described = json.loads(compose("config", "--format", "json"))["services"]
    return [name for name, service in described.items() if "build" in service or _has_image(service["image"])]


def _has_image(image: str) -> bool:
    asked = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    return asked.returncode == 0 or image.startswith("hazecast-")


def states() -> dict[str, str]:
    """Health of every running service."""
    lines = compose("ps", "--format", "json").splitlines()
    return {line["Service"]: line["Health"] or line["State"] for line in map(json.loads, lines)}


def kill(service: str) -> None:
    """End the service's first process from outside, as the kernel would that runs out of memory."""
    container = compose("ps", "--quiet", service).strip()
    asked = ["docker", "inspect", "--format", "{{.State.Pid}}", container]
    os.kill(int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout), signal.SIGKILL)


def ask(url: str) -> tuple[int, str]:
    """Status and body; 0 and the reason when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as err:
        return err.code, err.read().decode(errors="replace")
    except OSError as err:
        return 0, repr(err)


def inside(url: str) -> Any:
    """What a service answers that only the others can reach, decoded."""
    script = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=20).read().decode())"
    return json.loads(compose("exec", "-T", "stack-metrics", "python", "-c", script, url))


def api(path: str) -> Any:
    """What the API answers, decoded."""
    status, body = ask(f"{API}/{path}")
    assert status == 200, f"{path}: {status} {body[:300]}"
    return json.loads(body)


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Wait for `condition`; how long it took [s].

    Raises:
        AssertionError: it did not come true in time.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:.0f} s; {states()}"
        time.sleep(1)
    return time.monotonic() - began


@dataclass
class Load:
    """What became of the requests made so far: how many were answered, and when and why the others were not."""

    answered: int = 0
    unanswered: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        asked = self.answered + len(self.unanswered)
        return "\n".join([f"{asked} forecasts asked for, {len(self.unanswered)} not answered", *self.unanswered[:10]])


@contextmanager
def load(url: str, *, per_second: float = 20) -> Iterator[Load]:
    """Ask `url` again and again inside the body."""
    told, over, began = Load(), threading.Event(), time.monotonic()

    def ask_on() -> None:
        while not over.wait(1 / per_second):
            asked = time.monotonic()
            status, body = ask(url)
            if status == 200:
                told.answered += 1
            else:
                when = f"{asked - began:.1f} s after the start, for {time.monotonic() - asked:.2f} s"
                told.unanswered.append(f"{when}: {status} {body[:200]}")

    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        yield told
    finally:
        over.set()
        asking.join()


def start_run(deployment: str) -> str:
    """Ask Prefect for a run of `deployment` now; its id."""
    found = json.loads(ask(f"{PREFECT}/deployments/name/{deployment}")[1])
    return str(post(f"{PREFECT}/deployments/{found['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"])


def is_idle() -> bool:
    """Whether no run is under way."""
    under_way = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    return bool(post(f"{PREFECT}/flow_runs/count", under_way) == 0)


def post(url: str, content: object) -> Any:
    """What is answered to `content`, both JSON."""
    asked = urllib.request.Request(url, data=json.dumps(content).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.loads(answer.read())


def state_of(run: str) -> str:
    """PENDING, RUNNING, COMPLETED …; empty while Prefect is away."""
    status, body = ask(f"{PREFECT}/flow_runs/{run}")
    return str(json.loads(body)["state"]["type"]) if status == 200 else ""
