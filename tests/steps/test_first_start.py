"""The first start: a small model within seconds, labelled, then the full training; the progress of both."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hazecast.air.clock import HOUR
from hazecast.air.tables import Forecasts
from hazecast.cli.first_start import outstanding
from hazecast.pipeline import FIRST, FULL, PREDICTION, Pipeline, Runner
from hazecast.settings import load_settings
from hazecast.steps import silent
from hazecast.steps.ongoing import ABANDONED_AFTER, published, read_ongoing
from hazecast.wiring import Wiring

from .conftest import END


@pytest.fixture
def parts(dataset: Path, tmp_path: Path) -> Wiring:
    small = "sampling.cases=300,trees.rounds=5"
    return Wiring(load_settings(home=tmp_path, source="files", data=dataset, model="trees", model_parameters=small))


def test_the_first_forecast_is_labelled_and_the_full_model_follows(parts: Wiring):
    seen = []
    assert outstanding(Pipeline(parts)) == (FIRST, True)
    Runner(Pipeline(parts)).run(FIRST)
    (first,) = parts.registry.versions()
    assert first.notes["is_first"] == "true"
    assert parts.registry.history()[-1].reason.startswith("first model, trained in seconds: ")
    # The hour of the clock stays free for the full model, as an issued forecast never changes.
    assert parts.store.read(Forecasts)["issued_at"].unique().to_list() == [END - HOUR]
    assert outstanding(Pipeline(parts)) == (PREDICTION, True)

    def show(step: str):
        seen.append((step, read_ongoing(parts.settings.home, parts.settings.place_name)))
        return published("train", parts.settings.home / "elsewhere", step, silent)

    Runner(Pipeline(parts, show=show)).run(FULL)
    assert [version.notes["is_first"] for version in parts.registry.versions()] == ["false", "true"]
    assert sorted(parts.store.read(Forecasts)["issued_at"].unique()) == [END - HOUR, END]
    assert outstanding(Pipeline(parts)) == (PREDICTION, False)
    assert read_ongoing(parts.settings.home, parts.settings.place_name) is None


def test_light_training_is_quick_enough_for_the_first_start(parts: Wiring):
    light = Wiring(parts.settings.model_copy(update={"light_training": True}))
    assert outstanding(Pipeline(light)) == (FULL, False)


def test_progress_is_published_until_the_step_ends(tmp_path: Path):
    with pytest.raises(ValueError, match="broken"), published("train", tmp_path, "town", silent) as report:
        report("trees for leads 1-6 h", 0.5)
        found = read_ongoing(tmp_path, "town")
        assert found is not None
        assert (found.step, found.started_at <= found.updated_at) == ("train", True)
        raise ValueError("broken")
    assert read_ongoing(tmp_path, "town") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"step": "train"}', '{"started_at": "now"}'])
def test_a_damaged_progress_file_is_no_training(content: str, tmp_path: Path):
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "training-town.json").write_text(content)
    assert read_ongoing(tmp_path, "town") is None


def test_the_progress_of_a_killed_process_expires(tmp_path: Path):
    (tmp_path / "progress").mkdir()
    path = tmp_path / "progress" / "training-town.json"
    old = (datetime.now(UTC) - ABANDONED_AFTER - timedelta(minutes=1)).isoformat()
    path.write_text(json.dumps({"step": "train", "line": "", "share": 0.5, "started_at": old, "updated_at": old}))
    assert read_ongoing(tmp_path, "town") is None


def test_a_home_that_cannot_be_written_stops_no_training(tmp_path: Path):
    (tmp_path / "progress").write_text("a file where the folder should be")
    with published("train", tmp_path, "town", silent) as report:
        report("trees", 0.5)
