"""NowCast: its rules for gaps, and the ozone regression compared with an independent one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.indices import nowcast
from hazecast.air.indices.nowcast import ozone_nowcast, particle_nowcast

NAN = np.nan


def two_weeks(seed: int = 1) -> np.ndarray:
    """Ozone [ppb]: a daily cycle and noise."""
    hours = np.arange(336)
    noise = np.random.default_rng(seed).normal(0, 4, 336)
    return np.clip(40 + 25 * np.sin(2 * np.pi * hours / 24) + noise, 0, None)


def test_clean_air_is_zero_not_nothing():
    assert particle_nowcast(np.zeros(12)) == 0.0


def test_missing_hours_keep_their_place_in_the_weights():
    gap = particle_nowcast(np.array([NAN] * 9 + [10.0, NAN, 40.0]))
    assert gap == pytest.approx((40 + 0.25 * 10) / 1.25)


@given(st.lists(st.floats(0, 1000), min_size=12, max_size=12))
def test_a_particle_nowcast_lies_among_its_hours(hours: list[float]):
    found = particle_nowcast(np.array(hours))
    assert min(hours) - 1e-9 <= found <= max(hours) + 1e-9


def test_short_ozone_history_is_answered_by_the_surrogate():
    assert ozone_nowcast(np.array([NAN, 50.0])) == pytest.approx(0.85 * 50 + 4.5)
    assert ozone_nowcast(np.array([50.0, NAN, NAN])) == pytest.approx(0.85 * 50 + 4.5)
    assert ozone_nowcast(np.array([50.0, NAN, NAN, NAN])) is None


def test_ozone_completeness_is_252_hours_and_gaps_of_seven():
    hours = two_weeks()
    surrogate = 0.85 * hours[-1] + 4.5
    sparse = hours.copy()
    sparse[:85] = NAN
    assert ozone_nowcast(sparse) == pytest.approx(surrogate)
    for gap, is_surrogate in ((7, False), (8, True)):
        gapped = hours.copy()
        gapped[100 : 100 + gap] = NAN
        assert (ozone_nowcast(gapped) == pytest.approx(surrogate)) == is_surrogate


def test_ozone_of_a_missing_hour_is_that_of_the_hour_before():
    hours = np.concatenate([two_weeks(), [NAN, NAN]])
    assert ozone_nowcast(hours) == ozone_nowcast(hours[:-2])
    assert ozone_nowcast(np.append(hours, NAN)) is None


def test_no_ozone_for_two_weeks_is_zero_and_falling_ozone_never_negative():
    assert ozone_nowcast(np.zeros(336)) == 0.0
    assert ozone_nowcast(np.concatenate([two_weeks()[:330], np.zeros(6)])) >= 0.0


def test_a_daily_cycle_is_foreseen():
    """On a pure cycle the regression knows the four hours to come; the mean of the past eight would not."""
    hours = 40 + 25 * np.sin(2 * np.pi * np.arange(340) / 24)
    truth = hours[331:339].mean()
    assert ozone_nowcast(hours[:336]) == pytest.approx(truth, abs=1e-6)


def test_least_squares_is_what_partial_least_squares_converges_to():
    """EPA fits PLS with all components; scikit-learn's PLS agrees long before that."""
    cross_decomposition = pytest.importorskip("sklearn.cross_decomposition")
    window = two_weeks()
    window[[20, 130, 131, 300]] = NAN
    lags = np.lib.stride_tricks.sliding_window_view(nowcast._imputed(window), 96)
    targets = nowcast._centred_means(window)[95:]
    known = ~np.isnan(targets)
    fitted = cross_decomposition.PLSRegression(60, scale=False).fit(lags[known], targets[known])
    assert ozone_nowcast(window) == pytest.approx(fitted.predict(lags[-1:]).item(), abs=1e-6)


def test_gaps_are_filled_as_imputets_na_ma_does():
    """Weights halve with distance: 1/2 1/4 … to both sides."""
    window = np.array([1.0, 2.0, NAN, 4.0, 8.0])
    assert nowcast._imputed(window)[2] == pytest.approx((2 / 2 + 4 / 2 + 1 / 4 + 8 / 4) / 1.5)
