"""The fault table: every fault is provoked on a real home with real processes, and what was stored is counted after it.

    python benchmarks/faults/run.py [--kills 25] [--only WORD]

A row survived if no acknowledged row is lost, no key repeats, the next run succeeds without help or the message names
the remedy and the remedy works, and no traceback and no panic of a library is printed. Mounting small and read-only
file systems needs root. Minutes on two cores; the time is mostly that of starting Python.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl

from hazecast.air.tables import Forecasts, Observations, key_of
from hazecast.cli.backup import backup
from hazecast.errors import HazecastError
from hazecast.logs import configure_logs
from hazecast.models.climatology import Climatology
from hazecast.pipeline import Pipeline
from hazecast.registry import Training
from hazecast.settings import Settings
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store
from hazecast.wiring import Wiring

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = datetime(2026, 3, 1, tzinfo=UTC)
# The data reach 20 days further, so that later runs find new hours.
START = END - 20 * DAY
LOOP = Path(__file__).with_name("loop.py")
STEPS = ("collect, check", "train, validate", "forecast", "verify", "monitor", "alert")
ROOT = os.geteuid() == 0


@dataclass
class Row:
    """One row of the table."""

    fault: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    duplicates: int = 0
    seen: str = ""
    problems: list[str] = field(default_factory=list)


class Home:
    """A copy of the prepared home, in a folder that is removed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.data = folder, folder / "home", folder / "town"

    @property
    def store(self) -> Store:
        return Store(str(self.home / "tables/town"))

    @property
    def table(self) -> Path:
        return self.home / "tables/town/observations"

    def environment(self, now: datetime = START) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAZECAST_", "MLFLOW_"))}
        own = {"HAZECAST_HOME": str(self.home), "HAZECAST_DATA": str(self.data), "HAZECAST_SOURCE": "files"}
        own |= {"HAZECAST_NOW": now.isoformat(), "HAZECAST_MODEL": "climatology", "COLUMNS": "400"}
        return kept | own

    def command(self, *words: str, now: datetime = START) -> subprocess.Popen[str]:
        call = [sys.executable, "-m", "hazecast.cli", *words]
        return subprocess.Popen(
            call, env=self.environment(now), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *words: str, now: datetime = START) -> tuple[int, str]:
        process = self.command(*words, now=now)
        output = process.communicate(timeout=600)[0]
        return process.returncode, output

    def duplicates(self) -> int:
        tables = (Observations, Forecasts)
        frames = [(table, self.store.read(table)) for table in tables]
        return sum(rows.height - rows.unique(key_of(table)).height for table, rows in frames)

    def hours_until(self, hour: datetime) -> int:
        return self.store.read(Observations, pl.col("observed_at") < hour).height


def prepare(folder: Path) -> None:
    """A town of one station, 40 days of it collected, with a champion, its copy and a forecast; and a backup."""
    town = folder / "town"
    town.mkdir(parents=True)
    source = SimulatedSource(n_stations=1)
    rows = source.fetch_observations(since=START - 40 * DAY, until=END).filter(pollutant="pm25")
    source.fetch_stations().select("station_id", "name", "latitude", "longitude").write_csv(town / "stations.csv")
    rows.select("station_id", "observed_at", pm25="concentration_ugm3").write_parquet(town / "observations.parquet")
    parts = Wiring(Settings(home=folder / "home", source="files", data=town, place="town"))
    pipeline = Pipeline(parts, now=START)
    pipeline.check(pipeline.collect())
    champion = Climatology(START, pollutants=("pm25",))
    parts.registry.promote(parts.registry.record(Training(parameters={}, metrics={}, forecaster=champion)), reason="-")
    pipeline.forecast()
    backup(folder / "home", folder / "backup.tar", now=START)


@contextmanager
def copied(made: Path) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="hazecast-fault-") as scratch:
        home = Home(Path(scratch))
        shutil.copytree(made / "town", home.data)
        call = [sys.executable, "-m", "hazecast.cli", "restore", str(made / "backup.tar")]
        subprocess.run(call, env=home.environment(), check=True, capture_output=True)
        # The data set of the copy is in another folder.
        (home.home / "datasets.json").write_text(json.dumps({"town": str(home.data.resolve())}))
        yield home


def is_clean(output: str) -> bool:
    return "Traceback" not in output and "panicked" not in output


def last_line(output: str) -> str:
    found = [line.strip() for line in output.splitlines() if "error:" in line or "✗" in line or "warning" in line]
    return (found or output.strip().splitlines() or [""])[-1][:160]


def expect(row: Row, condition: object, problem: str) -> bool:
    if not condition:
        row.problems.append(problem)
    return bool(condition)


