"""Training and one forecast pass, against the same work done with mlforecast and LightGBM, in one run.

Both train on the same year of the same stations, without weather ahead, and forecast every hour of the next three days
with intervals. bench_skill.py compares the skill of both over many issues. Pass a dataset folder (docs/data.md), or use
the simulated source. The peer is installed into a temporary environment because it pins an older pandas.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from hazecast.features import FutureWeather, build_panel
from hazecast.models.stack import Stack
from hazecast.sources import Source
from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import SimulatedSource

PEERS = Path(__file__).parent / "peers"
DAYS = 365
POLLUTANT = "pm25"
MEASURES = {
    "fit_cpu_seconds": "training, CPU s",
    "fit_seconds": "training, s",
    "pass_cpu_seconds": "forecast pass, CPU s",
    "gib": "peak memory, GiB",
}


def main() -> None:
    source: Source = FilesSource(Path(sys.argv[1])) if len(sys.argv) > 1 else SimulatedSource(n_stations=12)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        n_stations = lay_out(source, folder)
        mine = measure([sys.executable, __file__, "--ours", str(folder)])
        python = peer_environment(folder)
        peer = measure([python, str(PEERS / "direct.py"), str(folder / "history.parquet")])
    print(f"{source.name}: {POLLUTANT}, {n_stations} stations, {DAYS} days, no weather ahead")
    print(f"{'':42} Hazecast  mlforecast  ratio")
    for name, words in MEASURES.items():
        print(f"{words:42} {mine[name]:8.2f} {peer[name]:11.2f} {mine[name] / peer[name]:6.2f}")


def lay_out(source: Source, folder: Path) -> int:
    """What both may learn from, ours as tables, the peer's as a long frame of unique_id, ds, y; how many stations."""
    span = source.fetch_span() or (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC))
    until = span[1]
    since = until - timedelta(days=DAYS)
    rows = source.fetch_observations(since=since, until=until).filter(pl.col("pollutant") == POLLUTANT)
    source.fetch_stations().write_parquet(folder / "stations.parquet")
    source.fetch_weather(since=since, until=until).write_parquet(folder / "weather.parquet")
    rows.write_parquet(folder / "observations.parquet")
    as_peers_read(rows).write_parquet(folder / "history.parquet")
    return rows["station_id"].n_unique()


def as_peers_read(rows: pl.DataFrame) -> pl.DataFrame:
    """Observations as pollutant, unique_id, ds (UTC, without a zone), y [µg/m³]."""
    naive = pl.col("observed_at").dt.replace_time_zone(None)
    return rows.select("pollutant", unique_id="station_id", ds=naive, y="concentration_ugm3")


def ours(folder: Path) -> None:
    """Our side, in a process of its own; prints its measures as JSON."""
    observations = pl.read_parquet(folder / "observations.parquet").with_columns(flag=pl.lit("ok"))
    panel = build_panel(
        observations, pl.read_parquet(folder / "weather.parquet"), pl.read_parquet(folder / "stations.parquet")
    )
    until = panel.start + timedelta(hours=panel.n_hours)
    wall, cpu = time.perf_counter(), time.process_time()
    forecaster = Stack.fit(panel, pollutants=(POLLUTANT,), until=until, weather=FutureWeather.NONE)
    trained = {"fit_seconds": time.perf_counter() - wall, "fit_cpu_seconds": time.process_time() - cpu}
    wall, cpu = time.perf_counter(), time.process_time()
    forecaster.predict(panel, until)
    passed = {"pass_seconds": time.perf_counter() - wall, "pass_cpu_seconds": time.process_time() - cpu}
    print(json.dumps(trained | passed | {"gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2}))


def peer_environment(folder: Path) -> str:
    venv.create(folder / "peer", with_pip=True)
    python = str(folder / "peer" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", str(PEERS / "requirements.txt")], check=True)
    return python


def measure(command: list[str]) -> dict[str, float]:
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        ours(Path(sys.argv[2]))
    else:
        main()
