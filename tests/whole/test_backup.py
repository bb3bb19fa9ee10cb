"""Backup, restore and repair of a local home: under a running writer, with kill -9 in the middle, on damaged tables."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from one_station import UNTIL, write_station

from hazecast.air.tables import Forecasts, Observations
from hazecast.cli.backup import MANIFEST, backup, repair_home, restore
from hazecast.errors import AlreadyRunning, SettingsError
from hazecast.models.climatology import Climatology
from hazecast.pipeline import Pipeline
from hazecast.registry import Training
from hazecast.settings import Settings
from hazecast.steps.monitor import rows_ahead
from hazecast.store import Store
from hazecast.wiring import Wiring

HOUR = timedelta(hours=1)
WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
import polars as pl
from hazecast.air.tables import Observations
from hazecast.store import Store
store = Store(sys.argv[1])
rows = store.read(Observations).sort("observed_at").head(24)
for number in range(1_000_000):
    shifted = pl.col("observed_at", "available_at") - timedelta(days=1 + number)
    store.upsert(Observations, rows.with_columns(shifted))
    print(number, flush=True)
"""


def parts_of(folder: Path, home: str = "home", *, now: datetime = UNTIL) -> Wiring:
    return Wiring(Settings(home=folder / home, source="files", data=folder / "town", now=now))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_station(folder / "town")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        parts = parts_of(folder)
        pipeline = Pipeline(parts, now=UNTIL)
        pipeline.check(pipeline.collect())
        for _ in range(2):
            model = Climatology(UNTIL, pollutants=("pm25",))
            version = parts.registry.record(Training(parameters={}, metrics={}, forecaster=model))
        parts.registry.promote(version, reason="test")
        pipeline.forecast()
    secrets = folder / "home/secrets"
    secrets.mkdir()
    (secrets / "mlflow").write_text("of this machine")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, made by restoring a backup of the one above: another path."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    file, _ = backup(made / "home", tmp_path / "first.tar", now=UNTIL)
    shutil.copytree(made / "town", tmp_path / "town")
    assert restore(file, tmp_path / "home") is None
    (tmp_path / "home" / "datasets.json").unlink()
    return tmp_path


