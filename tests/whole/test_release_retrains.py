"""Monitoring alone finds a champion of a release with other inputs and retrains before climatology has to forecast."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from one_station import UNTIL, write_station
from typer.testing import CliRunner

from hazecast.cli import app
from hazecast.models.climatology import Climatology
from hazecast.pipeline import Pipeline
from hazecast.registry import Training
from hazecast.settings import load_settings
from hazecast.wiring import Wiring


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiring]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_station(tmp_path / "town")
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HAZECAST_DATA", str(tmp_path / "town"))
    monkeypatch.setenv("HAZECAST_SOURCE", "files")
    monkeypatch.setenv("HAZECAST_NOW", f"{UNTIL:%Y-%m-%dT%H:%MZ}")
    parts = Wiring(load_settings())
    pipeline = Pipeline(parts)
    pipeline.check(pipeline.collect())
    model = Climatology(UNTIL, pollutants=("pm25",))
    version = parts.registry.record(Training(parameters={}, metrics={}, forecaster=model, notes={}))
    parts.registry.promote(version, reason="test", at=UNTIL)
    yield parts


@pytest.mark.parametrize("changed", [{"compatibility": "another"}, {"kind": "a kind of another release"}, None])
def test_monitoring_alone_justifies_a_retraining(parts: Wiring, changed: dict[str, str] | None):
    before = Pipeline(parts).monitor().retrain
    assert not before.justified, before.reasons
    for file in parts.settings.home.rglob("model.json"):
        # A release of long ago kept other facts.
        facts = {"inputs": 3} if changed is None else {**json.loads(file.read_text()), **changed}
        file.write_text(json.dumps(facts))
    report = Pipeline(Wiring(parts.settings)).monitor()
    assert report.retrain.justified
    assert report.retrain.reasons[0].startswith("version 1 cannot forecast here: it ")
    result = CliRunner().invoke(app, ["doctor"])
    assert "cannot forecast" in result.output
    assert result.exit_code == 1
