"""Promotion and rollback from end to end: a model made worse, a better one, and what the next prediction is made of."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast.air.tables import Forecasts
from hazecast.models.forecaster import BlockModel
from hazecast.pipeline import PREDICTION, Pipeline, Runner
from hazecast.settings import Settings
from hazecast.steps.train import Candidate, train
from hazecast.wiring import Wiring
from presets import LIGHT

from .conftest import END


@pytest.fixture(scope="module")
def parts(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiring]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        # MLflow leaves the address of any registry opened before in this process there.
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield Wiring(Settings(home=home, source="files", data=dataset, validation_days=14))


@pytest.fixture(scope="module")
def good(parts: Wiring) -> Candidate:
    at_the_end = Pipeline(parts, now=END)
    at_the_end.check(at_the_end.collect())
    return train(parts.store, now=END, validation_days=14, config=LIGHT)


@pytest.fixture(scope="module")
def bad(good: Candidate) -> Candidate:
    """The same model made worse: blocks in reverse order, biased high and overconfident."""
    model = good.forecaster

    def degraded(block: BlockModel) -> BlockModel:
        errors = block.errors
        too_high = replace(errors.bias, values=errors.bias.values + 2)
        overconfident = replace(errors.shape, values=0.3 * errors.shape.values)
        return replace(block, errors=replace(errors, bias=too_high, shape=overconfident))

    worse = {
        pollutant: tuple(degraded(block) for block in reversed(blocks)) for pollutant, blocks in model.blocks.items()
    }
    return replace(good, forecaster=replace(model, blocks=worse))


def source_of(parts: Wiring, hours: int) -> list[str]:
    """The model versions behind the forecast of a prediction run so long after the end of the data."""
    Runner(Pipeline(parts, now=END + timedelta(hours=hours))).run(PREDICTION)
    newest = parts.store.read(Forecasts, pl.col("issued_at") == END + timedelta(hours=hours))
    return newest["model_version"].unique().to_list()


def test_the_better_one_is_promoted_the_worse_one_is_not_and_a_rollback_counts_at_once(
    parts: Wiring, good: Candidate, bad: Candidate
):
    at_the_end = Pipeline(parts, now=END)
    first = at_the_end.validate(bad)
    assert (first.version, first.promoted) == ("1", False), first.reason
    parts.registry.promote("1", reason="nothing better yet", by="test")
    assert source_of(parts, 0) == ["1"]

    better = at_the_end.validate(good)
    assert (better.version, better.promoted) == ("2", True), better.reason
    assert "beats champion" in better.reason
    assert source_of(parts, 1) == ["2"]

    worse = at_the_end.validate(bad)
    assert (worse.version, worse.promoted) == ("3", False)
    assert "does not beat champion" in worse.reason
    assert source_of(parts, 2) == ["2"]

    assert parts.registry.rollback(reason="as it was", by="test") == "1"
    assert source_of(parts, 3) == ["1"]
    assert parts.store.read(Forecasts)["issued_at"].n_unique() == 4