def killed_steps(step: str, kills: int) -> Callable[[Path], Row]:
    """kill -9 at a random moment of a step that runs in a loop; every hour it had finished must be there."""

    def fault(made: Path) -> Row:
        row, hour = Row(f"kill -9 in {step}"), START
        with copied(made) as home:
            for _ in range(kills):
                row.tried += 1
                call = [sys.executable, str(LOOP), step, hour.isoformat()]
                process = subprocess.Popen(
                    call, env=home.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
                assert process.stdout is not None
                while process.stdout.readline().strip() != "ready":
                    if process.poll() is not None:
                        break
                time.sleep(random.uniform(0.05, 2.5))
                process.kill()
                finished = [line.strip() for line in process.stdout if line.startswith("20")]
                process.wait()
                done = datetime.fromisoformat(finished[-1]) if finished else hour - HOUR
                if step == "collect, check" and finished:
                    row.lost += int((done - (START - 40 * DAY)) / HOUR) - home.hours_until(done)
                if step == "forecast":
                    issued = home.store.read(Forecasts, pl.col("lead_hours") == 1)["issued_at"].to_list()
                    row.lost += len({datetime.fromisoformat(line) for line in finished} - set(issued))
                row.duplicates += home.duplicates()
                hour = min(done + HOUR, END - HOUR)
                row.survived += 1
            code, output = home.run("run", "monitoring", now=hour)
            row.seen = f"the next monitoring run: exit {code}"
            if not expect(row, code == 0 and is_clean(output), last_line(output)):
                row.survived = 0
        return row

    return fault


def two_collectors(made: Path) -> Row:
    row = Row("two `collect` at once", tried=1)
    with copied(made) as home:
        both = [home.command("collect", now=END) for _ in range(2)]
        outputs = [process.communicate(timeout=600)[0] for process in both]
        row.duplicates, row.lost = home.duplicates(), 60 * 24 - home.hours_until(END)
        row.seen = f"exit {both[0].returncode} and {both[1].returncode}"
        row.survived = expect(row, not any(process.returncode for process in both), outputs[0] + outputs[1])
    return row


def full_disk(made: Path) -> Row:
    """The home on a small file system that is filled; complete after room was made."""
    row = Row("full disk during `collect` and `forecast`", tried=1)
    with copied(made) as home, mounted(home, "tmpfs", "size=30m"):
        (home.home / "filler").write_bytes(b"x" * (shutil.disk_usage(home.home).free - 300_000))
        outputs = [home.run(command, now=END) for command in ("collect", "forecast", "doctor")]
        row.seen = last_line(outputs[0][1])
        (home.home / "filler").unlink()
        code, _ = home.run("collect", now=END)
        row.lost, row.duplicates = 60 * 24 - home.hours_until(END), home.duplicates()
        clean = all(is_clean(output) for _, output in outputs)
        row.survived = expect(row, clean and outputs[0][0] == 1 and code == 0, "".join(text for _, text in outputs))
    return row


def read_only(made: Path) -> Row:
    row = Row("read-only home", tried=1)
    with copied(made) as home, mounted(home, "bind", ""):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(home.home)], check=True)
        outputs = [home.run(command, now=START + HOUR) for command in ("status", "collect", "forecast", "doctor")]
        row.seen = last_line(outputs[1][1])
        clean = all(is_clean(output) for _, output in outputs)
        row.survived = expect(row, clean and [code for code, _ in outputs] == [0, 1, 1, 1], str(outputs))
    return row


@contextmanager
def mounted(home: Home, kind: str, options: str) -> Iterator[None]:
    """The home as a file system of its own."""
    if kind == "bind":
        subprocess.run(["mount", "--bind", str(home.home), str(home.home)], check=True)
    else:
        aside = home.folder / "aside"
        home.home.rename(aside)
        home.home.mkdir()
        subprocess.run(["mount", "-t", kind, "-o", options, kind, str(home.home)], check=True)
        shutil.copytree(aside, home.home, dirs_exist_ok=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(home.home)], check=True)


