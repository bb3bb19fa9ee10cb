"""The registry on MLflow with SQLite and files: contents, champion and audit trail."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import polars as pl
import pytest
from matplotlib.figure import Figure
from mlflow.tracking import MlflowClient

from hazecast.errors import NoChampion, NotKnown, RegistryError
from hazecast.models.climatology import Climatology
from hazecast.registry import Change, Record, Registry, Training
from hazecast.registry.audit import carried_out, champions_in_turn, read_changes

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def training(reason: str = "judged") -> Training:
    return Training(
        parameters={"seed": 1},
        metrics={"mae.pm25.all": 3.5},
        figures={"calibration_pm25": Figure()},
        tables={"scores": pl.DataFrame({"mae": [3.5]})},
        documents={"model_card": "# Model card\n"},
        forecaster=Climatology(NOW),
        notes={"judged": reason},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return Registry(f"sqlite:///{home / 'mlflow.db'}", place="town", artifacts_root=(home / "models").as_uri())


@pytest.fixture(scope="module")
def versions(registry: Registry) -> list[str]:
    """Three registered versions, none of them anything yet."""
    return [registry.record(training(f"version {number}")) for number in (1, 2, 3)]


def test_an_empty_registry_has_nothing(tmp_path: Path):
    empty = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", place="nowhere")
    assert empty.champion_version() is None
    assert empty.challenger_version() is None
    assert empty.versions() == []
    assert empty.history() == []
    with pytest.raises(NoChampion, match="hazecast run training"):
        empty.champion()
    with pytest.raises(NoChampion, match="roll back"):
        empty.rollback(reason="?", by="test")


def test_two_processes_may_open_a_new_registry_at_once(tmp_path: Path):
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    opening = f"from hazecast.registry import Registry; print(Registry({address!r}, place='town').champion_version())"
    both = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", opening], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in both:
        output, errors = process.communicate(timeout=200)
        assert output.decode().strip() == "None", errors.decode()[-1000:]


def test_registered_is_not_promoted(registry: Registry, versions: list[str]):
    assert versions == ["1", "2", "3"]
    assert registry.champion_version() is None
    assert [version.version for version in registry.versions()] == ["3", "2", "1"]
    assert registry.versions()[0].notes["judged"] == "version 3"


def test_a_run_keeps_card_plots_tables_and_no_pickle(registry: Registry, versions: list[str], home: Path):
    run_id = registry.versions()[-1].run_id
    client = MlflowClient(registry.tracking_uri)
    assert [found.path for found in client.list_artifacts(run_id)] == ["model_card.md", "plots", "tables"]
    written = [path for path in (home / "models").rglob("*") if path.is_file()]
    assert len(written) > 10
    assert [path for path in written if path.suffix in (".pkl", ".pickle", ".joblib")] == []


def test_the_loaded_model_is_the_recorded_one(registry: Registry, versions: list[str]):
    assert registry.load(versions[0]) == Climatology(NOW)


def test_champions_change_with_an_audit_trail_and_back(registry: Registry, versions: list[str]):
    for number, version in enumerate(versions):
        registry.promote(version, reason=f"reason {number}", by="ann", at=NOW)
    assert registry.champion_version() == "3"
    assert registry.rollback(reason="it errs", by="bob", at=NOW) == "2"
    assert registry.champion()[1] == "2"
    assert registry.rollback(reason="still", by="bob", at=NOW) == "1"
    with pytest.raises(NoChampion):
        registry.rollback(reason="once more", by="bob", at=NOW)
    registry.promote("3", reason="mended", by="ann", at=NOW)
    assert registry.rollback(reason="no", by="bob", at=NOW) == "1"
    assert [(c.action, c.version, c.replaced, c.by) for c in registry.history()] == [
        ("promote", "1", None, "ann"),
        ("promote", "2", "1", "ann"),
        ("promote", "3", "2", "ann"),
        ("rollback", "2", "3", "bob"),
        ("rollback", "1", "2", "bob"),
        ("promote", "3", "1", "ann"),
        ("rollback", "1", "3", "bob"),
    ]


def test_promoting_what_is_not_there_changes_nothing(registry: Registry, versions: list[str]):
    before = registry.history()
    with pytest.raises(NotKnown, match="3, 2, 1"):
        registry.promote("7", reason="?")
    assert registry.history() == before


def test_a_challenger_comes_and_goes(registry: Registry, versions: list[str]):
    registry.challenge("2")
    assert registry.challenger_version() == "2"
    assert registry.versions()[1].aliases == ("challenger",)
    registry.challenge(None)
    registry.challenge(None)
    assert registry.challenger_version() is None


def test_a_trial_is_a_run_of_its_own_and_no_model(registry: Registry, versions: list[str]):
    run_id = registry.record_trial("beijing 2016", Record(parameters={"folds": 3}, metrics={"rmae": 0.7}))
    client = MlflowClient(registry.tracking_uri)
    run = client.get_run(run_id)
    assert (run.info.run_name, run.data.metrics["rmae"], run.data.params["folds"]) == ("beijing 2016", 0.7, "3")
    assert client.get_experiment(run.info.experiment_id).name == "hazecast-town-trials"
    assert len(registry.versions()) == 3


def test_the_error_of_an_unreachable_registry_hides_its_password(unused_port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = Registry(f"http://user:secret@127.0.0.1:{unused_port}", place="town")
    with pytest.raises(RegistryError) as caught:
        away.champion_version()
    assert f"127.0.0.1:{unused_port}" in str(caught.value)
    assert "secret" not in str(caught.value).split("refused:")[0]


def test_the_champion_read_last_is_kept_for_bad_times(registry: Registry, versions: list[str], tmp_path: Path):
    keeping = Registry(registry.tracking_uri, place="town", keep_in=tmp_path / "champions")
    assert keeping.champion_read_last() is None
    for version in ("2", "3"):
        registry.promote(version, reason="?", by="ann", at=NOW)
        keeping.champion()
        assert keeping.champion_read_last() == (Climatology(NOW), version)
    assert [path.name for path in (tmp_path / "champions").iterdir()] == ["hazecast-town"]
    assert registry.champion_read_last() is None


def test_a_champion_of_another_release_forecasts_nothing(
    registry: Registry, versions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    registry.promote(versions[0], reason="?", by="ann", at=NOW)
    keeping = Registry(registry.tracking_uri, place="town", keep_in=tmp_path / "champions")
    keeping.champion()
    monkeypatch.setattr("hazecast.models.base.input_signature", lambda *_inputs, **_options: "other features")
    with pytest.raises(
        NoChampion, match=r"version 1 of hazecast-town .* a release with other features.*hazecast run training"
    ):
        Registry(registry.tracking_uri, place="town").champion()
    assert keeping.champion_read_last() is None


def test_changes_survive_being_tags():
    change = Change(NOW, "promote", "4", None, "ann", 'better: "0.7"; µg/m³')
    key, value = change.as_tag()
    assert read_changes({key: value, "other": "tag"}) == [change]
    assert json.loads(value)["at"] == "2026-03-01T00:00:00+00:00"


def test_a_change_that_was_noted_and_never_made_does_not_count():
    first, second = Change(NOW, "promote", "1", None, "ann", ""), Change(NOW, "promote", "2", "1", "ann", "")
    back = Change(NOW, "rollback", "1", "2", "ann", "")
    assert carried_out([first, second], "2") == [first, second]
    assert carried_out([first, second], "1") == [first]
    assert carried_out([first, second, back, back], "1") == [first, second, back]
    assert carried_out([first], None) == []
    assert carried_out([], None) == []


@pytest.mark.parametrize(
    ("actions", "turn"),
    [
        ("", []),
        ("p1", ["1"]),
        ("p1 p1", ["1"]),
        ("p1 p2 r1", ["1"]),
        ("p1 p2 r1 p3", ["1", "3"]),
        ("p1 p2 p3 r2 r1", ["1"]),
    ],
)
def test_a_rollback_takes_the_last_champion_off(actions: str, turn: list[str]):
    words = {"p": "promote", "r": "rollback"}
    changes = [Change(NOW, words[word[0]], word[1:], None, "test", "") for word in actions.split()]
    assert champions_in_turn(changes) == turn


# Loads a model in a process that cannot import our package from anywhere but the model itself.
_SERVE = """
import sys
sys.path = [path for path in sys.path if not path.endswith("/src")]
import mlflow, pandas, polars
model = mlflow.pyfunc.load_model(sys.argv[1])
import hazecast
assert hazecast.__file__.startswith(str(sys.argv[2])), hazecast.__file__
hours = pandas.date_range("2026-03-01", periods=48, freq="h")
rows = pandas.DataFrame({"station_id": "a", "pollutant": "pm25", "observed_at": hours, "concentration_ugm3": 9.0})
print(len(model.predict(rows)))
"""


def test_a_registered_model_serves_itself_and_requires_published_packages_only(
    registry: Registry, versions: list[str], tmp_path: Path
):
    folder = mlflow.artifacts.download_artifacts(f"models:/{registry.model_name}/{versions[0]}", dst_path=str(tmp_path))
    required = (Path(folder) / "requirements.txt").read_text().split()
    assert all("==" in line and not line.startswith("hazecast") for line in required)
    assert (Path(folder) / "code" / "hazecast" / "models" / "base.py").is_file()
    served = subprocess.run(
        [sys.executable, "-c", _SERVE, folder, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert served.stdout.split()[-1:] == ["72"], served.stderr


def test_old_versions_are_deleted_with_their_artifacts_but_not_what_forecasts_or_may_again(tmp_path: Path):
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", place="town", artifacts_root=(tmp_path / "m").as_uri())
    for _ in range(6):
        registry.record(training())
    registry.promote("1", reason="first")
    registry.promote("3", reason="second")
    registry.challenge("2")
    before = len(list((tmp_path / "m").rglob("model.json")))
    assert registry.prune(keep=1) == ["5", "4"]
    assert [version.version for version in registry.versions()] == ["6", "3", "2", "1"]
    assert before - len(list((tmp_path / "m").rglob("model.json"))) == 2
    assert registry.champion()[1] == "3"
    assert registry.rollback(reason="back", by="test") == "1"
    assert registry.record(training()) == "7"
    assert registry.prune(keep=5) == []
