"""The station-forecast endpoint beside its limit: python benchmarks/bench_api.py [--seconds 10] [--clients 8]

Two servers, one process each, asked in turn by the same load of keep-alive connections:

- hazecast: GET /api/v1/stations/{id}/forecast, all middlewares on;
- bare: a Starlette route that returns the same bytes from memory: the limit.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATION = "dongsi"
FORECAST = f"/api/v1/stations/{STATION}/forecast"


@dataclass(frozen=True)
class Result:
    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    n_failed: int

    def __str__(self) -> str:
        return f"| {self.name} | {self.per_second:,.1f} | {self.p50_ms:.2f} | {self.p99_ms:.2f} | {self.n_failed} |"


async def ask(port: int, request: bytes, until: float, taken: list[float]) -> int:
    """One keep-alive connection that asks as fast as it is answered; returns failures."""
    failed = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
        await reader.readexactly(length)
        taken.append(time.perf_counter() - started)
        failed += not lines[0].startswith(b"http/1.1 200")
    writer.close()
    return failed


async def load(name: str, port: int, request: bytes, *, seconds: float, clients: int) -> Result:
    """Ask for a while after a short warm-up."""
    await asyncio.gather(*(ask(port, request, time.perf_counter() + 1.0, []) for _ in range(clients)))
    taken: list[float] = []
    started = time.perf_counter()
    failures = await asyncio.gather(*(ask(port, request, started + seconds, taken) for _ in range(clients)))
    took = time.perf_counter() - started
    taken.sort()
    p50, p99 = (1000 * taken[int(share * (len(taken) - 1))] for share in (0.5, 0.99))
    return Result(name, len(taken) / took, p50, p99, sum(failures))


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n\r\n".encode()


def free_port() -> int:
    """A port with a free one above it."""
    while True:
        with socket.socket() as one, socket.socket() as next_one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                next_one.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def serve(*command: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests" / "shells")}
    return subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, stderr=sys.stderr)


async def wait_for(port: int, path: str, *, seconds: float = 180.0) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(get(path))
            answer = await reader.readline()
            writer.close()
            if b" 200" in answer:
                return
        except OSError:
            pass
        await asyncio.sleep(0.2)
    raise TimeoutError(f"nothing answers {path} on port {port}")


def ours(port: int) -> None:
    """The API over the small store of the tests, with logs as `hazecast serve` has them."""
    import small_store
    import uvicorn

    from hazecast.api.app import create_app
    from hazecast.logs import configure_logs

    configure_logs("text")
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(store=small_store.fill(Path(folder)), clock=lambda: small_store.NOW, clock_replayed=True)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def bare(port: int) -> None:
    """The limit: the same bytes, no question asked."""
    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    body = httpx.get(f"http://127.0.0.1:{port - 1}{FORECAST}", trust_env=False).content

    def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    async def answer_soon(request: Request) -> Response:
        return answer(request)

    app = Starlette(routes=[Route(FORECAST, answer_soon)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


async def compare(asked: argparse.Namespace, port: int) -> None:
    """Ask both servers in turn, so that both feel the same neighbours."""
    print(f"{asked.clients} connections, {asked.seconds:g} s each; load average {os.getloadavg()[0]:.1f}\n")
    print("| server | requests/s | p50 [ms] | p99 [ms] | failed |\n|---|---|---|---|---|")
    for turn in range(1, asked.rounds + 1):
        for name, at in (("hazecast", port), ("bare Starlette", port + 1)):
            found = await load(f"{name} {turn}", at, get(FORECAST), seconds=asked.seconds, clients=asked.clients)
            print(found, flush=True)


async def main() -> None:
    port = free_port()
    servers = [serve(__file__, "--ours", str(port))]
    try:
        await wait_for(port, FORECAST)
        servers.append(serve(__file__, "--bare", str(port + 1)))
        await wait_for(port + 1, FORECAST)
        await compare(arguments(), port)
    finally:
        for server in servers:
            server.terminate()
            server.wait()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    asked = arguments()
    if asked.ours is not None:
        ours(asked.ours)
    elif asked.bare is not None:
        bare(asked.bare)
    else:
        asyncio.run(main())
