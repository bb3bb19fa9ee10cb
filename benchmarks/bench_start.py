"""Time from `hazecast up` to a served forecast and to the forecast of the full model, with an empty home.

Every run starts the production command in a folder of its own, on ports of its own, with simulated data or a dataset
folder. CPU seconds include all child processes. `--runs 3` repeats it; the table has one row per run.
"""

import argparse
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import measured

PORTS = ("API", "DASHBOARD", "MLFLOW", "PREFECT", "WORKER")
LONGEST_SECONDS = 3_600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="dataset folder (docs/data.md); default: simulated data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--first-only", action="store_true", help="do not wait for the full model")
    parser.add_argument("--record", action="store_true", help="write docs/measurements/start.csv")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; load before: {os.getloadavg()[0]:.1f}")
    print(f"{'run':>3} {'first forecast, s':>18} {'dashboard, s':>13} {'full model, s':>14} {'CPU, s':>8}")
    rows = []
    for number in range(1, options.runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"run": number, **start(Path(folder), options.data, first_only=options.first_only)})
        print("".join(f"{value:>{width}}" for value, width in zip(rows[-1].values(), (3, 19, 14, 15, 9), strict=True)))
    if options.record:
        measured.write("start.csv", rows)


def start(folder: Path, data: Path | None, *, first_only: bool) -> dict[str, object]:
    ports = {f"HAZECAST_{name}_PORT": str(free_port()) for name in PORTS}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAZECAST_", "MLFLOW_"))}
    arguments = ("--data", str(data.resolve())) if data else ()
    command = (sys.executable, "-m", "hazecast.cli", "up", *arguments)
    before, began = cpu_seconds(), time.monotonic()
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=kept | ports | {"HAZECAST_HOME": str(folder / "home")}, stdout=log, stderr=log
        )
    api, dashboard = (f"http://127.0.0.1:{ports[f'HAZECAST_{name}_PORT']}" for name in ("API", "DASHBOARD"))
    try:
        first = wait(process, began, lambda: get(f"{api}/api/v1/ready") is not None)
        shown = wait(process, began, lambda: get(f"{dashboard}/_stcore/health") is not None)
        version = get(f"{api}/api/v1/status").json()["model_version"]
        whole = None if first_only else wait(process, began, lambda: is_replaced(api, version))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    return {
        "first forecast, s": round(first),
        "dashboard, s": round(shown),
        "full model, s": "-" if whole is None else round(whole),
        "CPU, s": round(cpu_seconds() - before),
    }


def is_replaced(api: str, first: str) -> bool:
    """Whether the full model has been validated: its forecast is served, or the first model stayed champion."""
    status = get(f"{api}/api/v1/status").json()
    models = get(f"{api}/api/v1/models").json()
    return status["model_version"] != first or (len(models["versions"]) > 1 and not status["training"])


def wait(process: subprocess.Popen[bytes], began: float, is_done: Callable[[], bool]) -> float:
    while not is_done():
        if process.poll() is not None:
            raise SystemExit(f"hazecast up ended with code {process.returncode}")
        if time.monotonic() - began > LONGEST_SECONDS:
            raise SystemExit("not ready in an hour")
        time.sleep(0.2)
    return time.monotonic() - began


def get(url: str) -> Any:
    """The response, or None while there is none."""
    try:
        response = httpx.get(url, timeout=10, trust_env=False)
    except httpx.TransportError:
        return None
    return response if response.is_success else None


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
