"""The forecast of a station is the same whatever is read at once and however far back.

Bit for bit with trees. The matrix products of the recurrent network round the last digit by the number of cases in a
batch, in this library (BLAS) as in others; so a stack is the same to a millionth.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hazecast.air.tables import DayForecasts, Drivers, Forecasts, Observations, Stations, Weather
from hazecast.models import Model
from hazecast.sources.simulated import SimulatedSource
from hazecast.steps.explain import explain
from hazecast.steps.forecast import forecast, predict
from hazecast.steps.shards import IssueInputs
from hazecast.steps.train import train
from hazecast.store import Store
from presets import TINY

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=80)
SILENT_SINCE = START + timedelta(days=15)
SILENT = "simulated-harbour"


def fill(store: Store) -> None:
    """Seven stations, two pollutants; one station has been silent for two months."""
    source, span = SimulatedSource(n_stations=7, pollutants=["pm25", "no2"]), {"since": START, "until": NOW}
    observed = source.fetch_observations(**span)
    observed = observed.filter((pl.col("station_id") != SILENT) | (pl.col("observed_at") < SILENT_SINCE))
    checked = {"flag": pl.lit("ok"), "flag_reasons": pl.lit(""), "ingested_at": pl.col("available_at")}
    store.upsert(Stations, source.fetch_stations())
    store.upsert(Observations, observed.with_columns(**checked).select(Observations.create_empty().columns))
    store.append(Weather, source.fetch_weather(**span))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("tables")))
    fill(store)
    return store


@pytest.fixture(scope="module", params=["trees", "stack"])
def model(request: pytest.FixtureRequest, store: Store) -> Model:
    return train(store, now=NOW, validation_days=20, kind=request.param, config=TINY).forecaster


@pytest.fixture(scope="module")
def whole(store: Store, model: Model) -> pl.DataFrame:
    """As if nothing had been issued before: more than a year of every station is read."""
    store = Store(f"{store.root}-{model.kind}")
    fill(store)
    inputs = IssueInputs(store, model, NOW)
    assert not inputs.is_recent
    return ordered(predict(store, model, model_version="1", now=NOW, inputs=inputs))


@pytest.fixture(scope="module")
def later(store: Store, model: Model) -> Store:
    """The store after an issue an hour before, from which on recent days are read."""
    forecast(store, model, model_version="1", now=NOW - timedelta(hours=1))
    return store


def assert_same(one: pl.DataFrame, other: pl.DataFrame, model: Model) -> None:
    if model.kind == "trees":
        assert one.equals(other)
    assert_frame_equal(one, other, rel_tol=1e-5, abs_tol=1e-6)


def ordered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(Forecasts.primary_key())


def test_recent_days_give_the_forecast_of_the_whole_history(whole: pl.DataFrame, later: Store, model: Model):
    inputs = IssueInputs(later, model, NOW)
    assert inputs.is_recent
    rows = ordered(predict(later, model, model_version="1", now=NOW, inputs=inputs))
    assert_same(rows, whole, model)
    silent = rows.filter(station_id=SILENT)
    assert set(silent["status"]) == {"baseline"}
    assert silent["data_age_hours"][0] == 65 * 24


@pytest.mark.parametrize("shard_stations", [1, 3])
def test_shards_give_the_forecast_of_the_whole_network(
    shard_stations: int, whole: pl.DataFrame, later: Store, model: Model
):
    inputs = IssueInputs(later, model, NOW, shard_stations=shard_stations)
    rows = ordered(predict(later, model, model_version="1", now=NOW, inputs=inputs))
    assert_same(rows, whole, model)


def test_drivers_and_days_are_the_same(model: Model, tmp_path: Path):
    drivers, days = [], []
    for shard_stations in (7, 3):
        store = Store(str(tmp_path / f"{shard_stations}"))
        fill(store)
        inputs = IssueInputs(store, model, NOW, shard_stations=shard_stations)
        rows = forecast(store, model, model_version="1", now=NOW, inputs=inputs)
        drivers.append(explain(store, model, rows, inputs).sort(Drivers.primary_key()))
        days.append(store.read(DayForecasts).sort(DayForecasts.primary_key()))
    assert min(frame.height for frame in [*drivers, *days]) > 0
    assert_same(*drivers, model)
    assert_same(*days, model)
