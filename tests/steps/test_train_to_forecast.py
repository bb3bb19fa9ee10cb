"""Train, validate, forecast on real parts: the store on disk, MLflow on SQLite."""

from datetime import timedelta
from pathlib import Path

import mlflow
import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from hazecast.air.spec import QUANTILES, ForecastSpec, block_name
from hazecast.air.tables import DRIVERS, DayForecasts, Drivers, Forecasts, Observations, Scores, Trajectories
from hazecast.errors import NoChampion, SettingsError, TooLittleHistory
from hazecast.models import ModelConfig
from hazecast.models.climatology import Climatology
from hazecast.paths import SHIPPED
from hazecast.registry import Registry
from hazecast.sources.files import FilesSource
from hazecast.steps.check import check
from hazecast.steps.collect import collect
from hazecast.steps.explain import explain
from hazecast.steps.forecast import BASELINE_VERSION, forecast, predict
from hazecast.steps.inputs import read_inputs
from hazecast.steps.model_config import read_model_config
from hazecast.steps.train import Candidate, train
from hazecast.steps.validate import ValidationResult, validate
from hazecast.store import Store
from presets import SMALL

from .conftest import END, write_dataset

# One hour into the next: forecasts are issued for the hour that contains the clock.
NOW = END + timedelta(minutes=10)


def _number(text: str) -> object:
    return text == "True" if text in ("True", "False") else float(text)


def fill(store: Store, folder: Path) -> Store:
    check(collect(FilesSource(folder), store, now=NOW, history_days=10), store, now=NOW)
    return store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def filled(home: Path, dataset: Path) -> Store:
    return fill(Store(str(home / "tables")), dataset)


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return Registry(f"sqlite:///{home / 'mlflow.db'}", place="town", artifacts_root=(home / "models").as_uri())


@pytest.fixture(scope="module")
def candidate(filled: Store) -> Candidate:
    return train(filled, now=NOW, validation_days=14, config=SMALL)


@pytest.fixture(scope="module")
def verdict(candidate: Candidate, registry: Registry, filled: Store) -> ValidationResult:
    with pytest.raises(NoChampion, match="hazecast run training"):
        registry.champion()
    return validate(candidate, registry, filled, now=NOW, parameters={"git_revision": "test"})


def test_the_candidate_has_not_seen_the_days_it_is_judged_on(candidate: Candidate):
    assert candidate.forecaster.trained_until == candidate.judged_since
    assert candidate.judged_until - candidate.judged_since == timedelta(days=14)
    assert candidate.judged_until == END


def test_all_rivals_are_scored_on_the_same_rows(verdict: ValidationResult, filled: Store):
    scores = filled.read(Scores)
    assert set(scores["model"]) == {"version-1", "persistence", "seasonal_naive", "climatology"}
    assert scores.group_by("pollutant", "lead_block").agg(pl.col("n").n_unique())["n"].to_list() == [1] * 2 * 5
    naive = scores.filter(pl.col("model") == "seasonal_naive")["rmae"]
    assert naive.to_list() == pytest.approx([1.0] * naive.len())


def test_a_model_that_beats_the_baselines_is_champion_with_a_reason(verdict: ValidationResult, registry: Registry):
    assert verdict.promoted, verdict.reason
    loaded, version = registry.champion()
    assert version == verdict.version
    assert loaded.pollutants == ("pm25", "no2")


def test_the_run_records_what_is_needed_to_reproduce_it(
    verdict: ValidationResult, registry: Registry, candidate: Candidate
):
    client = MlflowClient(registry.tracking_uri)
    version = client.get_model_version("hazecast-town", verdict.version)
    run = client.get_run(version.run_id)
    assert run.data.params["observations_version"] == str(candidate.inputs.observations_version)
    assert run.data.params["git_revision"] == "test"
    assert (run.data.params["kind"], run.data.params["horizon_hours"]) == ("stack", "72")
    assert SMALL.parameters.items() == {name: _number(run.data.params[name]) for name in SMALL.parameters}.items()
    assert run.data.params["trained_until"] == candidate.judged_since.isoformat()
    assert {f"mae.pm25.{block_name(block)}" for block in ForecastSpec().lead_blocks} <= run.data.metrics.keys()
    plots = [artifact.path for artifact in client.list_artifacts(version.run_id, "plots")]
    assert "plots/mae_pm25.png" in plots
    assert version.tags["promoted_because"] == verdict.reason


