"""The kernel of a forecast, `predict` alone, for 100, 1,000 and 10,000 stations: six pollutants, 72 hours.

This is not the production pass: the panel is in memory and has 35 days, while `hazecast forecast` reads up to 400 days
from the store, explains the forecast and runs the challenger. Every size runs in its own process to measure its memory.
Stations are copies of simulated ones, moved in time and place; the model is trained on simulated data, as its size and
not its skill determines the cost. The ratio of the cost per station to that at 100 stations shows how it scales.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.distance import nearest_stations
from hazecast.air.pollutants import POLLUTANTS
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.models.stack import Stack
from hazecast.sources.simulated import SimulatedSource

SIZES = (100, 1_000, 10_000)
START = datetime(2024, 1, 1, tzinfo=UTC)
TRAINING_DAYS, HISTORY_HOURS = 240, 24 * 35
GOAL_SECONDS, GOAL_GIB = 90, 6
_KIB_PER_GIB = 1024**2


def town() -> Panel:
    source, span = SimulatedSource(n_stations=8), {"since": START, "until": START + timedelta(days=TRAINING_DAYS)}
    flags = pl.lit("ok").alias("flag")
    observations = source.fetch_observations(**span).with_columns(flags)
    return build_panel(observations, source.fetch_weather(**span), source.fetch_stations())


def crowd(panel: Panel, n_stations: int) -> Panel:
    """Copies of the panel's stations: three weeks each from some random time, at random places of one region."""
    rng = np.random.default_rng(0)
    station = rng.integers(0, len(panel.stations), n_stations)
    hours = rng.integers(0, panel.n_hours - HISTORY_HOURS, n_stations)[:, None] + np.arange(HISTORY_HOURS)
    latitude, longitude = (rng.uniform(*box, n_stations).astype(np.float32) for box in ((45, 55), (0, 20)))
    clock = np.arange(1, HISTORY_HOURS + 1, dtype=np.int32)
    return replace(
        panel,
        stations=tuple(f"s{k:05d}" for k in range(n_stations)),
        concentration_ugm3=panel.concentration_ugm3[:, station[:, None], hours],
        is_truth=panel.is_truth[:, station[:, None], hours],
        known_from=np.broadcast_to(clock, (len(panel.pollutants), n_stations, HISTORY_HOURS)),
        weather=panel.weather[station[:, None], hours],
        weather_known_from=np.broadcast_to(clock, (n_stations, HISTORY_HOURS)),
        neighbours=nearest_stations(latitude, longitude),
        latitude_deg=latitude,
        longitude_deg=longitude,
        timezones=tuple(panel.timezones[k] for k in station),
    )


def measure(model: Path, n_stations: int) -> None:
    """One pass in this process; prints its seconds, CPU seconds, rows and peak memory as JSON."""
    issued_at = START + (HISTORY_HOURS - 72) * HOUR
    forecaster = replace(Stack.load(model), trained_until=START)
    panel = crowd(town(), n_stations)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    rows = forecaster.predict(panel, issued_at).height
    found = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu, "rows": rows}
    peak = max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(json.dumps(found | {"gib": peak / _KIB_PER_GIB}))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        until = START + timedelta(days=TRAINING_DAYS)
        Stack.fit(town(), pollutants=POLLUTANTS, until=until, weather=FutureWeather.OBSERVED).save(model)
        print("stations       rows  seconds  CPU s   GiB  per station, of that at 100")
        first = 0.0
        for n_stations in SIZES:
            command = [sys.executable, __file__, str(model), str(n_stations)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            first = first or found["cpu_seconds"] / n_stations
            share = found["cpu_seconds"] / n_stations / first
            print(
                f"{n_stations:8,} {found['rows']:10,} {found['seconds']:8.1f} {found['cpu_seconds']:6.0f} "
                f"{found['gib']:5.2f}  {share:.2f}"
            )
        print(f"goal at {n_stations:,}: at most {GOAL_SECONDS} s ({found['seconds'] / GOAL_SECONDS:.2f} of it)", end="")
        print(f" and {GOAL_GIB} GiB ({found['gib'] / GOAL_GIB:.2f} of it)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
