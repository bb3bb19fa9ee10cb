"""The parts of the forecaster one by one: the net, the block and the recalibration."""

import numpy as np
import pytest

from hazecast.models.block import SHAPE_LEVELS, fit_block
from hazecast.models.net import fit_net, fit_scaling
from hazecast.models.recalibration import DAYS, TRIAL_LEADS, Trials, adjust, trial_origins

BLOCKS = 4
EXPECTED = np.ones(BLOCKS)
STATIONS = 5


def _curve(rng, n):
    x = rng.normal(size=(n, 4)).astype(np.float32)
    return x, (np.sin(x[:, 0]) + 0.5 * x[:, 1]).astype(np.float32)


def test_a_net_learns_a_curve_and_repeats_itself():
    rng = np.random.default_rng(0)
    x, y = _curve(rng, 6000)
    net = fit_net(x, 100 + 20 * y, seed=1)
    fresh, truth = _curve(rng, 1000)
    error = net.predict(fresh) - (100 + 20 * truth)
    assert np.abs(error).mean() < 0.15 * np.abs(20 * truth).mean()
    np.testing.assert_array_equal(net.predict(fresh), fit_net(x, 100 + 20 * y, seed=1).predict(fresh))


def test_missing_and_constant_features_are_harmless():
    x = np.array([[1.0, np.nan, 5.0], [3.0, np.nan, 5.0], [np.nan, np.nan, 5.0]], np.float32)
    scaled = fit_scaling(x)(x)
    np.testing.assert_allclose(scaled, [[-1, 0, 0], [1, 0, 0], [0, 0, 0]])


def test_a_block_knows_how_unsure_it_is():
    """Noise that doubles with a feature: the spread follows it, and four fifths of fresh truth lie inside 80 %."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(20_000, 4)).astype(np.float32)
    scale = np.where(x[:, 2] > 0, 1.0, 0.5)
    y = (x[:, 0] + scale * rng.normal(size=len(x))).astype(np.float32)
    fold = np.arange(len(x)) // 1000 % 3
    block = fit_block(x[:15_000], y[:15_000], fold[:15_000], names=("a", "b", "c", "d"), seed=0)
    told = block.predict(x[15_000:])
    wide, narrow = told.spread[x[15_000:, 2] > 0.2].mean(), told.spread[x[15_000:, 2] < -0.2].mean()
    assert wide / narrow == pytest.approx(2, rel=0.25)
    standard = (y[15_000:] - told.location) / told.spread
    low, high = block.shape[np.searchsorted(SHAPE_LEVELS, [0.1, 0.9])]
    assert np.mean((standard >= low) & (standard <= high)) == pytest.approx(0.8, abs=0.02)
    assert block.widest == pytest.approx(np.quantile(told.spread, 0.99), rel=0.1)
    assert (block.predict(1000 * x).spread <= np.float32(block.widest)).all()


def _trials(error: np.ndarray, first: int) -> Trials:
    """Daily trials from hour `first`; every truth known once its hour has ended."""
    origin = first + 24 * np.arange(len(error))
    known = origin[:, None, None] + TRIAL_LEADS[None, :, None] + np.zeros((1, 1, STATIONS), np.int64)
    errors = np.broadcast_to(error[:, None, None], known.shape).astype(np.float32)
    return Trials(origin, errors, known)


def _back_and_forth(n: int) -> np.ndarray:
    return np.where(np.arange(n) % 2, 1.0, -1.0)


def test_errors_as_expected_change_nothing():
    found = adjust(_trials(_back_and_forth(DAYS), 0), np.array([24 * DAYS]), expected=EXPECTED)
    np.testing.assert_allclose(found.stretch, 1)
    np.testing.assert_array_equal(found.shift, 0)


def test_a_new_regime_is_met_within_days():
    """Errors three times as large from one day on: ten days later the quantiles are twice as wide or wider."""
    trials = _trials(np.concatenate([np.ones(DAYS), 3 * np.ones(10)]) * _back_and_forth(DAYS + 10), 0)
    moments = 24 * (DAYS + np.array([0, 5, 10]))
    before, soon, after = adjust(trials, moments, expected=EXPECTED).stretch[:, 0]
    assert before == pytest.approx(1)
    assert 1.3 < soon < after
    assert 1.9 < after < 3


def test_a_lasting_bias_is_taken_away():
    errors = 1.5 + 0.1 * _back_and_forth(DAYS)
    found = adjust(_trials(errors, 0), np.array([24 * DAYS]), expected=EXPECTED)
    assert found.shift[0, 0] == pytest.approx(1.5, abs=0.15)
    assert found.stretch[0, 0] < 1


def test_truth_that_is_not_known_yet_adjusts_nothing():
    found = adjust(_trials(9 * np.ones(3), 0), np.array([0, 1, 30]), expected=EXPECTED)
    np.testing.assert_array_equal(found.stretch[:2], 1)
    assert found.stretch[2, 0] > 1
    np.testing.assert_array_equal(found.stretch[2, 3], 1)


def test_trials_never_touch_the_training_time():
    issued = np.array([1000, 1024])
    assert trial_origins(issued, since=950).min() >= 950
    assert len(trial_origins(issued, since=2000)) == 0
    assert (trial_origins(issued, since=0) < 1024).all()
