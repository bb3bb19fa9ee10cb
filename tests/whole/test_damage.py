"""A damaged registry, damaged model files, a read-only home: one sentence with the remedy, and the kept champion."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result
from one_station import UNTIL, write_station
from typer.testing import CliRunner

from hazecast.air.tables import Forecasts, Runs
from hazecast.air.verdicts import Retrains
from hazecast.cli import app
from hazecast.models.climatology import Climatology
from hazecast.pipeline import Pipeline
from hazecast.registry import Training
from hazecast.settings import Settings
from hazecast.store import Store
from hazecast.wiring import Wiring

TOWN = "tables/town"


@pytest.fixture(scope="module")
def whole_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a forecast by its champion, version 1, which is kept on this machine too."""
    folder = tmp_path_factory.mktemp("whole")
    write_station(folder / "town")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        parts = Wiring(Settings(home=folder / "home", source="files", data=folder / "town"))
        pipeline = Pipeline(parts, now=UNTIL)
        pipeline.check(pipeline.collect())
        model = Climatology(UNTIL, pollutants=("pm25",))
        parts.registry.promote(parts.registry.record(Training(parameters={}, metrics={}, forecaster=model)), reason="")
        pipeline.forecast()
    (folder / "data.txt").write_text(str(folder / "town"))
    return folder


@pytest.fixture
def folder(whole_home: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole_home, tmp_path / "copy")
    home = tmp_path / "copy/home"
    # MLflow keeps absolute addresses of artifacts.
    database, old, new = home / "mlflow.db", str(whole_home / "home"), str(home)
    edit = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nfor t, k in eval(sys.argv[2]):\n"
    edit += "    c.execute(f'update {t} set {k} = replace({k}, ?, ?)', sys.argv[3:5])\nc.commit()"
    columns = [("experiments", "artifact_location"), ("logged_models", "artifact_location"), ("runs", "artifact_uri")]
    columns += [("model_versions", "source"), ("model_versions", "storage_location")]
    subprocess.run([sys.executable, "-c", edit, str(database), repr(columns), old, new], check=True)
    return tmp_path / "copy"


Run = Callable[..., Result]


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one command after the forecast; it prints no traceback and nothing of the libraries below."""

    def command(*words: str, hours: int = 1) -> Result:
        environment = {"HAZECAST_HOME": str(folder / "home"), "HAZECAST_NOW": UNTIL.replace(hour=hours).isoformat()}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        done = CliRunner().invoke(app, [*words, "--data", (folder / "data.txt").read_text()])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        written = done.output + capfd.readouterr().err
        assert "Traceback" not in written, written
        assert "panicked" not in written, written
        return done

    return command


def truncate(path: Path, share: float = 0.4) -> None:
    os.truncate(path, int(path.stat().st_size * share))


def registry_files(home: Path) -> list[Path]:
    return [path for path in home.glob("models/**/forecaster/*") if path.is_file()]


def damage_models(home: Path) -> None:
    for path in registry_files(home):
        truncate(path)


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(200_000))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated database": (lambda home: truncate(home / "mlflow.db"), "is damaged"),
    "garbage for a database": (lambda home: garbage(home / "mlflow.db"), "is damaged"),
    "deleted database": (lambda home: (home / "mlflow.db").unlink(), "no champion yet"),
    "truncated model files": (damage_models, "damaged"),
    "deleted model files": (lambda home: shutil.rmtree(home / "models"), "missing"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_the_kept_champion_forecasts_and_doctor_names_the_damage(folder: Path, run: Run, name: str):
    damage, word = DAMAGES[name]
    damage(folder / "home")
    found = run("doctor")
    assert word in found.output
    assert "hazecast r" in found.output  # run training, restore, repair
    done = run("forecast")
    assert done.exit_code == 0, done.output
    assert "kept here" in done.output or "cached champion" in done.output
    rows = Store(str(folder / "home" / TOWN)).read(Forecasts, pl.col("issued_at") == UNTIL.replace(hour=1))
    assert rows["model_version"].unique().to_list() == ["1"]
    assert run("status").exit_code == 0


def test_without_a_copy_a_prediction_is_climatology_and_is_followed_by_one_training(folder: Path, run: Run):
    home = folder / "home"
    shutil.rmtree(home / "champions")
    damage_models(home)
    assert run("run", "prediction").exit_code == 0
    store = Store(str(home / TOWN))
    rows = store.read(Forecasts, pl.col("issued_at") == UNTIL.replace(hour=1))
    assert rows["status"].unique().to_list() == ["baseline"]
    assert "cannot forecast here: its file" in store.read(Retrains)["reasons"][0]
    is_training = pl.col("step") == "train"
    assert store.read(Runs, is_training)["outcome"].to_list() == ["ok"]
    damage_models(home)
    assert run("run", "prediction", hours=2).exit_code == 0
    assert store.read(Runs, is_training).height == 1
    assert "cooling down" in store.read(Retrains).sort("checked_at")["reasons"][-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a read-only folder")
def test_a_read_only_home_is_read_and_said_in_one_sentence(folder: Path, run: Run):
    home = str(folder / "home")
    subprocess.run(["mount", "--bind", home, home], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", home], check=True)
        status = run("status")
        assert status.exit_code == 0, status.output
        assert "version 1" in status.output
        for command in ("collect", "doctor"):
            done = run(command)
            assert done.exit_code == 1
            assert "ead-only file system" in done.output
    finally:
        subprocess.run(["umount", "-l", home], check=True)
