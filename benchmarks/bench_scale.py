"""The real steps through the real pipeline on networks of many stations: CPU, wall, peak memory, bytes written, growth.

    python benchmarks/bench_scale.py --stations 12 100 300 1000 --days 100
    python benchmarks/bench_scale.py --stations 10000 --pollutants pm25 --steps forecast0 collect check forecast

Every step runs in a process of its own, one process at a time, as the shipped schedules run them; train and validate
share one, as they do there. The home of each size is built through the store first: copies of simulated stations, other
levels, other places. The daily loop then collects one more day: collect, check, forecast, verify, monitor, alert.
Growth is the exponent between a size and the one before: 1 is linear. CPU seconds are of all threads of the process.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.tables import Observations, Stations, Weather
from hazecast.pipeline import Pipeline
from hazecast.registry import Training
from hazecast.settings import Settings
from hazecast.sources.simulated import SimulatedSource
from hazecast.wiring import Wiring

END = datetime(2024, 5, 1, tzinfo=UTC)  # of the history; the daily loop runs a day later
DAY = timedelta(days=1)
SIZES = (12, 100)
N_ORIGINALS = 12
BUILD_DAYS = 15
DAILY = ("collect", "check", "forecast", "verify", "monitor", "alert")
STEPS = ("train", "validate", "forecast0", *DAILY)
# These run in one process, as they hand a result over.
TOGETHER = (("train", "validate"), ("collect", "check"))
KIB_PER_GIB, MIB = 1024**2, 2**20


class Network:
    """Copies of simulated stations as a source: each at another level, on a grid of one station in 400 km²."""

    name = "simulated"
    simulated = True

    def __init__(self, n_stations: int, pollutants: Sequence[str]) -> None:
        self._original = SimulatedSource(n_stations=N_ORIGINALS, pollutants=pollutants)
        rng, copies = np.random.default_rng(0), np.arange(n_stations)
        width, originals = math.ceil(math.sqrt(n_stations)), self._original.fetch_stations()["station_id"]
        self._copies = pl.DataFrame(
            {
                "copy_id": [f"s{k:05d}" for k in copies],
                "station_id": originals.gather(copies % len(originals)),
                "factor": rng.uniform(0.7, 1.4, n_stations),
                "latitude": 40 + (copies // width) * 0.18,
                "longitude": (copies % width) * 0.24,
            }
        )

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        return None

    def fetch_stations(self) -> pl.DataFrame:
        rows = self._original.fetch_stations().drop("latitude", "longitude", "name")
        placed = self._copied(rows).with_columns(name="station_id")
        return placed.select(Stations.create_empty().columns).sort("station_id")

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        rows = self._copied(self._original.fetch_observations(since=since, until=until))
        scaled = (pl.col("concentration_ugm3") * pl.col("factor")).round(1)
        return rows.with_columns(concentration_ugm3=scaled).drop("factor", "latitude", "longitude")

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        rows = self._copied(self._original.fetch_weather(since=since, until=until))
        return rows.select(Weather.create_empty().columns)

    def _copied(self, rows: pl.DataFrame) -> pl.DataFrame:
        return self._copies.join(rows, on="station_id").drop("station_id").rename({"copy_id": "station_id"})


class Parts(Wiring):
    """The wiring of one size: everything is as configured but the source."""

    @cached_property
    def source(self) -> Network:  # type: ignore[override]
        size = json.loads((self.settings.home / "size.json").read_text())
        return Network(size["stations"], size["pollutants"])


def parts_of(home: Path, *, light: bool) -> Parts:
    return Parts(Settings(home=home, source="simulated", light_training=light, validation_days=14))


def build(home: Path, n_stations: int, pollutants: Sequence[str], days: int) -> None:
    """Write the history of a network through the store."""
    home.mkdir(parents=True)
    (home / "size.json").write_text(json.dumps({"stations": n_stations, "pollutants": list(pollutants)}))
    parts = parts_of(home, light=True)
    store, source = parts.store, parts.source
    store.upsert(Stations, source.fetch_stations())
    for first in range(0, days, BUILD_DAYS):
        since = END - days * DAY + first * DAY
        span = {"since": since, "until": min(since + BUILD_DAYS * DAY, END)}
        observed = source.fetch_observations(**span)
        checked = {"flag": pl.lit("ok"), "flag_reasons": pl.lit(""), "ingested_at": pl.col("available_at")}
        store.upsert(Observations, observed.with_columns(**checked).select(Observations.create_empty().columns))
        store.append(Weather, source.fetch_weather(**span))


def promote_from(trained: Path, home: Path) -> None:
    """Make the champion of one home the champion of another."""
    forecaster, _ = parts_of(trained, light=True).registry.champion()
    registry = parts_of(home, light=True).registry
    version = registry.record(Training(parameters={}, metrics={}, forecaster=forecaster, notes={}))
    registry.promote(version, reason="benchmark", at=END)


def actions(pipeline: Pipeline) -> dict[str, Callable[[list[object]], object]]:
    """The steps by name; each gets the results of those before it in its process."""

    def promoted(results: list[object]) -> object:
        found = pipeline.validate(results[-1])  # type: ignore[arg-type]
        # Whatever the promotion test finds: the benchmark measures the forecast of a trained model.
        pipeline.parts.registry.promote(found.version, reason="benchmark", at=pipeline.now)
        return found

    return {
        "train": lambda _: pipeline.train(),
        "validate": promoted,
        "forecast0": lambda _: pipeline.forecast(),
        "collect": lambda _: pipeline.collect(),
        "check": lambda results: pipeline.check(results[-1]),  # type: ignore[arg-type]
        "forecast": lambda _: pipeline.forecast(),
        "verify": lambda _: pipeline.verify(),
        "monitor": lambda _: pipeline.monitor(),
        "alert": lambda _: pipeline.alert(),
    }


def run(home: Path, steps: Sequence[str], *, light: bool) -> list[dict[str, float | str]]:
    """Run steps in this process; the cost of each."""
    now = END if steps[0] in ("train", "forecast0") else END + DAY
    pipeline, results, costs = Pipeline(parts_of(home, light=light), now=now), [], []
    _ = pipeline.parts.registry  # MLflow takes seconds to import
    for step in steps:
        _reset_peak()
        before, wall, cpu = _files(home), time.perf_counter(), time.process_time()
        results.append(actions(pipeline)[step](results))
        cost = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "peak_gib": _peak_gib()}
        written = sum(size for name, size in _files(home).items() if before.get(name) != size) / MIB
        costs.append({"step": step, **cost, "written_mib": written})
    return costs


def _files(home: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in home.rglob("*") if path.is_file()}


def _reset_peak() -> None:
    """Let VmHWM begin anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_gib() -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / KIB_PER_GIB


