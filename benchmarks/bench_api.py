"""Throughput and latency of the station-forecast endpoint: python benchmarks/bench_api.py [--seconds 10] [--clients 8]

Servers of one process each, measured in turn with the same load of keep-alive connections:

- hazecast: GET /api/v1/stations/{id}/forecast, with all middleware;
- bare: a Starlette route that returns the same bytes from memory, the upper bound;
- mlflow: `mlflow models serve` with a model of the registry, the usual alternative.

Then POST /api/v1/predict, one at a time, compared with a bare call of the same model with the same observations.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hazecast.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / name) for name in ("shells", "core")]
STATION = "dongsi"
FORECAST = f"/api/v1/stations/{STATION}/forecast"
PREDICT, INVOCATIONS = "/api/v1/predict", "/invocations"
POLLUTANT = "pm25"
N_CALLS = 15
ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Result:
    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    n_failed: int

    def __str__(self) -> str:
        return f"| {self.name} | {self.per_second:,.1f} | {self.p50_ms:.2f} | {self.p99_ms:.2f} | {self.n_failed} |"


async def send_requests(port: int, request: bytes, until: float, durations: list[float]) -> int:
    """Send requests on one keep-alive connection without pause; returns the number of failures."""
    failed = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
        await reader.readexactly(length)
        durations.append(time.perf_counter() - started)
        failed += not lines[0].startswith(b"http/1.1 200")
    writer.close()
    return failed


async def load(name: str, port: int, request: bytes, *, seconds: float, clients: int) -> Result:
    """Send requests for a while after a short warm-up."""
    await asyncio.gather(*(send_requests(port, request, time.perf_counter() + 1.0, []) for _ in range(clients)))
    durations: list[float] = []
    started = time.perf_counter()
    failures = await asyncio.gather(
        *(send_requests(port, request, started + seconds, durations) for _ in range(clients))
    )
    took = time.perf_counter() - started
    durations.sort()
    p50, p99 = (1000 * durations[int(share * (len(durations) - 1))] for share in (0.5, 0.99))
    return Result(name, len(durations) / took, p50, p99, sum(failures))


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n\r\n".encode()


def post(path: str, payload: object) -> bytes:
    body = json.dumps(payload).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def free_port() -> int:
    """A port with two free ones above it."""
    while True:
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
                three.bind(("127.0.0.1", port + 2))
            except OSError:
                continue
            return port


def serve(*command: str, **environment: str) -> subprocess.Popen[bytes]:
    """A Python process of one core, in a group of its own."""
    env = {**os.environ, **ONE_CORE, **environment}
    command = (sys.executable, *command)
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=sys.stderr, start_new_session=True)


def stop(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()


def registry(home: str) -> "Registry":
    from hazecast.registry import Registry

    folder = Path(home)
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", place="bench", artifacts_root=(folder / "models").as_uri())


def register(home: str) -> None:
    """Train a small model on the synthetic town of the tests and make it champion."""
    from forecast_town import at, observations, stations, weather

    from hazecast.features import FutureWeather, build_panel
    from hazecast.models import ModelConfig
    from hazecast.models.stack import Stack
    from hazecast.registry import Training

    panel = build_panel(observations(), weather(), stations())
    model = Stack.fit(
        panel, pollutants=(POLLUTANT,), until=at(60), weather=FutureWeather.NONE, config=ModelConfig.light()
    )
    models = registry(home)
    models.promote(models.record(Training(parameters={}, metrics={}, forecaster=model)), reason="benchmark")


def observed() -> list[tuple[str, float]]:
    """A week of hours of one pollutant."""
    from forecast_town import at, observations

    hours = observations().filter(station_id="centre", pollutant=POLLUTANT).sort("observed_at")
    week = hours.filter((hours["observed_at"] < at(62)) & (hours["observed_at"] >= at(55)))
    return [(f"{hour:%Y-%m-%dT%H:%M:%S}", value) for hour, value in week["observed_at", "concentration_ugm3"].rows()]


def payloads() -> tuple[dict[str, object], dict[str, object]]:
    """The same request for POST /predict and for MLflow."""
    rows = observed()
    own = [{"pollutant": POLLUTANT, "observed_at": f"{hour}Z", "concentration_ugm3": v} for hour, v in rows]
    ours = {"latitude": 50.0, "longitude": 10.0, "timezone": "Europe/Berlin", "observations": own}
    columns = ["station_id", "pollutant", "observed_at", "concentration_ugm3"]
    return ours, {"dataframe_split": {"columns": columns, "data": [["centre", POLLUTANT, *row] for row in rows]}}


def call_model(home: str) -> None:
    """Print the median time of the bare model call [ms]."""
    from hazecast.air.tables import Weather
    from hazecast.api import schemas
    from hazecast.api.resources import models
    from hazecast.features import build_panel

    request = schemas.PredictRequest.model_validate(payloads()[0])
    model, _ = registry(home).champion()
    issued_at = models.issue_time(request)
    rows, station = models.observation_rows(request, issued_at), models.station_row(request)
    panel = build_panel(rows, Weather.create_empty(), station)
    durations = []
    for _ in range(N_CALLS):
        started = time.perf_counter()
        model.predict(panel, issued_at)
        durations.append(1000 * (time.perf_counter() - started))
    print(statistics.median(durations))


async def wait_for(port: int, path: str, *, seconds: float = 180.0) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(get(path))
            status_line = await reader.readline()
            writer.close()
            if b" 200" in status_line:
                return
        except OSError:
            pass
        await asyncio.sleep(0.2)
    raise TimeoutError(f"no response for {path} on port {port}")


def ours(port: int, home: str) -> None:
    """The API over the small store of the tests and a registry, with logs as `hazecast serve` has them."""
    import small_store
    import uvicorn

    from hazecast.api.app import Options, create_app
    from hazecast.logs import configure_logs

    configure_logs("text")
    with tempfile.TemporaryDirectory() as folder:
        options = Options(registry=lambda: registry(home))
        store = small_store.fill(Path(folder))
        app = create_app(store=store, clock=lambda: small_store.NOW, clock_replayed=True, options=options)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def bare(port: int) -> None:
    """The upper bound: the same bytes from memory."""
    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    body = httpx.get(f"http://127.0.0.1:{port - 1}{FORECAST}", trust_env=False).content

    async def respond(_: Request) -> Response:
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route(FORECAST, respond)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


async def compare(args: argparse.Namespace, port: int) -> None:
    """Measure the servers in turn, so that other load affects all alike."""
    print(f"{args.clients} connections, {args.seconds:g} s each; load average {os.getloadavg()[0]:.1f}\n")
    print("| server | requests/s | p50 [ms] | p99 [ms] | failed |\n|---|---|---|---|---|")
    _, payload = payloads()
    servers = (
        ("hazecast", port, get(FORECAST)),
        ("bare Starlette", port + 1, get(FORECAST)),
        ("mlflow models serve", port + 2, post(INVOCATIONS, payload)),
    )
    rounds_by_server: dict[str, list[Result]] = {name: [] for name, _, _ in servers}
    for number in range(1, args.rounds + 1):
        for name, at, request in servers:
            found = await load(f"{name} {number}", at, request, seconds=args.seconds, clients=args.clients)
            rounds_by_server[name].append(found)
            print(found, flush=True)
    print(f"\nhazecast compared with each, median of the ratios of {args.rounds} rounds:")
    ours, *others = rounds_by_server
    for name in others:
        pairs = list(zip(rounds_by_server[ours], rounds_by_server[name], strict=True))
        rate = statistics.median(one.per_second / other.per_second for one, other in pairs)
        slowest = statistics.median(one.p99_ms / other.p99_ms for one, other in pairs)
        print(f"- {name}: {rate:.2f} times its throughput, {slowest:.2f} times its p99")


async def compare_predictions(args: argparse.Namespace, port: int, home: str) -> None:
    """POST /predict, one at a time, compared with the bare model call."""
    found = await load("POST /predict", port, post(PREDICT, payloads()[0]), seconds=args.seconds, clients=1)
    called = subprocess.run(
        [sys.executable, __file__, "--call-model", home],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **ONE_CORE},
    )
    bare_ms = float(called.stdout)
    print(f"\nPOST /predict: p50 {found.p50_ms:.0f} ms, {found.n_failed} failed; the bare model call {bare_ms:.0f} ms")
    print(f"- {found.p50_ms / bare_ms:.2f} times the bare model call")


async def main(args: argparse.Namespace, home: str) -> None:
    port = free_port()
    register(home)
    servers = [serve(__file__, "--ours", str(port), "--home", home)]
    try:
        await wait_for(port, FORECAST)
        servers.append(serve(__file__, "--bare", str(port + 1)))
        mlflow = ("-m", "mlflow", "models", "serve", "-m", "models:/hazecast-bench@champion", "--env-manager", "local")
        options = ("--port", str(port + 2), "--workers", "1")
        # MLflow starts its server by name.
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        servers.append(serve(*mlflow, *options, MLFLOW_TRACKING_URI=registry(home).tracking_uri, PATH=path))
        await wait_for(port + 1, FORECAST)
        await wait_for(port + 2, "/ping")
        await compare(args, port)
        await compare_predictions(args, port, home)
    finally:
        for server in servers:
            stop(server)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    parser.add_argument("--call-model", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    args = arguments()
    if args.ours is not None:
        ours(args.ours, args.home)
    elif args.bare is not None:
        bare(args.bare)
    elif args.call_model:
        call_model(args.call_model)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            asyncio.run(main(args, scratch))