def other_user(made: Path) -> Row:
    row = Row("home of another user", tried=1)
    with copied(made) as home:
        for path in (home.folder, home.home, *home.home.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        call = [sys.executable, "-m", "hazecast.cli", "collect"]
        done = subprocess.run(call, env=home.environment(END), capture_output=True, text=True, user=65534, check=False)
        row.seen = last_line(done.stdout + done.stderr)
        clean = is_clean(done.stdout + done.stderr)
        row.survived = expect(row, clean and done.returncode == 1, done.stdout + done.stderr)
    return row


def damaged_table(name: str, damage: Callable[[Path], object]) -> Callable[[Path], Row]:
    """The message names the remedies, and `hazecast repair` and the next `collect` bring every row back."""

    def fault(made: Path) -> Row:
        row = Row(name, tried=1)
        with copied(made) as home:
            damage(home.table)
            code, output = home.run("forecast", now=START + HOUR)
            row.seen = last_line(output)
            named = code == 1 and is_clean(output) and "hazecast repair" in output
            repaired = home.run("repair")
            collected = home.run("collect")
            row.lost, row.duplicates = 40 * 24 - home.hours_until(START), home.duplicates()
            healed = repaired[0] == collected[0] == home.run("forecast", now=START + HOUR)[0] == 0
            row.survived = expect(row, named and healed and not row.lost, output + repaired[1] + collected[1])
        return row

    return fault


def damaged_registry(name: str, damage: Callable[[Path], object]) -> Callable[[Path], Row]:
    """The champion that this machine keeps forecasts, doctor names the remedy."""

    def fault(made: Path) -> Row:
        row = Row(name, tried=1)
        with copied(made) as home:
            home.run("forecast", now=START + HOUR)
            damage(home.home)
            doctor, forecast = home.run("doctor", now=START + 2 * HOUR), home.run("forecast", now=START + 2 * HOUR)
            issued = home.store.read(Forecasts, pl.col("issued_at") == START + 2 * HOUR)["model_version"].to_list()
            row.seen = last_line("\n".join(line for line in doctor[1].splitlines() if "registry" in line))
            clean = is_clean(doctor[1] + forecast[1]) and "hazecast r" in doctor[1]
            row.survived = expect(row, clean and forecast[0] == 0 and set(issued) == {"1"}, doctor[1] + forecast[1])
        return row

    return fault


def truncated_models(home: Path) -> None:
    for path in home.glob("models/**/forecaster/*"):
        os.truncate(path, path.stat().st_size // 2)


def clock(name: str, shift: timedelta) -> Callable[[Path], Row]:
    """The clock is wrong for a while, then right: nothing is lost, and the next run takes no notice."""

    def fault(made: Path) -> Row:
        row = Row(name, tried=1)
        with copied(made) as home:
            wrong = [home.run("run", "prediction", now=START + shift)]
            right = [home.run("run", "prediction", now=START + HOUR), home.run("collect", now=START + 2 * HOUR)]
            newest = home.store.read(Forecasts, pl.col("issued_at") == START + HOUR).height
            row.lost, row.duplicates = 40 * 24 - home.hours_until(START), home.duplicates()
            row.seen = last_line(wrong[0][1])
            codes = [code for code, _ in right]
            clean = all(is_clean(output) for _, output in (*wrong, *right))
            row.survived = expect(row, codes == [0, 0] and newest and clean, str((wrong, right)))
        return row

    return fault


def source_outage(made: Path) -> Row:
    row = Row("source gone during `run prediction`", tried=1)
    with copied(made) as home:
        away = home.data.rename(home.folder / "away")
        _, output = home.run("run", "prediction", now=START + HOUR)
        row.seen = last_line(output)
        away.rename(home.data)
        again = home.run("run", "prediction", now=START + 2 * HOUR)
        row.lost, row.duplicates = 40 * 24 - home.hours_until(START), home.duplicates()
        row.survived = expect(row, is_clean(output) and again[0] == 0, output + again[1])
    return row


def poisoned_batch(made: Path) -> Row:
    row = Row("batch of impossible values", tried=1)
    with copied(made) as home:
        file = home.data / "observations.parquet"
        good = pl.read_parquet(file)
        good.with_columns(pm25=pl.when(pl.col("observed_at") >= START).then(1e30).otherwise("pm25")).write_parquet(file)
        _, output = home.run("collect", now=END)
        row.seen = last_line(output)
        usable = home.store.read(Observations, (pl.col("flag") == "ok") & (pl.col("concentration_ugm3") > 1e4)).height
        good.write_parquet(file)
        again = home.run("collect", now=END)
        row.lost, row.duplicates = 60 * 24 - home.hours_until(END), home.duplicates()
        clean = is_clean(output) and again[0] == 0 and not usable
        row.survived = expect(row, clean, output + again[1])
    return row


def store_removed(made: Path) -> Row:
    """The folder of the tables is away while the API serves, and comes back."""
    row = Row("tables away while the API serves", tried=1)
    with copied(made) as home, serving(home) as address:
        path = f"{address}/stations"
        before = httpx.get(path, trust_env=False).json()
        tables = home.home / "tables"
        away = tables.rename(home.folder / "away")
        time.sleep(4)
        during = [httpx.get(f"{address}/{name}", trust_env=False) for name in ("stations", "alerts", "ready", "health")]
        away.rename(tables)
        time.sleep(4)
        after = httpx.get(path, trust_env=False)
        row.seen = "stations, alerts, ready, health: " + ", ".join(str(found.status_code) for found in during)
        empty = [found for found in during[:2] if found.is_success and found.json() != before and not any(found.json())]
        row.survived = expect(row, not empty and after.json() == before and during[3].is_success, row.seen)
    return row


@contextmanager
def serving(home: Home) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = home.environment(START + HOUR) | {"HAZECAST_API_PORT": str(port)}
    call = [sys.executable, "-m", "hazecast.cli", "serve"]
    process = subprocess.Popen(call, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/api/v1"
    try:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{address}/health", trust_env=False).is_success:
                    break
            time.sleep(0.3)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def flood(made: Path) -> Row:
    """Clients flood forecasts while new ones are issued; no server error, and health keeps responding."""
    row = Row("flood of requests while forecasts are issued", tried=1)
    with copied(made) as home, serving(home) as address:
        station = httpx.get(f"{address}/stations", trust_env=False).json()["stations"][0]["station_id"]
        codes: dict[int, int] = {}
        issuing = home.command("forecast", now=START + HOUR)
        limits = httpx.Limits(max_connections=30)
        with httpx.Client(trust_env=False, limits=limits, timeout=30) as client:
            started = time.monotonic()
            while time.monotonic() - started < 20:
                for path in (f"stations/{station}/forecast?pollutant=pm25", "forecasts?pollutant=pm25", "health"):
                    code = client.get(f"{address}/{path}").status_code
                    codes[code] = codes.get(code, 0) + 1
        issuing.communicate(timeout=600)
        row.seen = ", ".join(f"{count} × {code}" for code, count in sorted(codes.items()))
        row.survived = expect(row, set(codes) <= {200, 304, 429}, row.seen)
    return row


def truncate_log(table: Path) -> None:
    os.truncate(max((table / "_delta_log").glob("*.json")), 100)


def largest(table: Path) -> Path:
    return max(table.rglob("*.parquet"), key=lambda path: path.stat().st_size)


def faults(kills: int) -> list[tuple[str, Callable[[Path], Row]]]:
    found: list[tuple[str, Callable[[Path], Row]]] = [(f"kill {step}", killed_steps(step, kills)) for step in STEPS]
    found += [("collectors", two_collectors), ("outage", source_outage), ("poisoned", poisoned_batch)]
    tables: dict[str, Callable[[Path], object]] = {
        "newest log of a table truncated": truncate_log,
        "log of a table deleted": lambda table: shutil.rmtree(table / "_delta_log"),
        "data file deleted": lambda table: largest(table).unlink(),
        "data file truncated": lambda table: os.truncate(largest(table), 1_000),
    }
    found += [(name, damaged_table(name, damage)) for name, damage in tables.items()]
    registries: dict[str, Callable[[Path], object]] = {
        "mlflow.db truncated": lambda home: os.truncate(home / "mlflow.db", 100_000),
        "mlflow.db random bytes": lambda home: (home / "mlflow.db").write_bytes(os.urandom(200_000)),
        "mlflow.db deleted": lambda home: (home / "mlflow.db").unlink(),
        "model files truncated": truncated_models,
        "model files deleted": lambda home: shutil.rmtree(home / "models"),
    }
    found += [(name, damaged_registry(name, damage)) for name, damage in registries.items()]
    found += [("clock ahead", clock("clock three years ahead, then right", 3 * 365 * DAY))]
    found += [("clock back", clock("clock ten days back, then right", -10 * DAY))]
    if ROOT:
        found += [("full disk", full_disk), ("read-only", read_only), ("other user", other_user)]
    return [*found, ("store removed", store_removed), ("flood", flood)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=25, help="kills of each step")
    parser.add_argument("--only", default="", help="faults whose name contains this")
    options = parser.parse_args()
    configure_logs("text")
    random.seed(1)
    failed = False
    with tempfile.TemporaryDirectory(prefix="hazecast-faults-") as scratch:
        prepare(Path(scratch))
        print("| fault | tried | survived | lost rows | repeated keys | seen |\n|---|---|---|---|---|---|", flush=True)
        for name, fault in faults(options.kills):
            if options.only in name:
                try:
                    row = fault(Path(scratch))
                except (HazecastError, OSError, subprocess.SubprocessError, httpx.HTTPError) as err:
                    row = Row(name, tried=1, problems=[f"{type(err).__name__}: {err}"])
                seen = row.seen.replace("|", "/")
                cells = (row.fault, row.tried, int(row.survived), row.lost, row.duplicates, seen)
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
                if row.survived < row.tried or row.lost or row.duplicates:
                    failed = True
                    print(f"NOT SURVIVED {row.fault}: {row.problems}", file=sys.stderr, flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
