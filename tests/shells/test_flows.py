"""The Prefect flows on a test server: the guide's tasks, errors that stop them, tolerated errors, artifacts."""

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from flow_harness import loaded_flows
from hazecast.air.tables import Forecasts, Observations, Runs
from hazecast.air.verdicts import Retrains
from hazecast.errors import AlreadyRunning, QualityError, RegistryError, SourceUnavailable
from hazecast.monitoring import run_findings
from hazecast.settings import load_settings
from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import SimulatedSource
from hazecast.steps.lock import only_one
from hazecast.store import Store
from hazecast.wiring import Wiring

START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(days=15)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def flows() -> Iterator[ModuleType]:
    with loaded_flows() as module:
        yield module


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stations, PM2.5, sixteen days; what follows END has not happened unless a test says so."""
    folder = tmp_path_factory.mktemp("data") / "town"
    folder.mkdir()
    source = SimulatedSource(n_stations=2, pollutants=["pm25"])
    source.fetch_stations().drop("source").write_csv(folder / "stations.csv")
    rows = source.fetch_observations(since=START, until=END + timedelta(days=1))
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.write_parquet(folder / "observations.parquet")
    return folder


@pytest.fixture
def store(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The tables of a fresh home in which fifteen days have happened; too few to train on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HAZECAST_SOURCE", "files")
    monkeypatch.setenv("HAZECAST_LIGHT_TRAINING", "true")
    monkeypatch.setenv("HAZECAST_DATA", str(town))
    monkeypatch.setenv("HAZECAST_NOW", END.isoformat())
    return Store(load_settings().tables_root)


def artifacts(kind: str) -> set[str]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/filter", json={}).json()
    return {artifact["key"] for artifact in found if artifact["type"] == kind}


def task_names(state: object) -> list[str]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    run_id = state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])))
    return [run.name for run in sorted(runs, key=lambda run: run.start_time)]


def test_a_prediction_issues_the_hour_once(flows: ModuleType, store: Store):
    first = flows.prediction(return_state=True)
    assert first.is_completed()
    assert f"{2 * Wiring(load_settings()).spec.horizon_hours} hours" in first.message
    assert store.read(Forecasts)["issued_at"].unique().to_list() == [END]
    assert task_names(first) == ["Fresh Data Collection", "Data Quality Check", "Prediction Generation", "Alerting"]
    before = store.version(Forecasts)
    again = flows.prediction(return_state=True)
    assert again.name == "AlreadyIssued"
    assert store.version(Forecasts) == before
    assert {"quality-report", "forecast"} <= artifacts("table")


def test_too_little_history_ends_a_training_in_peace(flows: ModuleType, store: Store):
    state = flows.training(return_state=True)
    assert (state.name, state.is_completed()) == ("NotTrained", True)
    assert "21 are needed" in state.message
    assert task_names(state) == ["Data Collection", "Data Quality Check", "Model Training"]


def test_a_second_training_waits_for_another_day(flows: ModuleType, store: Store, tmp_path: Path):
    with only_one("training", tmp_path / "home" / "locks", "town"):
        state = flows.training(return_state=True)
    assert state.name == "NotTrained"
    assert "is running already in process" in state.message


def test_a_lock_is_held_by_one_and_free_afterwards(tmp_path: Path):
    with only_one("training", tmp_path, "town"), pytest.raises(AlreadyRunning), only_one("training", tmp_path, "town"):
        pass
    with only_one("training", tmp_path, "town"), only_one("training", tmp_path, "city"):
        pass


def test_a_bad_batch_stops_the_pipeline_with_the_report_and_overwrites_nothing(
    flows: ModuleType, store: Store, monkeypatch: pytest.MonkeyPatch
):
    flows.prediction()
    before = store.read(Observations)
    monkeypatch.setattr(FilesSource, "fetch_observations", poisoned(FilesSource.fetch_observations))
    monkeypatch.setenv("HAZECAST_NOW", (END + timedelta(days=1)).isoformat())
    state = flows.prediction(return_state=True)
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), QualityError)
    assert task_names(state) == ["Fresh Data Collection", "Data Quality Check"]
    assert store.read(Observations).equals(before)
    assert store.read(Forecasts)["issued_at"].n_unique() == 1
    assert "invalid" in store.read(Runs).filter(pl.col("outcome") == "failed")["summary"][0]


def poisoned(fetch):
    def fetch_observations(self, **span):
        return fetch(self, **span).with_columns(pl.col("concentration_ugm3") * 1e6)

    return fetch_observations


def test_a_source_out_of_reach_is_asked_again_and_then_done_without(
    flows: ModuleType, store: Store, monkeypatch: pytest.MonkeyPatch
):
    flows.prediction()
    asked = []

    def unreachable(self):
        asked.append(self)
        raise SourceUnavailable("nobody there")

    monkeypatch.setattr(FilesSource, "fetch_stations", unreachable)
    at_once = flows.TASKS["Fresh Data Collection"].with_options(retries=2, retry_delay_seconds=0)
    monkeypatch.setitem(flows.TASKS, "Fresh Data Collection", at_once)
    monkeypatch.setenv("HAZECAST_NOW", (END + timedelta(days=1)).isoformat())
    state = flows.prediction(return_state=True)
    assert state.is_completed()
    assert len(asked) == 3
    newest = store.read(Forecasts).filter(pl.col("issued_at") == pl.col("issued_at").max())
    assert newest["data_age_hours"].unique().to_list() == [24.0]


def test_monitoring_looks_and_leaves_what_it_found_in_the_ui(flows: ModuleType, store: Store):
    flows.prediction()
    state = flows.monitoring(return_state=True)
    assert state.is_completed()
    tasks = ["Model Health Check", "Data Drift Detection", "Auto-retrain Trigger", "Alerting"]
    assert task_names(state)[:4] == tasks
    assert {"health", "drift"} <= artifacts("table")
    assert "retraining" in artifacts("markdown")


def test_a_justified_retraining_trains_inline_where_there_is_no_worker_and_then_cools_down(
    flows: ModuleType, store: Store, monkeypatch: pytest.MonkeyPatch
):
    """Without a champion retraining is justified; six hours later it is not, because of the cool-down."""
    flows.prediction()
    first = flows.monitoring(return_state=True)
    assert store.read(Retrains)["justified"].to_list() == [True]
    assert "there is no champion" in first.message
    assert task_names(first)[4:] == ["Data Collection", "Data Quality Check", "Model Training"]
    trained = pl.col("step") == "train"
    assert store.read(Runs, trained).height == 1
    monkeypatch.setenv("HAZECAST_NOW", (END + timedelta(hours=6)).isoformat())
    second = flows.monitoring(return_state=True)
    assert store.read(Retrains).sort("checked_at")["justified"].to_list() == [True, False]
    assert "cooling down" in second.message
    assert store.read(Runs, trained).height == 1


def test_the_full_flow_collects_once_and_forecasts_although_it_cannot_train(flows: ModuleType, store: Store):
    state = flows.full(return_state=True)
    assert state.is_completed()
    collected, checked, *rest = task_names(state)
    assert (collected, checked) == ("Fresh Data Collection", "Data Quality Check")
    monitored = ["Model Health Check", "Data Drift Detection", "Auto-retrain Trigger", "Alerting"]
    assert rest == ["Model Training", "Prediction Generation", *monitored]
    assert store.read(Forecasts)["issued_at"].unique().to_list() == [END]
    assert store.read(Runs, pl.col("step") == "collect").height == 1


def test_only_transient_errors_are_retried(flows: ModuleType):
    from prefect.states import Failed

    def worth(err: Exception) -> bool:
        return flows.is_transient(None, None, Failed(data=err))

    assert worth(SourceUnavailable("away"))
    assert worth(RegistryError("away"))
    assert not worth(QualityError("bad"))
    assert not worth(ValueError("our own defect"))


def test_maintenance_crashes_stale_runs_records_them_and_purges_old_ones(flows: ModuleType, store: Store):
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Pending, Running, Scheduled

    maintenance, now = importlib.import_module("maintenance"), datetime.now(UTC)
    with get_client(sync_client=True) as client:
        stuck = client.create_flow_run(flows.training, state=Running())
        waiting = client.create_flow_run(flows.training, state=Scheduled(scheduled_time=now))
        assert maintenance.crash_stale(client, now=now + timedelta(hours=8)) == []
        assert [run.id for run in maintenance.crash_stale(client, now=now + timedelta(hours=11))] == [stuck.id]
        assert client.read_flow_run(stuck.id).state.is_crashed()
        submitted = client.create_flow_run(flows.training, state=Pending())
        assert maintenance.crash_stale(client, now=now) == []
        before_the_clock_was_set_back = now - timedelta(days=3)
        assert [run.id for run in maintenance.crash_stale(client, now=before_the_clock_was_set_back)] == [submitted.id]
        for _ in range(2):
            maintenance.record_crashes(client, store, ended_after=now)
        assert waiting.id not in {run.id for run in maintenance.late_runs(client, now=now)}
        assert waiting.id in {run.id for run in maintenance.late_runs(client, now=now + timedelta(hours=2))}
        assert maintenance.purge(client, ended_before=now) >= 0
        assert client.read_flow_run(stuck.id).id == stuck.id
        assert maintenance.purge(client, ended_before=now + timedelta(hours=1)) >= 1
        with pytest.raises(ObjectNotFound):
            client.read_flow_run(stuck.id)
    noted = store.read(Runs).filter(pl.col("run_id") == str(stuck.id))
    assert noted.select("step", "outcome").rows() == [("Training Pipeline", "failed")]
    finding = run_findings(noted, now=now + timedelta(minutes=5))[0]
    assert finding.is_bad
    assert "longer than any run can be" in finding.reason


def test_a_defect_of_our_own_is_recorded_too(flows: ModuleType, store: Store, monkeypatch: pytest.MonkeyPatch):
    def broken(self, **_):
        raise ZeroDivisionError("our own defect")

    monkeypatch.setattr(FilesSource, "fetch_stations", broken)
    assert flows.prediction(return_state=True).is_failed()
    failed = store.read(Runs).filter(pl.col("outcome") == "failed")
    assert failed.select("step", "summary").rows() == [("collect", "ZeroDivisionError: our own defect")]
