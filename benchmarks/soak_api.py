"""The API under load while new forecasts come every few seconds: python benchmarks/soak_api.py [--minutes 60]

One server process over a store of its own. Its clock jumps an hour ahead every few seconds; for each hour a forecast of
every station is appended to the archive and the hour's observations are stored, as a worker does it. Meanwhile
connections request forecasts, summaries, lists and the status at a steady rate. No request may fail, and memory may not
grow.
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
from bench_api import ROOT, free_port, serve, wait_for

from hazecast.air.clock import floor_hour
from hazecast.air.tables import Forecasts, Observations, Stations
from hazecast.store import Store

sys.path.append(str(ROOT / "tests" / "shells"))
import small_store
from small_store import DONGSI, HOUR, ISSUED

POLLUTANTS = ("pm25", "no2")
N_STATIONS, N_CONNECTIONS = 20, 8
REPORT_MINUTES = 5
TIMEOUT_SECONDS = 120.0  # slow responses show in p99; this is for those that never come


@dataclass(frozen=True)
class FastClock:
    """A clock that jumps to the next hour every `hour_seconds`, from ISSUED on."""

    began: float
    hour_seconds: float

    def __call__(self) -> datetime:
        hours, seconds = divmod(time.time() - self.began, self.hour_seconds)
        return ISSUED + HOUR * hours + timedelta(seconds=seconds)

    async def next_hour(self) -> datetime:
        """Wait for the next hour and return it."""
        await asyncio.sleep(self.hour_seconds - (time.time() - self.began) % self.hour_seconds)
        return floor_hour(self())


@dataclass
class World:
    """Forecasts and observations for every hour: the rows of one hour shifted in time."""

    store: Store
    issue: pl.DataFrame = field(init=False)
    observed: pl.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        names = [f"site-{k:02}" for k in range(N_STATIONS)]
        series = [(name, pollutant) for name in names for pollutant in POLLUTANTS]
        dongsi = small_store.stations().filter(pl.col("station_id") == DONGSI)
        described = [dongsi.with_columns(station_id=pl.lit(name), name=pl.lit(name)) for name in names]
        self.store.upsert(Stations, pl.concat(described))
        self.issue = pl.concat([small_store.forecast(*one) for one in series])
        past = pl.concat([small_store.observations(*one, until=ISSUED) for one in series])
        self.store.upsert(Observations, past)
        self.observed = past.filter(pl.col("observed_at") == ISSUED - HOUR)
        self.publish(timedelta(0))

    def publish(self, later: timedelta) -> None:
        """Store the observations and forecasts of ISSUED + `later`."""
        observed_at, available_at = pl.col("observed_at") + later, pl.col("available_at") + later
        self.store.upsert(
            Observations,
            self.observed.with_columns(observed_at=observed_at, available_at=available_at, ingested_at=available_at),
        )
        moved = (pl.col("issued_at") + later, pl.col("valid_at") + later)
        self.store.append(Forecasts, self.issue.with_columns(*moved))


@dataclass
class Counts:
    """Requests and issues since the last report."""

    durations: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    until_served: list[float] = field(default_factory=list)


def requests() -> Iterator[tuple[str, dict[str, str]]]:
    """Paths and headers, endlessly: mostly forecasts, of every station in turn."""
    sites = (f"site-{k:02}" for k in itertools.cycle(range(N_STATIONS)))
    while True:
        yield f"/api/v1/stations/{next(sites)}/forecast?pollutant=pm25", {}
        yield f"/api/v1/stations/{next(sites)}/forecast?pollutant=no2&index=us-epa", {"Accept-Encoding": "gzip"}
        yield f"/api/v1/stations/{next(sites)}/summary", {}
        yield f"/api/v1/stations/{next(sites)}/forecast", {"Accept": "text/csv"}
        yield f"/api/v1/stations/{next(sites)}/observations?pollutant=pm25", {}
        yield f"/api/v1/stations/{next(sites)}/forecast?pollutant=no2", {"If-None-Match": 'W/"another"'}
        yield "/api/v1/forecasts?pollutant=pm25&limit=5&quantiles=q50", {}
        yield "/api/v1/status", {}
        yield "/api/v1/ready", {}


async def send_steadily(client: httpx.AsyncClient, counts: Counts, *, until: float, gap_seconds: float) -> None:
    """Send a request every `gap_seconds`, and without pause while behind schedule."""
    due = time.monotonic()
    for path, headers in requests():
        due += gap_seconds
        if max(due, time.monotonic()) > until:
            return
        await asyncio.sleep(due - time.monotonic())
        await send(client, counts, path, headers)


async def send(
    client: httpx.AsyncClient, counts: Counts, path: str, headers: dict[str, str] | None = None
) -> httpx.Response | None:
    """The response; None, and a failure counted, for an error or no response."""
    started = time.perf_counter()
    try:
        response = await client.get(path, headers=headers)
    except httpx.HTTPError as err:
        counts.failures.append(f"{path}: {type(err).__name__}")
        return None
    counts.durations.append(time.perf_counter() - started)
    if response.is_success:
        return response
    counts.failures.append(f"{path}: {response.status_code}")
    return None


async def publish_hourly(client: httpx.AsyncClient, world: World, clock: FastClock, counts: Counts) -> None:
    """Store a forecast for every hour of the fast clock and measure the time until it is served."""
    path = "/api/v1/stations/site-00/forecast?pollutant=pm25"
    while True:
        hour = await clock.next_hour()
        await asyncio.to_thread(world.publish, hour - ISSUED)
        stored = time.monotonic()
        while not await is_served(client, counts, path, hour):
            await asyncio.sleep(0.1)
        counts.until_served.append(time.monotonic() - stored)


async def is_served(client: httpx.AsyncClient, counts: Counts, path: str, issued_at: datetime) -> bool:
    response = await send(client, counts, path)
    return response is not None and datetime.fromisoformat(response.json()["issued_at"]) >= issued_at


async def report(counts: Counts, pid: int, *, minutes: float) -> None:
    """Print a row of the table every few minutes."""
    print("| minute | requests | failed | p50 [ms] | p99 [ms] | issues | slowest until served [s] | RSS [MB] |")
    print("|---|---|---|---|---|---|---|---|")
    step = min(REPORT_MINUTES, minutes)
    for number in range(1, int(minutes / step) + 1):
        await asyncio.sleep(60 * step)
        durations = sorted(counts.durations)
        p50, p99 = (1000 * durations[int(share * (len(durations) - 1))] for share in (0.5, 0.99))
        issues, slowest = len(counts.until_served), max(counts.until_served, default=0.0)
        totals = f"{number * step:g} | {len(durations):,} | {len(counts.failures)}"
        print(f"| {totals} | {p50:.1f} | {p99:.1f} | {issues} | {slowest:.1f} | {rss_mb(pid):.0f} |", flush=True)
        for failure in counts.failures:
            print(f"failed: {failure}", file=sys.stderr)
        for values in (counts.durations, counts.failures, counts.until_served):
            values.clear()


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) / 1024


def serve_fast(folder: str, port: int, clock: FastClock) -> None:
    """The API over the tables in `folder`."""
    import uvicorn

    from hazecast.api.app import create_app
    from hazecast.api.server import KEEP_ALIVE_SECONDS

    app = create_app(store=Store(folder), clock=clock, clock_replayed=False)
    options = {"log_level": "warning", "access_log": False, "timeout_keep_alive": KEEP_ALIVE_SECONDS}
    uvicorn.run(app, host="127.0.0.1", port=port, **options)


async def soak(args: argparse.Namespace, folder: str) -> None:
    port, world = free_port(), World(Store(folder))
    clock = FastClock(time.time(), args.hour_seconds)
    server = serve(__file__, "--serve", folder, str(port), str(clock.began), str(clock.hour_seconds))
    try:
        await wait_for(port, "/api/v1/ready")
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_SECONDS, trust_env=False
        ) as client:
            await load(client, world, clock, server.pid, args)
    finally:
        server.terminate()
        server.wait()


async def load(client: httpx.AsyncClient, world: World, clock: FastClock, pid: int, args: argparse.Namespace) -> None:
    """Send requests and store forecasts until the time is over."""
    counts, until = Counts(), time.monotonic() + 60 * args.minutes
    gap_seconds = args.connections / args.per_second
    publishing = asyncio.create_task(publish_hourly(client, world, clock, counts))
    senders = [send_steadily(client, counts, until=until, gap_seconds=gap_seconds) for _ in range(args.connections)]
    done, _ = await asyncio.wait(
        [publishing, asyncio.gather(report(counts, pid, minutes=args.minutes), *senders)],
        return_when=asyncio.FIRST_COMPLETED,
    )
    publishing.cancel()
    for ended in done:
        ended.result()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=N_CONNECTIONS)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--per-second", type=float, default=50.0)
    parser.add_argument("--hour-seconds", type=float, default=5.0, help="how long an hour takes")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    args = arguments()
    if args.serve:
        folder, port, began, hour_seconds = args.serve
        serve_fast(folder, int(port), FastClock(float(began), float(hour_seconds)))
    else:
        with tempfile.TemporaryDirectory() as home:
            print(f"{args.per_second:g} requests/s, a new forecast every {args.hour_seconds:g} s\n")
            asyncio.run(soak(args, home))