def test_a_loaded_champion_forecasts_the_same_as_the_trained_one(
    verdict: ValidationResult, candidate: Candidate, registry: Registry
):
    loaded, _ = registry.champion()
    panel = candidate.inputs.panel
    assert loaded.predict(panel, END).equals(candidate.forecaster.predict(panel, END))


def test_an_issued_forecast_has_every_hour_and_its_provenance(
    verdict: ValidationResult, registry: Registry, filled: Store
):
    champion, version = registry.champion()
    forecast(filled, champion, model_version=version, now=NOW)
    rows = filled.read(Forecasts)
    assert rows.height == 2 * 2 * 72
    assert set(rows["issued_at"]) == {END}
    assert set(rows["model_version"]) == {verdict.version}
    assert set(rows["status"]) == {"ok"}
    assert rows["data_age_hours"].unique().to_list() == [0.0]
    quantiles = rows.select(QUANTILES).to_numpy()
    assert (quantiles >= 0).all()
    assert (quantiles[:, 1:] >= quantiles[:, :-1]).all()
    above = rows.filter(pl.col("pollutant") == "pm25", pl.col("q05") > 15.0)
    assert (above["p_exceed_who"] >= 0.95 - 1e-9).all()


def test_the_days_of_a_forecast_are_stored(verdict: ValidationResult, registry: Registry, filled: Store):
    champion, version = registry.champion()
    forecast(filled, champion, model_version=version, now=NOW)
    rows = filled.read(DayForecasts)
    assert rows.group_by("scope").len().height == 3
    per_station = rows.filter(pl.col("scope") == "station").group_by("station_id", "pollutant", "statistic").len()
    assert per_station.height == 2 * 2 * 3
    assert set(per_station["len"]) <= {2, 3}
    assert set(rows["model_version"]) == {version}
    assert champion.days.dependence.pollutants == champion.pollutants
    assert filled.read(Trajectories)["model_version"].to_list() == [version]
    before = filled.version(DayForecasts)
    forecast(filled, champion, model_version=version, now=NOW)
    assert filled.version(DayForecasts) == before


def test_the_drivers_of_a_forecast_are_stored(verdict: ValidationResult, registry: Registry, filled: Store):
    champion, version = registry.champion()
    issued = predict(filled, champion, model_version=version, now=NOW)
    explain(filled, champion, issued)
    rows = filled.read(Drivers)
    assert rows.height == 2 * 2 * 4 * len(DRIVERS)
    assert set(rows["model_version"]) == {version}
    joined_rows = rows.join(issued, on=["station_id", "pollutant", "issued_at", "valid_at"])
    assert joined_rows.height == rows.height
    assert (joined_rows["q50"] - joined_rows["effect_ugm3"] >= -1e-9).all()  # the median there would be otherwise
    changed = champion.drivers(read_inputs(filled).panel, END)
    joined = rows.join(changed, on=["station_id", "pollutant", "valid_at", "driver"])
    assert (joined["effect_ugm3"].sign() == joined["change"].sign()).all()


def test_the_climatology_has_no_drivers(filled: Store):
    climatology = Climatology(NOW)
    before = filled.version(Drivers)
    issued = predict(filled, climatology, model_version=BASELINE_VERSION, now=NOW)
    assert explain(filled, climatology, issued).is_empty()
    assert filled.version(Drivers) == before


def test_issuing_again_keeps_what_was_issued(verdict: ValidationResult, registry: Registry, filled: Store):
    champion, version = registry.champion()
    forecast(filled, champion, model_version=version, now=NOW)
    before = filled.version(Forecasts)
    forecast(filled, Climatology(NOW), model_version=BASELINE_VERSION, now=NOW)
    assert filled.version(Forecasts) == before
    assert set(filled.read(Forecasts)["model_version"]) == {version}


def test_old_observations_degrade_the_forecast(verdict: ValidationResult, registry: Registry, filled: Store):
    champion, version = registry.champion()
    rows = forecast(filled, champion, model_version=version, now=NOW + timedelta(hours=10))
    assert set(rows["status"]) == {"degraded"}
    assert rows["data_age_hours"].unique().to_list() == [10.0]


