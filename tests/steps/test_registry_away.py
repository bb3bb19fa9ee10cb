"""While the registry is unreachable, forecasts and monitoring continue, and an alert is raised."""

from pathlib import Path

import polars as pl
import pytest

from hazecast.air.tables import Forecasts, Runs
from hazecast.air.verdicts import Alerts, Health
from hazecast.errors import RegistryError
from hazecast.models.climatology import Climatology
from hazecast.pipeline import MONITORING, Pipeline, Runner
from hazecast.registry import Training
from hazecast.settings import Settings
from hazecast.wiring import Wiring

from .conftest import END


@pytest.fixture
def home(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which version 1 is champion."""
    # MLflow notes there which registry was opened last.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    parts = Wiring(Settings(home=tmp_path / "home", source="files", data=dataset))
    first = Pipeline(parts, now=END)
    first.check(first.collect())
    parts.registry.record(Training(parameters={}, metrics={}, forecaster=Climatology(END, parts.spec)))
    parts.registry.promote("1", reason="test", by="test", at=END)
    return parts.settings.home


@pytest.fixture
def away(home: Path, dataset: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The same home, an hour later, with an MLflow server that does not answer."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    nowhere = f"http://127.0.0.1:{unused_port}"
    parts = Wiring(Settings(home=home, source="files", data=dataset, mlflow_tracking_uri=nowhere))
    return Pipeline(parts, now=END.replace(hour=1))


def test_the_champion_read_last_forecasts_and_monitoring_tells_of_it(home: Path, dataset: Path, away: Pipeline):
    Pipeline(Wiring(Settings(home=home, source="files", data=dataset)), now=END).forecast()
    store = away.parts.store
    away.forecast()
    newest = store.read(Forecasts, pl.col("issued_at") == away.now)
    assert newest["model_version"].unique().to_list() == ["1"]
    Runner(away).run(MONITORING)
    found = store.read(Health, (pl.col("check") == "pipeline") & (pl.col("subject") == "registry"))
    assert found["verdict"].to_list() == ["warning"]
    assert "127.0.0.1" in found["reason"][0]
    alerts = store.read(Alerts, pl.col("subject") == "pipeline: registry")
    assert alerts["state"].to_list() == ["open"]


def test_without_a_copy_the_forecast_fails_with_the_reason(away: Pipeline):
    with pytest.raises(RegistryError, match="refused"):
        away.forecast()
    failed = away.parts.store.read(Runs, pl.col("outcome") == "failed")
    assert failed["step"].to_list() == ["forecast"]
