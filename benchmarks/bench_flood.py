"""Probes while clients flood POST /predict: python benchmarks/bench_flood.py [--seconds 20] [--clients 60] [--limit 0]

One API process with a registered champion. `--limit` is HAZECAST_PREDICT_PER_MINUTE: with 0 every request competes for
the two places of predictions; with the default of the API most are refused by the limit of their client. The probes are
requested every 50 ms on connections of their own, at first in quiet, then during the flood, by another process than the
one that floods.
"""

import argparse
import asyncio
import collections
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_api import free_port, get, payloads, post, register, registry, serve, stop, wait_for

PROBES = ("/api/v1/health", "/api/v1/ready", "/api/v1/status")
FORECAST = "/api/v1/stations/dongsi/forecast"
PAUSE_SECONDS = 0.05


async def exchange(port: int, request: bytes) -> tuple[int, float]:
    """Status and duration [ms] of one request on a connection of its own."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    await reader.readexactly(length)
    writer.close()
    return int(head.split(b" ")[1]), 1000 * (time.perf_counter() - started)


async def probe(port: int, path: str, until: float) -> list[tuple[int, float]]:
    found = []
    while time.perf_counter() < until:
        found.append(await exchange(port, get(path)))
        await asyncio.sleep(PAUSE_SECONDS)
    return found


async def flood(port: int, body: bytes, until: float, statuses: collections.Counter[int]) -> None:
    while time.perf_counter() < until:
        status, _ = await exchange(port, body)
        statuses[status] += 1


async def flood_all(port: int, *, seconds: float, clients: int) -> None:
    """Flood with so many clients; prints the statuses."""
    statuses = collections.Counter[int]()
    body, until = post("/api/v1/predict", payloads()[0]), time.perf_counter() + seconds
    await asyncio.gather(*(flood(port, body, until, statuses) for _ in range(clients)))
    print(f"POST /predict by status: {dict(sorted(statuses.items()))}", flush=True)


async def measure(port: int, *, seconds: float) -> dict[str, list[tuple[int, float]]]:
    """Durations of the probes by path."""
    until, paths = time.perf_counter() + seconds, (*PROBES, FORECAST)
    found = await asyncio.gather(*(probe(port, path, until) for path in paths))
    return dict(zip(paths, found, strict=True))


def report(name: str, found: dict[str, list[tuple[int, float]]]) -> None:
    for path, rows in found.items():
        durations = sorted(duration for _, duration in rows)
        p50, p99 = (durations[int(share * (len(durations) - 1))] for share in (0.5, 0.99))
        failed = sum(status != 200 for status, _ in rows)
        print(f"| {name} | {path} | {len(rows)} | {p50:.1f} | {p99:.1f} | {durations[-1]:.1f} | {failed} |")


def run_server(port: int, home: str, limit: int) -> None:
    import small_store
    import uvicorn

    from hazecast.api.app import Options, create_app
    from hazecast.api.server import SWITCH_INTERVAL_SECONDS

    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    store = small_store.fill(Path(home) / "tables")
    options = Options(registry=lambda: registry(home), predict_per_minute=limit)
    app = create_app(store=store, clock=lambda: small_store.NOW, clock_replayed=True, options=options)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=60)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "HOME"), help=argparse.SUPPRESS)
    parser.add_argument("--flood", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.flood:
        await flood_all(arguments.flood, seconds=arguments.seconds, clients=arguments.clients)
        return
    with tempfile.TemporaryDirectory() as home:
        register(home)
        port = free_port()
        server = serve(__file__, "--serve", str(port), home, "--limit", str(arguments.limit), **os.environ)
        try:
            await wait_for(port, "/api/v1/ready")
            await exchange(port, post("/api/v1/predict", payloads()[0]))  # loads the champion
            print("| load | path | requests | p50 [ms] | p99 [ms] | max [ms] | failed |\n|---|---|---|---|---|---|---|")
            report("quiet", await measure(port, seconds=min(arguments.seconds, 5)))
            options = ("--seconds", str(arguments.seconds), "--clients", str(arguments.clients))
            flooding = subprocess.Popen([sys.executable, __file__, "--flood", str(port), *options])
            await asyncio.sleep(2)
            report(f"{arguments.clients} clients", await measure(port, seconds=arguments.seconds - 2))
            flooding.wait()
        finally:
            stop(server)


if __name__ == "__main__":
    if "--serve" in sys.argv:
        at = sys.argv.index("--serve")
        run_server(int(sys.argv[at + 1]), sys.argv[at + 2], int(sys.argv[sys.argv.index("--limit") + 1]))
    else:
        asyncio.run(main())