def test_without_a_champion_the_forecast_is_the_climatology(store: Store, dataset: Path):
    rows = forecast(fill(store, dataset), Climatology(NOW), model_version=BASELINE_VERSION, now=NOW)
    assert set(rows["status"]) == {"baseline"}
    assert rows.height == 2 * 2 * 72


def test_too_little_history_is_an_error_of_training_and_still_forecast(store: Store, tmp_path: Path):
    folder = write_dataset(tmp_path / "short", days=5)
    now = END - timedelta(days=45)
    check(collect(FilesSource(folder), store, now=now, history_days=10), store, now=now)
    with pytest.raises(TooLittleHistory, match="21 are needed"):
        train(store, now=now, validation_days=8)
    rows = forecast(store, Climatology(now), model_version=BASELINE_VERSION, now=now)
    assert rows.height == 2 * 2 * 72


def test_training_without_observations_is_an_error(store: Store):
    with pytest.raises(TooLittleHistory, match="hazecast collect"):
        train(store, now=NOW, validation_days=8)


def test_the_registered_model_forecasts_from_recent_observations_alone(
    verdict: ValidationResult, registry: Registry, filled: Store
):
    recent = filled.read(Observations, pl.col("observed_at") >= END - timedelta(days=8))
    key = ["station_id", "pollutant", "observed_at", "concentration_ugm3"]
    given = recent.filter(pl.col("pollutant") == "pm25").select(key)
    naive_utc = given.with_columns(pl.col("observed_at").dt.replace_time_zone(None).cast(pl.Datetime("ns")))
    served = mlflow.pyfunc.load_model("models:/hazecast-town@champion")
    served_rows = pl.from_pandas(served.predict(naive_utc.to_pandas()))
    assert served_rows.height == 2 * 72
    assert served_rows["issued_at"].unique().to_list() == [END.replace(tzinfo=None)]
    assert (served_rows["q10"] <= served_rows["q90"]).all()
    later = (END + timedelta(hours=2)).isoformat()
    served_rows = pl.from_pandas(served.predict(naive_utc.to_pandas(), params={"issued_at": later}))
    assert served_rows["valid_at"].min() == END.replace(tzinfo=None) + timedelta(hours=2)


def test_no_model_file_is_a_pickle(verdict: ValidationResult, registry: Registry, home: Path):
    files = [file for file in (home / "models").rglob("*") if file.is_file()]
    assert files
    assert not [file.name for file in files if file.suffix in {".pkl", ".pickle", ".joblib"}]


def test_a_year_with_one_observation_is_stored_forecast_and_not_trained_on(store: Store, tmp_path: Path):
    folder = tmp_path / "lonely"
    folder.mkdir()
    (folder / "stations.csv").write_text("station_id\nhut\n")
    (folder / "observations.csv").write_text(
        "station_id,observed_at,pm25\nhut,2024-01-01T00:00Z,\nhut,2024-02-18T23:00Z,12.5\nhut,2024-12-31T23:00Z,\n"
    )
    fill(store, folder)
    assert store.read(Observations)["concentration_ugm3"].to_list() == [12.5]
    with pytest.raises(TooLittleHistory):
        train(store, now=NOW, validation_days=8)
    rows = forecast(store, Climatology(NOW), model_version=BASELINE_VERSION, now=NOW)
    assert rows.height == 72
    assert set(rows["status"]) == {"baseline"}


def test_model_parameters_come_from_the_preset_the_file_and_the_option_in_this_order(tmp_path: Path):
    (tmp_path / "model.yaml").write_text("trees: {rounds: 80, leaves: 31}\nsampling: {folds: 4}\n")
    found = read_model_config([tmp_path, SHIPPED], light=True, assignments=["trees.rounds=90"])
    assert (found.trees.rounds, found.trees.leaves, found.sampling.folds) == (90, 31, 4)
    assert found.sampling.cases == ModelConfig.light().sampling.cases
    assert read_model_config([SHIPPED], light=False, assignments=[]) == ModelConfig()
    (tmp_path / "model.yaml").write_text("tree: {rounds: 80}\n")
    with pytest.raises(SettingsError, match=r"model.yaml: unknown model parameter tree.rounds; known: .*trees.rounds"):
        read_model_config([tmp_path], light=False, assignments=[])
