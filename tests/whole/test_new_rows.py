"""A pollutant and an authority are rows: in a copy of the package with benzene and US NAAQS every step works with them.

Only two lists of the copy are edited. The commands run as subprocesses on a dataset folder with a benzene column.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import hazecast
from hazecast.sources.simulated import SimulatedSource

pytestmark = pytest.mark.timeout(1_800)

START = datetime(2025, 1, 6, tzinfo=UTC)
ISSUED = START + timedelta(days=26, hours=6)
LATER = ISSUED + timedelta(days=2)
POLLUTANTS = ("pm25", "benzene")
BENZENE = '    BENZENE = "benzene", "Benzene", 78.11, -1.0, 200.0, 1_000.0, False\n'
NAAQS = """\
    Limit("us", Authority.US_NAAQS, "US NAAQS", Pollutant.PM25, _DAY, 35.0, date(2006, 12, 18)),
    Limit("us", Authority.US_NAAQS, "US NAAQS", Pollutant.O3, _MAX_8H, 0.070, date(2015, 12, 28), Unit.PPM),
"""
API_CALLS = """
import json, sys, warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
from hazecast.api.server import app_of
from hazecast.settings import load_settings
from hazecast.wiring import Wiring

client = TestClient(app_of(Wiring(load_settings())))
print(json.dumps([client.get(path).raise_for_status().json() for path in sys.argv[1:]]))
"""
STATION = "/api/v1/stations/simulated-harbour"
PATHS = {
    "benzene": f"{STATION}/forecast?pollutant=benzene",
    "pm25": f"{STATION}/forecast?pollutant=pm25",
    "summary": f"{STATION}/summary",
    "verification": "/api/v1/verification?by=pollutant",
}


def insert_row(path: Path, row: str, *, after: str) -> None:
    """Insert `row` after the line that starts with `after`."""
    lines = path.read_text().splitlines(keepends=True)
    [position] = [number for number, line in enumerate(lines) if line.strip().startswith(after)]
    path.write_text("".join([*lines[: position + 1], row, *lines[position + 1 :]]))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with a seventh pollutant and a third authority."""
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(Path(hazecast.__file__).parent, root / "hazecast", ignore=shutil.ignore_patterns("__pycache__"))
    insert_row(root / "hazecast/air/pollutants.py", BENZENE, after="CO =")
    insert_row(root / "hazecast/air/limits.py", NAAQS, after='Limit("eu", _EU, "EU 2030 limit", Pollutant.CO')
    return root


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated stations; benzene follows carbon monoxide, as both come from traffic."""
    folder = tmp_path_factory.mktemp("data") / "hamlet"
    folder.mkdir()
    source = SimulatedSource(n_stations=2)
    source.fetch_stations().drop("source").write_csv(folder / "stations.csv")
    rows = source.fetch_observations(since=START, until=LATER)
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide = wide.with_columns(benzene=(pl.col("co") / 250).round(2))
    wide.select("station_id", "observed_at", *POLLUTANTS).write_csv(folder / "observations.csv")
    return folder


@pytest.fixture(scope="module")
def run(package: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run Python with the edited package at a moment; returns stdout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAZECAST_", "MLFLOW_"))}
    environment = kept | {
        "PYTHONPATH": str(package),
        "HAZECAST_HOME": str(tmp_path_factory.mktemp("home")),
        "HAZECAST_SOURCE": "files",
        "HAZECAST_DATA": str(dataset),
        "HAZECAST_LIGHT_TRAINING": "true",
    }

    def run_python(*arguments: str, now: datetime) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment | {"HAZECAST_NOW": now.isoformat()},
            cwd=package,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_python


@pytest.fixture(scope="module")
def responses(run: Callable[..., str]) -> dict[str, dict]:
    """Responses of the API after two days of all sequences."""
    hazecast_cli = ("-m", "hazecast.cli")
    run(*hazecast_cli, "run", "training", now=ISSUED)
    run(*hazecast_cli, "run", "prediction", now=ISSUED)
    run(*hazecast_cli, "run", "prediction", now=LATER)
    run(*hazecast_cli, "run", "monitoring", now=LATER)
    printed = run("-c", API_CALLS, *PATHS.values(), now=LATER)
    return dict(zip(PATHS, json.loads(printed.splitlines()[-1]), strict=True))


def test_a_pollutant_without_limits_is_forecast_and_verified_without_exceedances(responses: dict[str, dict]):
    benzene = responses["benzene"]
    assert benzene["limits"] == []
    assert all(0 < hour["q05"] <= hour["q95"] < 20 for hour in benzene["hours"])
    assert all(set(hour["p_exceed"].values()) == {None} for hour in benzene["hours"])
    verified = {group["pollutant"]: group for group in responses["verification"]["groups"]}
    assert verified["benzene"]["n"] > 0
    assert verified["benzene"]["mae"] > 0
    assert verified["benzene"]["brier_who"] is verified["benzene"]["brier_us"] is None


def test_a_third_authority_has_probabilities_and_scores(responses: dict[str, dict]):
    pm25 = responses["pm25"]
    assert [limit["key"] for limit in pm25["limits"]] == ["who", "eu", "us"]
    for hour in pm25["hours"]:
        assert hour["p_exceed"]["us"] <= hour["p_exceed"]["eu"] <= hour["p_exceed"]["who"]
    verified = {group["pollutant"]: group for group in responses["verification"]["groups"]}
    assert verified["pm25"]["brier_us"] is not None
    assert verified["pm25"]["n_above_us"] is not None


def test_the_summary_of_a_station_includes_the_new_pollutant(responses: dict[str, dict]):
    days = responses["summary"]["days"]
    assert {part["pollutant"] for day in days for part in day["pollutants"]} == set(POLLUTANTS)
    assert all("p_exceed_us" in part for day in days for part in day["pollutants"])
