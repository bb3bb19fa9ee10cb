"""The Diebold-Mariano test: by hand, by simulation, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.errors import TooLittleHistory
from hazecast.scoring import diebold_mariano
from hazecast.scoring.significance import newey_west


def test_by_hand_without_lags():
    """n = 8, alternating ±1 around −1: autocovariances 1 and −7/8, weight ½."""
    gaps = np.array([0.0, -2.0] * 4)
    found = diebold_mariano(gaps, np.zeros(8))
    variance = 1 + 2 * 0.5 * -7 / 8
    assert newey_west(gaps, lags=1) == pytest.approx(variance)
    assert newey_west(gaps, lags=0) == pytest.approx(1.0)
    lags = int(4 * (8 / 100) ** (2 / 9))
    expected = -1 / np.sqrt(newey_west(gaps, lags=lags) / 8) * np.sqrt(7 / 8)
    assert found.statistic == pytest.approx(expected)
    assert found.difference == -1
    assert found.n == 8


def test_swapping_the_rivals_turns_the_answer_round():
    rng = np.random.default_rng(3)
    mine, theirs = rng.gamma(2, 1, 40), rng.gamma(2, 1.2, 40)
    one, other = diebold_mariano(mine, theirs, horizon=3), diebold_mariano(theirs, mine, horizon=3)
    assert one.statistic == pytest.approx(-other.statistic)
    assert one.p_value + other.p_value == pytest.approx(1)


def test_overlapping_losses_are_not_mistaken_for_evidence():
    """Equally good forecasts with losses that overlap over three days: about 5 % are called better, not 20 %."""
    rng = np.random.default_rng(11)
    noise = rng.normal(size=(2_000, 62))
    gaps = noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]
    corrected = np.mean([diebold_mariano(row, np.zeros(60), horizon=3).p_value < 0.05 for row in gaps])
    assert 0.02 < corrected < 0.12


def test_a_better_forecast_is_found_better():
    rng = np.random.default_rng(5)
    base = rng.gamma(2, 1, 60)
    assert diebold_mariano(base * 0.8, base, horizon=3).p_value < 0.01
    assert diebold_mariano(base * 1.2, base, horizon=3).p_value > 0.99


@given(st.lists(st.floats(0, 100), min_size=7, max_size=30))
def test_the_same_forecast_is_never_better_than_itself(losses: list[float]):
    assert diebold_mariano(losses, losses).p_value == 1


def test_missing_days_are_left_out_of_both():
    mine = np.array([1.0, np.nan, 2, 1, 2, 1, 2, 1, 3])
    found = diebold_mariano(mine, np.full(9, 2.0))
    assert found.n == 8


def test_too_few_days_prove_nothing():
    with pytest.raises(TooLittleHistory, match="6 pairs"):
        diebold_mariano(np.ones(6), np.zeros(6))
    with pytest.raises(TooLittleHistory, match="48 are needed"):
        diebold_mariano(np.arange(47.0), np.zeros(47), horizon=24)