def measure(n_stations: int, options: argparse.Namespace, folder: Path) -> Iterator[dict[str, float | str]]:
    """The costs of one size, step by step."""
    home, script = folder / f"{n_stations}", [sys.executable, __file__, "--home"]
    size = ["--build", str(n_stations), "--pollutants", *options.pollutants, "--days", str(options.days)]
    has_model = options.train_once and n_stations != options.stations[0]
    given = ["--champion-of", str(folder / f"{options.stations[0]}")] if has_model else []
    subprocess.run([*script, str(home), *size, *given], check=True)
    pending = [step for step in STEPS if step in options.steps and not (has_model and step in TOGETHER[0])]
    while pending:
        group = next((group for group in TOGETHER if pending[0] in group), (pending[0],))
        mine = [step for step in group if step in pending]
        pending = pending[len(mine) :]
        effort = ["--full-training"] if options.full_training else []
        found = subprocess.run(
            [*script, str(home), "--run", *mine, *effort], check=True, stdout=subprocess.PIPE, text=True
        )
        for cost in json.loads(found.stdout.splitlines()[-1]):
            yield {"stations": n_stations, **cost}


def compare(sizes: Sequence[int], options: argparse.Namespace, folder: Path) -> list[dict[str, float | str]]:
    """The costs of all sizes, printed as they come, with growth exponents."""
    print(f"{options.days} days of history, {len(options.pollutants)} pollutants; load matters for wall times only")
    print("| stations | step | CPU s | wall s | peak GiB | written MiB | CPU exponent | memory exponent |")
    print("|---|---|---|---|---|---|---|---|")
    rows: list[dict[str, float | str]] = []
    for n_stations in sizes:
        for row in measure(n_stations, options, folder):
            smaller = [other for other in rows if other["step"] == row["step"]]
            growth = [_exponent(smaller[-1], row, cost) if smaller else "" for cost in ("cpu_s", "peak_gib")]
            rows.append(row)
            costs = (f"{row[cost]:.2f}" for cost in ("cpu_s", "wall_s", "peak_gib", "written_mib"))
            print(f"| {n_stations} | {row['step']} |", " | ".join([*costs, *growth]), "|", flush=True)
    return rows


def _exponent(smaller: dict[str, float | str], larger: dict[str, float | str], cost: str) -> str:
    ratio = math.log(float(larger["stations"]) / float(smaller["stations"]))
    return f"{math.log(max(float(larger[cost]), 1e-3) / max(float(smaller[cost]), 1e-3)) / ratio:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stations", type=int, nargs="+", default=SIZES)
    parser.add_argument("--pollutants", nargs="+", default=POLLUTANTS)
    parser.add_argument("--days", type=int, default=100, help="of history")
    parser.add_argument("--steps", nargs="+", default=STEPS, choices=STEPS)
    parser.add_argument("--train-once", action="store_true", help="the larger networks get the model of the smallest")
    parser.add_argument("--full-training", action="store_true", help="the shipped effort, not the light one")
    parser.add_argument("--folder", type=Path, help="keeps the homes; default: a temporary folder")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--champion-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--build", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        build(options.home, options.build, options.pollutants, options.days)
        if options.champion_of:
            promote_from(options.champion_of, options.home)
    elif options.run:
        print(json.dumps(run(options.home, options.run, light=not options.full_training)))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            rows = compare(options.stations, options, options.folder or Path(scratch))
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
        print(f"largest process of all: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / KIB_PER_GIB:.2f} GiB")


if __name__ == "__main__":
    main()