def contents(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_a_restored_home_on_another_path_has_tables_models_and_champion_and_no_secrets(folder: Path):
    parts = parts_of(folder)
    assert parts.store.read(Observations).height == 40 * 24
    model, version = parts.registry.champion()
    assert (model, version) == (Climatology(UNTIL, pollutants=("pm25",)), "2")
    assert parts.registry.champion_problem() is None
    assert not (folder / "home/secrets").exists()
    (folder / "home/secrets").mkdir()
    (folder / "home/secrets/mlflow").write_text("of the new machine")
    previous = restore(folder / "first.tar", folder / "home")
    assert (folder / "home/secrets/mlflow").read_text() == "of the new machine"
    assert (previous / "mlflow.db").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["first.tar", "home", "home.before-restore", "town"]


def test_a_backup_under_a_running_writer_is_whole(folder: Path):
    tables = str(folder / "home/tables/town")
    with subprocess.Popen([sys.executable, "-c", WRITER, tables], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        for number in range(3):
            file, _ = backup(folder / "home", folder / f"under-{number}.tar", now=UNTIL)
        writer.kill()
    restore(file, folder / "other")
    rows = Store(str(folder / "other/tables/town")).read(Observations)
    assert rows.height > 41 * 24
    assert rows.height % 24 == 0  # whole writes only


def test_killed_in_the_middle_home_and_backup_are_as_they_were(folder: Path):
    home, file = folder / "home", folder / "first.tar"
    with (home / "large.bin").open("wb") as large:
        large.write(os.urandom(60_000_000))
    before = contents(home)
    code = "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
    code += "from hazecast.cli.backup import backup, restore; print('ready', flush=True)\n"
    saving = f"{code}backup(Path({str(home)!r}), Path({str(file)!r}), now=datetime.now(UTC))"
    restoring = f"{code}restore(Path({str(file)!r}), Path({str(home)!r}))"
    saved = file.read_bytes()
    for delay in (0.02, 0.1, 0.2):
        kill_after(saving, delay)
        assert contents(home) == before
        assert file.read_bytes() == saved
    file, _ = backup(home, file, now=UNTIL)
    restore(file, home)  # so that a restore which ends before it is killed changes nothing either
    before = {name: content for name, content in contents(home).items() if not name.startswith("locks")}
    for delay in (0.02, 0.1, 0.2, 0.4):
        kill_after(restoring, delay)
        found = contents(home)
        assert {name: found[name] for name in found if not name.startswith("locks")} == before
    restore(file, home)
    assert [path for path in folder.iterdir() if path.name.startswith(".hazecast")] == []


def kill_after(code: str, delay_seconds: float) -> None:
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay_seconds)
        process.kill()


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
def test_a_damaged_backup_is_refused_and_changes_nothing(folder: Path, damage: str):
    file = folder / "first.tar"
    before = contents(folder / "home")
    if damage == "cut":
        os.truncate(file, file.stat().st_size // 2)
    elif damage == "changed":
        content = file.read_bytes()
        at = content.index(b"PAR1") + 100
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    else:
        with tarfile.open(file, "w") as archive:
            archive.add(folder / "town", "town")
    with pytest.raises(SettingsError, match="backup"):
        restore(file, folder / "home")
    assert {name: found for name, found in contents(folder / "home").items() if not name.startswith("locks")} == before


def test_a_running_stack_is_not_restored_over(folder: Path):
    (folder / "home/up.json").write_text(f'{{"pid": {os.getpid()}, "services": {{}}}}')
    with pytest.raises(AlreadyRunning, match="stop it first"):
        restore(folder / "first.tar", folder / "home")
    with tarfile.open(backup(folder / "home", folder / "again.tar", now=UNTIL)[0]) as archive:
        names = archive.getnames()
    assert MANIFEST in names
    assert "up.json" not in names


def damage_log(table: Path) -> None:
    newest = max((table / "_delta_log").glob("*.json"))
    os.truncate(newest, 100)


def lose_log(table: Path) -> None:
    shutil.rmtree(table / "_delta_log")


def truncate_file(table: Path) -> None:
    os.truncate(max(table.rglob("*.parquet")), 1_000)


def delete_file(table: Path) -> None:
    max(table.rglob("*.parquet")).unlink()


@pytest.mark.parametrize("damage", [damage_log, lose_log, truncate_file, delete_file])
def test_repair_keeps_what_is_whole_of_a_table(folder: Path, damage):
    store = parts_of(folder).store
    table = folder / "home/tables/town/observations"
    n_rows = store.read(Observations).height
    damage(table)
    done = list(repair_home(parts_of(folder)))
    assert len(done) == 1
    assert "observations" in done[0]
    left = store.read(Observations).height
    assert left == n_rows if damage is lose_log else left < n_rows
    pipeline = Pipeline(parts_of(folder), now=UNTIL)
    pipeline.check(pipeline.collect())
    assert store.read(Observations).height == n_rows
    assert list(repair_home(parts_of(folder))) == []


def run(folder: Path, command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HAZECAST_", "MLFLOW_"))}
    environment |= {"HAZECAST_HOME": str(folder / "home"), "HAZECAST_NOW": UNTIL.isoformat()}
    call = [sys.executable, "-m", "hazecast.cli", command, "--data", str(folder / "town")]
    return subprocess.run(call, env=environment, stdout=subprocess.PIPE, text=True, timeout=200, check=True).stdout


def test_repair_registers_the_kept_champion_under_its_number(folder: Path):
    # In processes of their own: MLflow keeps a database open.
    run(folder, "forecast")
    os.truncate(folder / "home/mlflow.db", 50_000)
    done = run(folder, "repair").splitlines()
    assert "is damaged" in done[0]
    assert "version 2" in done[1]
    fresh = parts_of(folder)
    assert fresh.registry.champion()[1] == "2"
    assert [version.version for version in fresh.registry.versions()] == ["2"]
    model = Climatology(UNTIL, pollutants=("pm25",))
    assert fresh.registry.record(Training(parameters={}, metrics={}, forecaster=model)) == "3"


def test_rows_of_a_clock_that_was_ahead_are_named_ignored_and_removed(folder: Path):
    parts = parts_of(folder)
    store = parts.store
    ahead = timedelta(days=3 * 365)
    rows = store.read(Observations).tail(48)
    store.upsert(Observations, rows.with_columns(pl.col("observed_at", "available_at", "ingested_at") + ahead))
    issue = store.read(Forecasts)
    store.append(Forecasts, issue.with_columns(pl.col("issued_at", "valid_at") + ahead))
    assert "while the clock was ahead" in rows_ahead(store, now=UNTIL)
    later = Pipeline(parts, now=UNTIL + 2 * HOUR)
    assert later.collect().since == UNTIL - 72 * HOUR - HOUR
    assert not later.is_issued
    done = list(repair_home(parts))
    assert any("48 rows" in line for line in done)
    assert rows_ahead(store, now=UNTIL) is None
    assert store.read(Observations).height == 40 * 24
    assert store.read(Forecasts).height == issue.height
