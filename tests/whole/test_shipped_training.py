"""The shipped training: all default parameters, no preset, on little data, through the commands."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from one_station import write_station
from typer.testing import CliRunner

from hazecast.air.tables import Forecasts, Runs
from hazecast.cli import app
from hazecast.models import ModelConfig
from hazecast.settings import load_settings
from hazecast.wiring import Wiring


def test_the_default_model_is_trained_validated_and_forecasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = tmp_path / "town"
    write_station(data)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HAZECAST_LIGHT_TRAINING", raising=False)
    for arguments in (["run", "training"], ["forecast"]):
        result = CliRunner().invoke(app, [*arguments, "--data", str(data)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    parts = Wiring(load_settings(source="files", data=data))
    version = parts.registry.versions()[0]
    logged = MlflowClient(parts.settings.tracking_uri).get_run(version.run_id).data.params
    assert logged["kind"] == "stack"
    assert {name: logged[name] for name in ModelConfig().parameters} == {
        name: str(value) for name, value in ModelConfig().parameters.items()
    }
    assert parts.registry.load(version.version).parameters.items() >= ModelConfig().parameters.items()
    rows = parts.store.read(Forecasts)
    assert rows.height == 72
    assert (rows["q05"] <= rows["q95"]).all()
    assert parts.store.read(Runs).filter(outcome="ok", step="train").height == 1
