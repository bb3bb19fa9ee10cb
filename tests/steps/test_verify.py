"""Verification of the archive: as observations arrive, when they are revised, and never twice."""

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hazecast.air.tables import Forecasts, Observations, ShadowForecasts
from hazecast.air.verdicts import ModelQuality, Verification
from hazecast.scoring import score, summarize
from hazecast.steps.verify import VerificationResult, verify
from hazecast.store import Store

from .issued import DAY, HOUR, START, daily, forecasts, observed, town

N_DAYS = 24
ISSUES = daily(START + 7 * DAY, 14)


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return observed(town(n_stations=2), since=START, until=START + N_DAYS * DAY)


@pytest.fixture(scope="module")
def archive(truth: pl.DataFrame) -> pl.DataFrame:
    return forecasts(truth, ISSUES)


def until(truth: pl.DataFrame, day: int) -> pl.DataFrame:
    return truth.filter(pl.col("observed_at") < START + day * DAY)


def tables(store: Store) -> list[pl.DataFrame]:
    return [store.read(table).sort(pl.all()) for table in (Verification, ModelQuality)]


def test_day_by_day_gives_the_same_as_all_at_once(store: Store, tmp_path, truth, archive):
    for day in range(8, N_DAYS + 1):
        store.upsert(Observations, until(truth, day))
        store.append(Forecasts, archive.filter(pl.col("issued_at") < START + day * DAY))
        verify(store)
    at_once = Store(str(tmp_path / "at_once"))
    at_once.upsert(Observations, truth)
    at_once.append(Forecasts, archive)
    verify(at_once)
    for mine, theirs in zip(tables(store), tables(at_once), strict=True):
        assert mine.height > 0
        assert_frame_equal(mine.drop("ingested_at"), theirs.drop("ingested_at"))


def test_the_verification_of_the_archive_agrees_with_the_scores(store: Store, truth, archive):
    store.upsert(Observations, truth)
    store.append(Forecasts, archive)
    verify(store)
    mine = summarize(store.read(Verification), ("pollutant", "lead_block"))
    direct = score(archive, truth).filter(pl.col("lead_block") != "all")
    columns = ["pollutant", "lead_block", "n", "mae", "rmae", "rmae_persistence", "crps", "coverage_80"]
    assert_frame_equal(mine.select(columns), direct.select(columns), abs_tol=1e-5)


def test_again_changes_nothing(store: Store, truth, archive):
    store.upsert(Observations, truth)
    store.append(Forecasts, archive)
    assert verify(store).n_hours > 0
    before = store.version(Verification), store.version(ModelQuality)
    assert verify(store) == VerificationResult(0, 0)
    assert (store.version(Verification), store.version(ModelQuality)) == before


def test_a_day_of_observations_updates_only_the_issue_days_that_depend_on_it(store: Store, truth, archive):
    store.upsert(Observations, until(truth, 20))
    store.append(Forecasts, archive)
    verify(store)
    store.upsert(Observations, until(truth, 21))
    # Two stations with two pollutants; an hour is truth of issues up to 3 days back and feeds those of 4 days ahead.
    assert verify(store).n_groups <= 2 * 2 * 9


@pytest.mark.parametrize("horizon_hours", [48, 120])
def test_an_observation_updates_the_scores_of_all_issues_within_the_horizon(
    store: Store, tmp_path, truth, horizon_hours: int
):
    archive = forecasts(truth, ISSUES, horizon_hours=horizon_hours)
    for part in (until(truth, 14), truth):
        store.upsert(Observations, part)
        store.append(Forecasts, archive)
        verify(store)
    at_once = Store(str(tmp_path / "at_once"))
    at_once.upsert(Observations, truth)
    at_once.append(Forecasts, archive)
    verify(at_once)
    for mine, theirs in zip(tables(store), tables(at_once), strict=True):
        assert_frame_equal(mine.drop("ingested_at"), theirs.drop("ingested_at"))
    assert store.read(ModelQuality)["lead_day"].max() == horizon_hours // 24


def test_a_revised_observation_is_scored_again(store: Store, truth, archive):
    store.upsert(Observations, truth)
    store.append(Forecasts, archive)
    verify(store)
    revised_hour = ISSUES[5] + 10 * HOUR
    revision = truth.filter(pl.col("observed_at") == revised_hour).with_columns(
        pl.col("concentration_ugm3") + 50, ingested_at=pl.lit(START + 40 * DAY).cast(pl.Datetime("us", "UTC"))
    )
    store.upsert(Observations, revision)
    before = store.read(Verification)
    again = verify(store)
    assert 0 < again.n_groups <= 2 * 2 * 9
    after = store.read(Verification)
    expected = summarize(after, ("pollutant",))["mae"]
    direct = score(archive, store.read(Observations)).filter(pl.col("lead_block") == "all")["mae"]
    assert expected.to_list() == pytest.approx(direct.to_list(), abs=1e-6)
    assert summarize(before, ("pollutant",))["mae"].to_list() != pytest.approx(direct.to_list(), abs=1e-6)


def test_an_observation_flagged_invalid_is_no_longer_scored(store: Store, truth, archive):
    store.upsert(Observations, truth)
    store.append(Forecasts, archive.filter(pl.col("issued_at") == ISSUES[3]))
    verify(store)
    flagged = truth.with_columns(
        flag=pl.lit("invalid"), flag_reasons=pl.lit("sentinel"), ingested_at=pl.col("ingested_at") + timedelta(days=60)
    )
    store.upsert(Observations, flagged)
    verify(store)
    assert store.read(Verification)["n"].sum() == 0
    assert store.read(ModelQuality)["n"].sum() == 0
    assert store.read(ModelQuality)["squared_error"].sum() == 0


def test_challengers_are_scored_like_the_champion(store: Store, truth, archive):
    store.upsert(Observations, truth)
    store.append(Forecasts, archive)
    store.append(ShadowForecasts, forecasts(truth, ISSUES, version="2", error=0.1))
    verify(store)
    found = summarize(store.read(Verification), ("model_version",))
    assert found["model_version"].to_list() == ["1", "2"]
    assert found["n"][0] == found["n"][1]
    assert found["mae"][1] < found["mae"][0]


def test_nothing_stored_is_nothing_to_verify(store: Store):
    assert verify(store) == VerificationResult(0, 0)
