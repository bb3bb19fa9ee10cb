"""A horizon of 48 and of 120 hours through every step, from collection to the report of a backtest."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from hazecast.air.clock import as_iso
from hazecast.air.spec import ForecastSpec, block_name
from hazecast.air.tables import Drivers, Forecasts, Runs, Scores
from hazecast.air.verdicts import ModelQuality, Verification
from hazecast.api.server import app_of
from hazecast.cli import app
from hazecast.settings import load_settings
from hazecast.sources.simulated import SimulatedSource
from hazecast.wiring import Wiring

with warnings.catch_warnings():
    # Starlette's TestClient prefers httpx2 and warns; the project uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

pytestmark = pytest.mark.timeout(1_800)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2025, 1, 6, tzinfo=UTC)
ISSUED = START + 32 * DAY + 6 * HOUR
POLLUTANTS = ("pm25",)
STATION = "simulated-harbour"


def write_dataset(folder: Path, horizon_hours: int) -> Path:
    """Two simulated stations with weather forecasts that reach the horizon."""
    folder.mkdir()
    source = SimulatedSource(n_stations=2, horizon_hours=horizon_hours)
    until = ISSUED + horizon_hours * HOUR + DAY
    source.fetch_stations().drop("source").write_csv(folder / "stations.csv")
    rows = source.fetch_observations(since=START, until=until)
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.select("station_id", "observed_at", *POLLUTANTS).write_parquet(folder / "observations.parquet")
    source.fetch_weather(since=START, until=until).drop("source").write_parquet(folder / "weather.parquet")
    return folder


@dataclass(frozen=True)
class Place:
    """A place after one issue that has been verified."""

    spec: ForecastSpec
    wiring: Wiring
    dataset: Path

    @property
    def block_names(self) -> set[str]:
        return set(map(block_name, self.spec.lead_blocks))


def hazecast(*arguments: str) -> str:
    """Output of a command, run in this process."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module", params=[48, 120])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    spec, folder = ForecastSpec(request.param), tmp_path_factory.mktemp("horizon")
    dataset = write_dataset(folder / "hamlet", spec.horizon_hours)
    later = ISSUED + spec.horizon_hours * HOUR + 2 * HOUR
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # MLflow exports the address of the database that it used last.
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("HAZECAST_HOME", str(folder / "home"))
        patch.setenv("HAZECAST_SOURCE", "files")
        patch.setenv("HAZECAST_DATA", str(dataset))
        patch.setenv("HAZECAST_HORIZON_HOURS", str(spec.horizon_hours))
        patch.setenv("HAZECAST_LIGHT_TRAINING", "true")
        patch.setenv("HAZECAST_NOW", as_iso(ISSUED))
        hazecast("collect")
        hazecast("train")
        hazecast("promote", "1", "--reason", "a whole-system test")
        hazecast("forecast")
        patch.setenv("HAZECAST_NOW", as_iso(later))
        hazecast("collect")
        hazecast("verify")
        hazecast("monitor")
        hazecast("alerts")
        yield Place(spec, Wiring(load_settings()), dataset)


def test_the_model_is_fitted_and_validated_at_every_lead(place: Place):
    forecaster, _ = place.wiring.registry.champion()
    assert forecaster.spec == place.spec
    validated = place.wiring.store.read(Scores)
    assert set(validated["lead_block"]) == {*place.block_names, "all"}
    assert set(validated["model"]) == {"version-1", "persistence", "seasonal_naive", "climatology"}


def test_every_series_is_forecast_to_the_horizon_from_weather_forecasts(place: Place):
    rows = place.wiring.store.read(Forecasts)
    leads = rows.group_by("station_id", "pollutant").agg(pl.col("lead_hours").sort())
    assert leads.height == 2 * len(POLLUTANTS)
    assert all(found == list(range(1, place.spec.horizon_hours + 1)) for found in leads["lead_hours"].to_list())
    assert set(rows["status"]) == {"ok"}


def test_drivers_are_computed_in_every_block(place: Place):
    drivers = place.wiring.store.read(Drivers)
    leads = (drivers["valid_at"] - drivers["issued_at"]).dt.total_hours() + 1
    assert set(leads) == set(place.spec.sample_leads)


def test_every_lead_is_verified(place: Place):
    verified = place.wiring.store.read(Verification)
    assert set(verified["lead_block"]) == place.block_names
    assert (verified["n"] == verified["n_forecast"]).all()
    assert verified["n"].sum() == 2 * len(POLLUTANTS) * place.spec.horizon_hours
    assert set(place.wiring.store.read(ModelQuality)["lead_day"]) == set(range(1, place.spec.lead_days + 1))


def test_no_step_failed(place: Place):
    runs = place.wiring.store.read(Runs)
    steps = {
        "collect",
        "check",
        "train",
        "validate",
        "forecast",
        "verify",
        "model_health",
        "data_drift",
        "retrain",
        "alert",
    }
    assert steps <= set(runs["step"])
    assert set(runs["outcome"]) == {"ok"}


def test_the_api_serves_the_whole_horizon(place: Place):
    horizon_hours = place.spec.horizon_hours

    def get(path: str, *, now: datetime = ISSUED) -> dict:
        wiring = Wiring(load_settings(now=now))
        return TestClient(app_of(wiring)).get(f"/api/v1{path}").raise_for_status().json()

    forecast = get(f"/stations/{STATION}/forecast?pollutant=pm25&index=us-epa")
    assert [hour["lead_hours"] for hour in forecast["hours"]] == list(range(1, horizon_hours + 1))
    assert forecast["hours"][-1]["p_exceed"]["who"] is not None
    days = get(f"/stations/{STATION}/summary")["days"]
    last_hour = ISSUED + (horizon_hours - 1) * HOUR
    assert days[-1]["day"] >= f"{last_hour:%Y-%m-%d}"
    groups = get("/verification?by=lead_block", now=place.wiring.now())["groups"]
    assert {group["lead_block"] for group in groups} == place.block_names
    assert all(group["mae"] > 0 for group in groups)


def test_a_backtest_reaches_the_horizon(place: Place, tmp_path: Path):
    out, page = tmp_path / "backtest.parquet", tmp_path / "report.html"
    moments = {"--train-until": START + 26 * DAY, "--from": START + 26 * DAY, "--to": START + 29 * DAY}
    when = [word for option, moment in moments.items() for word in (option, as_iso(moment))]
    horizon = ("--horizon", str(place.spec.horizon_hours), "--weather", "forecast")
    hazecast("backtest", "--data", str(place.dataset), *when, *horizon, "--out", str(out))
    rows = pl.read_parquet(out)
    assert rows["lead_hours"].max() == place.spec.horizon_hours
    report = hazecast("backtest", "report", str(out), "--html", str(page))
    for name in place.block_names:
        assert name in page.read_text() + report
