"""The shipped training: all default parameters, no preset, on little data, through the commands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from hazecast.air.tables import Forecasts, Runs
from hazecast.cli import app
from hazecast.models import ModelConfig
from hazecast.settings import load_settings
from hazecast.sources.simulated import SimulatedSource
from hazecast.wiring import Wiring

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = UNTIL - timedelta(days=40), UNTIL


def test_the_default_model_is_trained_validated_and_forecasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = tmp_path / "town"
    _write(data)
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


def _write(folder: Path) -> None:
    """Forty days of one pollutant at one simulated station, without weather."""
    folder.mkdir()
    source = SimulatedSource(n_stations=1)
    since, until = DAYS
    wide = source.fetch_observations(since=since, until=until).filter(pollutant="pm25")
    wide = wide.select("station_id", "observed_at", pm25="concentration_ugm3")
    source.fetch_stations().select("station_id", "name", "latitude", "longitude").write_csv(folder / "stations.csv")
    wide.write_parquet(folder / "observations.parquet")
