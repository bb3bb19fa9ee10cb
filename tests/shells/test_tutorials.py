"""Tutorials and notebooks run as they stand."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import hazecast as hz
from hazecast.errors import ModelOutdated, SettingsError
from hazecast.models import load_model, model_class

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(DOCS / "examples")
    monkeypatch.setattr("sys.argv", ["notebook"])
    with pl.Config(tbl_cols=-1, tbl_width_chars=200):
        yield


@pytest.mark.parametrize("name", sorted(path.name for path in (DOCS / "notebooks").glob("*.py")))
def test_notebooks(name: str, capsys: pytest.CaptureFixture):
    runpy.run_path(str(DOCS / "notebooks" / name), run_name="__main__")
    assert "49-72" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(path.name for path in (DOCS / "tutorials").glob("*.md")))
def test_tutorials(name: str, capsys: pytest.CaptureFixture):
    namespace: dict[str, object] = {"__name__": "tutorial"}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / "tutorials" / name).read_text(), re.DOTALL):
        exec(block, namespace)
    assert "49-72" in capsys.readouterr().out


def test_a_model_of_another_package_is_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    metadata = tmp_path / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[hazecast.models]\nelsewhere = damped_persistence:DampedPersistence\nbroken = nowhere:Model\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert model_class("elsewhere").kind == "damped_persistence"
    with pytest.raises(SettingsError, match="elsewhere"):
        model_class("unknown")
    with pytest.raises(SettingsError, match="broken needs nowhere"):
        model_class("broken")


def test_a_saved_model_of_a_kind_that_is_not_installed_is_outdated(tmp_path: Path):
    data = hz.simulate(days=22, n_stations=1)
    hz.fit(data, kind="climatology").save(tmp_path / "model")
    facts = tmp_path / "model" / "model.json"
    facts.write_text(facts.read_text().replace('"climatology"', '"removed"'))
    with pytest.raises(ModelOutdated, match="removed"):
        load_model(tmp_path / "model")
