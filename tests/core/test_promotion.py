"""Every clause of the promotion rule, on forecasts of known quality."""

from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.errors import TooLittleHistory
from hazecast.models.promotion import decide_promotion

START = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON_HOURS, STEP_HOURS = 72, 29
Z = (-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645)


def paired(error: float, *, issues: int = 25, width: float = 1.0, bad_station: float = 1.0) -> pl.DataFrame:
    """Rows of `scoring.pair` of a calibrated model with errors N(0, error²); `width` scales its intervals."""
    rng = np.random.default_rng(int(1000 * error))
    n = issues * 10 * HORIZON_HOURS
    station = np.tile(np.repeat(np.arange(10), HORIZON_HOURS), issues)
    spread = error * np.where(station == 0, bad_station, 1.0)
    truth = np.random.default_rng(0).normal(20, 6, n)
    median = truth - spread * rng.normal(size=n)
    quantiles = {name: np.maximum(median + width * error * z, 0) for name, z in zip(QUANTILES, Z, strict=True)}
    inside = (truth >= quantiles["q10"]) & (truth <= quantiles["q90"])
    hours = np.repeat(np.arange(issues), 10 * HORIZON_HOURS) * STEP_HOURS
    return pl.DataFrame(
        {
            "station_id": [f"s{k}" for k in station],
            "pollutant": ["pm25"] * n,
            "issued_at": [START + timedelta(hours=int(h)) for h in hours],
            "lead_hours": np.tile(np.arange(1, HORIZON_HOURS + 1), 10 * issues),
            "observed_ugm3": truth,
            "absolute_error_ugm3": np.abs(truth - median),
            "seasonal_naive_ugm3": truth + np.random.default_rng(1).normal(0, 8, n),
            "coverage_80": inside.astype(float),
            **quantiles,
        }
    )


BASELINES = {"persistence": paired(9.0), "seasonal_naive": paired(8.0), "climatology": paired(7.0)}

decide = partial(decide_promotion, step_hours=STEP_HOURS, horizon_hours=HORIZON_HOURS)


def test_the_synthetic_forecaster_is_calibrated():
    assert paired(4.0)["coverage_80"].mean() == pytest.approx(0.8, abs=0.02)
    assert len(QUANTILE_LEVELS) == len(Z)


def test_a_better_candidate_is_promoted_with_a_reason():
    found = decide(paired(4.0), {**BASELINES, "champion": paired(5.0)})
    assert found.promoted, found.reason
    assert "beats champion" in found.reason
    assert found.tests["passed"].all()
    assert found.tests.filter(pl.col("rival") == "champion").height == 4


def test_the_first_model_needs_only_the_baselines():
    assert decide(paired(4.0), BASELINES).promoted


@pytest.mark.parametrize("error", [5.0, 4.995])
def test_as_good_as_the_champion_is_not_enough_but_it_may_challenge(error: float):
    found = decide(paired(error), {**BASELINES, "champion": paired(5.001)})
    assert not found.promoted
    assert found.beats_baselines
    assert "does not beat champion" in found.reason


def test_as_good_as_a_champion_of_another_horizon_is_promoted():
    champion = paired(5.0).filter(pl.col("lead_hours") <= 48)
    assert decide(paired(5.001), {**BASELINES, "champion": champion}).promoted
    assert not decide(paired(6.0), {**BASELINES, "champion": champion}).promoted


def test_worse_than_persistence_may_not_even_challenge():
    found = decide(paired(9.5), BASELINES)
    assert not found.promoted
    assert not found.beats_baselines
    assert "is worse than climatology" in found.reason


def test_better_errors_do_not_excuse_worse_intervals():
    found = decide(paired(4.0, width=0.4), {**BASELINES, "champion": paired(5.0)})
    assert not found.promoted
    assert "worse than champion in coverage gap" in found.reason


def test_better_on_average_does_not_excuse_a_station_left_behind():
    found = decide(paired(4.0, bad_station=3.0), {**BASELINES, "champion": paired(5.5)})
    assert not found.promoted
    assert "worst stations" in found.reason


def test_better_errors_do_not_excuse_worse_warnings():
    shifted = [pl.col(name) * 0.3 for name in QUANTILES]
    found = decide(paired(4.0).with_columns(shifted), {**BASELINES, "champion": paired(5.0)})
    assert not found.promoted
    assert "worse than champion in Brier score" in found.reason


def test_too_few_issues_promote_no_candidate():
    few = {name: paired(8.0, issues=5) for name in BASELINES}
    found = decide(paired(4.0, issues=5), few)
    assert not found.promoted
    assert "too few issues" in found.reason


def test_nothing_to_score_is_an_error():
    with pytest.raises(TooLittleHistory, match="nothing"):
        decide(paired(4.0).clear(), BASELINES)


def test_a_champion_of_another_horizon_is_compared_at_common_leads():
    """Beyond two days the candidate is bad, and the champion has no forecasts."""
    late = pl.col("lead_hours") > 48
    candidate = paired(4.0).with_columns(
        absolute_error_ugm3=pl.col("absolute_error_ugm3") * pl.when(late).then(2).otherwise(1)
    )
    found = decide(candidate, {"champion": paired(5.0).filter(~late)})
    assert found.promoted, found.reason
