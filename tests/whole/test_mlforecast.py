"""Another family of models through the same commands: trained, validated, registered, promoted by hand and served."""

import json
import warnings
from pathlib import Path

import polars as pl
import pytest
from mlflow.tracking import MlflowClient
from one_station import write_station
from typer.testing import CliRunner

from hazecast.air.tables import Forecasts
from hazecast.api.app import create_app
from hazecast.cli import app
from hazecast.settings import load_settings
from hazecast.wiring import Wiring

with warnings.catch_warnings():
    # Starlette's TestClient prefers httpx2 and warns; the project uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

pytest.importorskip("mlforecast", reason="needs the extra hazecast[mlforecast]")


def command(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_mlforecast_is_trained_validated_registered_and_served_by_the_same_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    data = tmp_path / "town"
    write_station(data)
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HAZECAST_DATA", str(data))
    monkeypatch.setenv("HAZECAST_SOURCE", "files")
    monkeypatch.setenv("HAZECAST_MODEL", "mlforecast")
    command("run", "training", "--set", "trees.rounds=20")
    assert "relative MAE" in command("models")
    parts = Wiring(load_settings())
    run = MlflowClient(parts.settings.tracking_uri).get_run(parts.registry.versions()[0].run_id)
    assert (run.data.params["kind"], run.data.params["trees.rounds"]) == ("mlforecast", "20")
    if parts.registry.champion_version() is None:
        command("promote", "1", "--reason", "the only candidate")
    command("forecast")
    rows = parts.store.read(Forecasts)
    assert set(rows["model_version"]) == {"1"}
    assert set(rows["status"]) == {"ok"}
    assert (rows["q05"] <= rows["q95"]).all()
    station = rows.filter(pl.col("pollutant") == "pm25")["station_id"][0]
    with TestClient(create_app(store=parts.store, clock=parts.now, clock_replayed=True)) as client:
        answer = client.get(f"/api/v1/stations/{station}/forecast", params={"pollutant": "pm25"})
    assert answer.status_code == 200, answer.text
    assert '"model_version":"1"' in json.dumps(answer.json(), separators=(",", ":"))
