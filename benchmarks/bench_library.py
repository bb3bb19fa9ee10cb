"""The same job with `import hazecast`, mlforecast and Darts: lines of code, seconds, error and coverage.

The job: read a CSV of one year of hourly PM2.5 at every station, train on all but the last nine days, forecast 72 hours
with an 80 % interval on each of the next seven days, and print MAE [µg/m³] and the share of observations inside it. No
weather. The scripts are benchmarks/peers/job_*.py. Lines are those of statements, without imports.
Each peer is installed into a temporary environment. Pass a dataset folder (docs/data.md).
"""

import argparse
import ast
import resource
import subprocess
import sys
import tempfile
import time
import venv
from datetime import timedelta
from pathlib import Path

import measured
import polars as pl

from hazecast.evaluation.dataset import Dataset, read_dataset

PEERS = Path(__file__).parent / "peers"
# As their documentation installs them; Darts without its neural networks (u8darts).
REQUIREMENTS = {
    "mlforecast": ("mlforecast==1.1.0", "lightgbm==4.6.0"),
    "darts": ("u8darts", "lightgbm==4.6.0"),
}
DAYS, TESTED_DAYS, HORIZON_DAYS = 365, 7, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="dataset folder")
    parser.add_argument("--python", action="append", default=[], help="peer=PYTHON: use an existing environment")
    parser.add_argument("--record", action="store_true", help="write docs/measurements/library.csv")
    options = parser.parse_args()
    if options.data is None:
        print("no dataset folder given: python benchmarks/bench_library.py DIR")
        return
    given = dict(text.split("=", 1) for text in options.python)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        since, until = lay_out(read_dataset(options.data), folder / "air.csv")
        for kind in ("trees", "stack"):
            job = [sys.executable, str(PEERS / "job_hazecast.py"), str(folder / "air.csv"), since, until, kind]
            rows.append({"library": f"Hazecast, {kind}", **run(job)})
        for peer in REQUIREMENTS:
            python = given.get(peer) or environment(peer, folder)
            rows.append(
                {"library": peer, **run([python, str(PEERS / f"job_{peer}.py"), str(folder / "air.csv"), since])}
            )
    with pl.Config(tbl_cols=-1, tbl_width_chars=120, fmt_str_lengths=40):
        print(pl.DataFrame(rows))
    if options.record:
        measured.write("library.csv", rows)


def lay_out(data: Dataset, path: Path) -> tuple[str, str]:
    """Write the last year of PM2.5 as station_id, time, pm25; returns the first issue and the end of the issues."""
    end = data.until.replace(hour=0)
    first = end - timedelta(days=TESTED_DAYS - 1 + HORIZON_DAYS)
    valid = data.observations.filter(
        pl.col("pollutant") == "pm25",
        pl.col("flag") == "ok",
        pl.col("observed_at").is_between(end - timedelta(days=DAYS), end, closed="left"),
    )
    valid.select("station_id", time="observed_at", pm25="concentration_ugm3").sort("station_id", "time").write_csv(
        path, datetime_format="%Y-%m-%dT%H:%MZ"
    )
    return f"{first:%Y-%m-%dT%H:%MZ}", f"{first + timedelta(days=TESTED_DAYS):%Y-%m-%dT%H:%MZ}"


def run(job: list[str]) -> dict[str, object]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    output = subprocess.run(job, check=True, capture_output=True, text=True).stdout.split()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    mae, coverage = float(output[-2]), float(output[-1])
    return {
        "lines": lines_of(Path(job[1])),
        "CPU, s": round(cpu, 1),
        "seconds": round(time.monotonic() - began, 1),
        "MAE [µg/m³]": round(mae, 1),
        "80 % interval covers": f"{coverage:.0%}",
    }


def lines_of(path: Path) -> int:
    """Lines of the statements that are no imports and no docstring."""
    body = ast.parse(path.read_text(encoding="utf-8")).body[1:]
    statements = [one for one in body if not isinstance(one, ast.Import | ast.ImportFrom)]
    return sum((one.end_lineno or one.lineno) - one.lineno + 1 for one in statements)


def environment(peer: str, folder: Path) -> str:
    venv.create(folder / peer, with_pip=True)
    python = str(folder / peer / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[peer]], check=True)
    return python


if __name__ == "__main__":
    main()
