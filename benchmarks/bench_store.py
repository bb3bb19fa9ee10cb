"""The store against the physical limit: the same rows as one bare Parquet file.

Prints ratios of one run on one machine; nothing is compared across runs.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.tables import Observations
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
REPEATS = 3


def rows(n_stations: int, days: int) -> pl.DataFrame:
    fetched = SimulatedSource(n_stations=n_stations).fetch_observations(since=START, until=START + timedelta(days=days))
    added = {"flag": pl.lit("ok"), "flag_reasons": pl.lit(""), "ingested_at": pl.col("available_at")}
    return fetched.with_columns(**added).select(Observations.create_empty().columns)


def best_seconds(action: Callable[[], object], *, before: Callable[[], object] = lambda: None) -> float:
    found = []
    for _ in range(REPEATS):
        before()
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> None:
    history = rows(n_stations=12, days=365)
    last_hour = history.filter(pl.col("observed_at") == history["observed_at"].max())
    next_hour = last_hour.with_columns(pl.col("observed_at", "available_at", "ingested_at") + HOUR)
    one_station = pl.col("station_id") == history["station_id"][0]
    with tempfile.TemporaryDirectory() as scratch:
        file, root = Path(scratch) / "bare.parquet", Path(scratch) / "tables"
        store = Store(str(root))
        bare = best_seconds(lambda: history.write_parquet(file))
        first = best_seconds(
            lambda: store.upsert(Observations, history), before=lambda: shutil.rmtree(root, ignore_errors=True)
        )
        again = best_seconds(lambda: store.upsert(Observations, history))
        hourly = best_seconds(
            lambda: store.upsert(Observations, next_hour), before=lambda: _reset(store, root, history)
        )
        read_bare = best_seconds(lambda: pl.scan_parquet(file).filter(one_station).collect())
        read = best_seconds(lambda: store.read(Observations, one_station))
    print(f"{history.height:,} rows; seconds, and ratio to a bare Parquet file of the same rows")
    print(f"first write            {first:6.2f} s  {first / bare:5.1f} × bare write ({bare:.2f} s)")
    print(f"the same rows again    {again:6.2f} s  {again / bare:5.1f} × bare write")
    print(f"one more hour          {hourly:6.2f} s  {hourly / bare:5.1f} × bare write of everything")
    print(f"read one station       {read:6.2f} s  {read / read_bare:5.1f} × bare read ({read_bare:.2f} s)")


def _reset(store: Store, root: Path, history: pl.DataFrame) -> None:
    shutil.rmtree(root, ignore_errors=True)
    store.upsert(Observations, history)


if __name__ == "__main__":
    main()
