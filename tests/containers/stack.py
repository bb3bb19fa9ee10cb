"""The compose stack of the engine tests: commands, services, requests."""

import base64
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
OURS = ("api", "dashboard", "worker", "prefect", "mlflow")
DOCKERFILES = sorted(ROOT.glob("Dockerfile.*"))


def compose(*words: str, seconds: float = 600) -> str:
    """Run `docker compose …`; returns its output.

    Raises:
        AssertionError: it failed; with its error output.
    """
    done = subprocess.run(
        ["docker", "compose", *words], cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"docker compose {' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def composed_with(stack: list[str], *files: str | Path) -> Iterator[None]:
    """Run the stack with these additional compose files inside the body, and without them afterwards."""
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
    """Create and distribute the secrets as `make secrets` does, with these variables set."""
    given = [word for name, text in environment.items() for word in ("--env", f"{name}={text}")]
    compose("run", "--rm", *given, "secrets")


def login(url: str) -> dict[str, str]:
    """Header with the password of MLflow or Prefect, for an address of theirs."""
    if ":5000/" in url:
        user = f"hazecast:{(ROOT / 'secrets' / 'mlflow').read_text().strip()}"
    elif ":4200/" in url:
        user = (ROOT / "secrets" / "prefect").read_text().strip()
    else:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def services() -> list[str]:
    """Services with an image that exists locally or can be built; Grafana's comes from its registry only."""
    described = json.loads(compose("config", "--format", "json"))["services"]
    return [name for name, service in described.items() if "build" in service or _has_image(service["image"])]


def _has_image(image: str) -> bool:
    found = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    return found.returncode == 0 or image.startswith("hazecast-")


def states() -> dict[str, str]:
    """Health of every running service; `secrets` has ended."""
    lines = compose("ps", "--format", "json").splitlines()
    return {line["Service"]: line["Health"] or line["State"] for line in map(json.loads, lines)}


def kill(service: str) -> None:
    """Send SIGKILL to the first process of the service, as the kernel does when memory runs out."""
    container = compose("ps", "--quiet", service).strip()
    command = ["docker", "inspect", "--format", "{{.State.Pid}}", container]
    os.kill(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout), signal.SIGKILL)


def get(url: str) -> tuple[int, str]:
    """Status and body of a GET request; 0 and the error if there is no response."""
    try:
        request = urllib.request.Request(url, headers=login(url))
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as err:
        return err.code, err.read().decode(errors="replace")
    except OSError as err:
        return 0, repr(err)


def inside(url: str) -> Any:
    """GET from inside the stack; returns the decoded JSON."""
    script = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=20).read().decode())"
    return json.loads(compose("exec", "-T", "stack-metrics", "python", "-c", script, url))


def api(path: str) -> Any:
    """GET an address of the API; returns the decoded JSON."""
    status, body = get(f"{API}/{path}")
    assert status == 200, f"{path}: {status} {body[:300]}"
    return json.loads(body)


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Wait for `condition`; returns the duration [s].

    Raises:
        AssertionError: it was not met in time.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:.0f} s; {states()}"
        time.sleep(1)
    return time.monotonic() - began


@dataclass
class Load:
    """Number of successful requests so far, and time and error of the failed ones."""

    succeeded: int = 0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total = self.succeeded + len(self.failed)
        return "\n".join([f"{total} forecasts requested, {len(self.failed)} failed", *self.failed[:10]])


@contextmanager
def load(url: str, *, per_second: float = 20) -> Iterator[Load]:
    """Request `url` continuously inside the body."""
    result, over, began = Load(), threading.Event(), time.monotonic()

    def request_until_over() -> None:
        while not over.wait(1 / per_second):
            sent = time.monotonic()
            status, body = get(url)
            if status == 200:
                result.succeeded += 1
            else:
                when = f"{sent - began:.1f} s after the start, for {time.monotonic() - sent:.2f} s"
                result.failed.append(f"{when}: {status} {body[:200]}")

    thread = threading.Thread(target=request_until_over)
    thread.start()
    try:
        yield result
    finally:
        over.set()
        thread.join()


def start_run(deployment: str) -> str:
    """Create a run of a Prefect deployment now; returns its id."""
    found = json.loads(get(f"{PREFECT}/deployments/name/{deployment}")[1])
    return str(post(f"{PREFECT}/deployments/{found['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"])


def is_idle() -> bool:
    """Whether no run is pending or running."""
    unfinished = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    return bool(post(f"{PREFECT}/flow_runs/count", unfinished) == 0)


def post(url: str, content: object) -> Any:
    """POST JSON; returns the decoded JSON."""
    request = urllib.request.Request(
        url, data=json.dumps(content).encode(), headers={"Content-Type": "application/json", **login(url)}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def state_of(run: str) -> str:
    """PENDING, RUNNING, COMPLETED …; empty while Prefect is down."""
    status, body = get(f"{PREFECT}/flow_runs/{run}")
    return str(json.loads(body)["state"]["type"]) if status == 200 else ""
