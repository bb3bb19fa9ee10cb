"""Files as networks publish them are forecast from: `import`, `inspect` and `collect`, as a user types them."""

import re
from pathlib import Path

import polars as pl
import published
import pytest
from published import LAYOUTS
from typer.testing import CliRunner, Result

from hazecast.air.tables import Observations
from hazecast.cli import app
from hazecast.settings import load_settings
from hazecast.wiring import Wiring


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def hazecast(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("title", LAYOUTS)
def test_an_imported_layout_is_inspected_and_collected_without_a_complaint(title: str, tmp_path: Path):
    name, make = LAYOUTS[title]
    folder = tmp_path / "my city"
    imported = hazecast("import", name, *map(str, make(tmp_path)), "--out", str(folder))
    assert imported.exit_code == 0, imported.output
    inspected = hazecast("inspect", str(folder))
    assert inspected.exit_code == 0, inspected.output
    assert "not read" not in inspected.output
    collected = hazecast("collect", "--source", "files", "--data", str(folder))
    assert collected.exit_code == 0, collected.output
    assert not re.search(r"left out|error|WARNING", collected.output), collected.output
    stored = Wiring(load_settings(source="files", data=folder)).store.read(Observations)
    pm25 = stored.filter(pl.col("pollutant") == "pm25", pl.col("flag") == "ok").sort("observed_at")
    assert pm25.height >= published.HOURS - 2
    assert pm25["observed_at"][0] == published.START
    assert pm25["concentration_ugm3"][0] == pytest.approx(10)


def test_an_import_can_be_repeated_and_another_folder_is_left_alone(tmp_path: Path):
    paths = list(map(str, published.prsa(tmp_path)))
    for _ in range(2):
        assert hazecast("import", "uci", *paths, "--out", "city").exit_code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "stations.csv").write_text("station_id\na\n")
    refused = hazecast("import", "prsa", *paths, "--out", "mine")
    assert refused.exit_code == 2
    assert (tmp_path / "mine" / "stations.csv").read_text() == "station_id\na\n"


def test_usage_is_exit_code_2_and_data_is_1(tmp_path: Path):
    path = str(published.prsa(tmp_path)[0])
    assert hazecast("import", "nonsense", path, "--out", "city").exit_code == 2
    assert hazecast("import", "prsa", "no-such-file.csv", "--out", "city").exit_code == 2
    assert hazecast("import", "prsa", path, "--out", "city", "--timezone", "Mars").exit_code == 2
    assert hazecast("import", "prsa", path, "--out", "city", "--unit", "pm25=ppb").exit_code == 2
    wrong = hazecast("import", "aqs", path, "--out", "city")
    assert wrong.exit_code == 1
    assert "it looks like prsa (CSV of the UCI Beijing data); use hazecast import prsa" in wrong.output
    assert not (tmp_path / "city").exists()
