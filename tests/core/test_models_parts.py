"""The parts of the forecaster one by one: the path net, the block and the recalibration."""

import numpy as np
import pytest

from hazecast.air.tables import HORIZON_HOURS
from hazecast.features import SequenceInputs
from hazecast.models import path_net
from hazecast.models.block import SHAPE_LEVELS, ByLevel, fit_block
from hazecast.models.path_net import Pace, fit_path_net, fit_scaling
from hazecast.models.recalibration import DAYS, TRIAL_LEADS, Trials, adjust, trial_origins
from hazecast.models.records import standing_records, temper
from hazecast.models.recurrent import backward, first_weights, forward
from hazecast.models.reporting import coarse_step, report_median
from hazecast.models.sampling import Lesson

BLOCKS = 4
EXPECTED = np.ones(BLOCKS)
STATIONS = 5


def _walk(rng, n):
    """Air that gathers step by step what it meets: the sum over the path so far, from where the past left it."""
    ahead = rng.normal(size=(HORIZON_HOURS, n, 3)).astype(np.float32)
    past = rng.normal(size=(n, 4)).astype(np.float32)
    truth = past[:, 0] + 0.3 * np.cumsum(ahead[:, :, 0], axis=0)
    both = np.stack([truth, -2 * truth], axis=2).astype(np.float32)
    return SequenceInputs(past, ahead, np.zeros_like(both)), both


def test_a_path_net_learns_what_gathers_along_the_way_and_repeats_itself(monkeypatch):
    monkeypatch.setattr(path_net, "_FEWEST_STEPS", 150)
    rng = np.random.default_rng(0)
    path, truth = _walk(rng, 1_000)
    truth[:, ::2, 1] = np.nan  # every other truth of one pollutant is unknown
    net = fit_path_net(path, truth, cases=np.arange(1_000), pace=Pace(3, 6e-3), seed=1)
    fresh, expected = _walk(rng, 200)
    told = net.predict(fresh)
    assert np.abs(told - expected).mean() < 0.5 * np.abs(expected).mean()
    again = fit_path_net(path, truth, cases=np.arange(1_000), pace=Pace(3, 6e-3), seed=1)
    np.testing.assert_array_equal(told, again.predict(fresh))


def test_a_path_net_says_nothing_where_there_is_no_base():
    path, truth = _walk(np.random.default_rng(3), 64)
    net = fit_path_net(path, truth, cases=np.arange(64), pace=Pace(3, 6e-3), seed=0)
    path.naive[:, 5, 1] = np.nan
    told = net.predict(path)
    assert np.isnan(told[:, 5, 1]).all()
    assert np.isfinite(told[:, 5, 0]).all()


def test_the_gradient_is_that_of_the_loss():
    """Against central differences of the loss, for weights of every kind."""
    rng = np.random.default_rng(4)
    w = first_weights(rng, 4, 3, 2)
    w["w_out"] *= 100
    past, ahead = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(6, 5, 3)).astype(np.float32)
    slope = rng.normal(size=(6, 5, 2)).astype(np.float32)
    found = backward(w, forward(w, past, ahead), past, ahead, slope)
    for name, part in w.items():
        way = rng.normal(size=part.shape).astype(np.float32)

        def loss(move: float, name: str = name, part=part, way=way) -> float:
            moved = {**w, name: part + np.float32(move) * way}
            return float((forward(moved, past, ahead).out.astype(float) * slope).sum())

        step = 3e-3 / np.linalg.norm(way)
        expected = (loss(step) - loss(-step)) / (2 * step)
        assert float((found[name] * way).sum()) == pytest.approx(expected, rel=0.02, abs=0.05), name


def test_a_forecast_beyond_the_record_is_believed_by_a_quarter_on_the_log_scale():
    values = np.array([[[0.0, 50.0, 100.0, 1600.0]], [[0.0, 50.0, 100.0, 1600.0]]], np.float32).swapaxes(0, 1)
    tempered = temper(values, np.array([100, np.inf], np.float32))
    np.testing.assert_allclose(tempered[0], [[0, 50, 100, 200], [0, 50, 100, 1600]], rtol=1e-5)


def test_a_record_is_the_stations_own_or_that_of_all_and_the_last_days_may_break_it():
    history = np.array([[np.nan, 30], [np.nan, np.nan], [200, 5], [40, np.nan]], np.float32)
    stations = ["a", "a", "a", "stranger"]
    np.testing.assert_allclose(standing_records({"a": 90.0, "b": 120.0}, stations, history), [90, 90, 200, 120])
    np.testing.assert_allclose(standing_records({}, stations, history), np.inf)


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
    said = np.zeros(len(x), np.float32)
    names = ("a", "b", "c", "d")
    base = np.ones(len(x), np.float32)
    block = fit_block(
        Lesson(names, x[:15_000], base[:15_000], y[:15_000], said[:15_000], fold[:15_000]), seed=0, belief=1
    )
    told = block.predict(x[15_000:], base[15_000:], said[15_000:])
    wide, narrow = told.spread[x[15_000:, 2] > 0.2].mean(), told.spread[x[15_000:, 2] < -0.2].mean()
    assert wide / narrow == pytest.approx(2, rel=0.25)
    standard = (y[15_000:] + 1 - told.location) / told.spread
    low, high = block.shape(told.location)[:, np.searchsorted(SHAPE_LEVELS, [0.1, 0.9])].T
    # In a world that does not change a little more: the mean of three boosters errs less than each did.
    assert np.mean((standard >= low) & (standard <= high)) == pytest.approx(0.81, abs=0.02)
    assert block.widest == pytest.approx(np.quantile(told.spread, 0.99), rel=0.1)
    assert (block.predict(1000 * x, base, said).spread <= np.float32(block.widest)).all()


def test_how_unsure_it_is_is_not_learned_by_heart():
    """Few rows, many features that say nothing of the error: 90 % still cover nine tenths of fresh truth."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(30_000, 30)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=len(x))).astype(np.float32)
    zero = np.zeros(len(x), np.float32)
    few, rest = slice(0, 3_000), slice(3_000, None)
    names = tuple(f"x{k}" for k in range(x.shape[1]))
    lesson = Lesson(names, x[few], zero[few], y[few], zero[few], np.arange(3_000) // 100 % 3)
    block = fit_block(lesson, seed=0, belief=0)
    told = block.predict(x[rest], zero[rest], zero[rest])
    q05, q95 = block.shape(told.location)[:, np.searchsorted(SHAPE_LEVELS, [0.05, 0.95])].T
    standard = (y[rest] - told.location) / told.spread
    assert np.mean((standard >= q05) & (standard <= q95)) == pytest.approx(0.9, abs=0.015)


def test_the_shape_of_the_error_follows_the_level():
    """Errors with a long tail upwards where it is low and downwards where it is high: both tails are met."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20_000, 2)).astype(np.float32)
    high = x[:, 1] > 0
    x[:, 0] += np.where(high, 5, -5)
    skewed = rng.exponential(size=len(x)) - np.log(2)
    y = (x[:, 0] + np.where(high, -skewed, skewed)).astype(np.float32)
    fold = np.arange(len(x)) // 1000 % 3
    zero = np.zeros(len(x), np.float32)
    few, rest = slice(0, 15_000), slice(15_000, None)
    lesson = Lesson(("a", "b"), x[few], zero[few], y[few], zero[few], fold[few])

    def outside(belief: float) -> np.ndarray:
        """Shares below q10 and above q90 where the level is low and where it is high."""
        block = fit_block(lesson, seed=0, belief=belief)
        told = block.predict(x[rest], zero[rest], zero[rest])
        q10, q90 = block.shape(told.location)[:, np.searchsorted(SHAPE_LEVELS, [0.1, 0.9])].T
        standard = (y[rest] - told.location) / told.spread
        levels = ~high[rest], high[rest]
        return np.array([[(standard < q10)[level].mean(), (standard > q90)[level].mean()] for level in levels])

    np.testing.assert_allclose(outside(1), 0.1, atol=0.03)
    one_for_all = outside(0)
    assert one_for_all[0, 1] < 0.06
    assert one_for_all[1, 0] < 0.06


def test_what_goes_with_the_level_is_constant_beyond_and_missing_where_it_is():
    by_level = ByLevel(np.array([1, 2, 4], np.float32), np.array([[0, 1], [2, 1], [6, 1]], np.float32))
    levels = np.array([[0, 1.5], [3, 9], [np.nan, 2]], np.float32)
    np.testing.assert_allclose(by_level(levels)[..., 0], [[0, 1], [4, 6], [np.nan, 2]])
    single = ByLevel(np.array([1], np.float32), np.array([5], np.float32))
    np.testing.assert_allclose(single(np.array([0, 3], np.float32)), 5)


def test_a_block_trusts_the_nets_as_far_as_they_earned_it():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(6_000, 4)).astype(np.float32)
    y = (x[:, 0] + 0.3 * rng.normal(size=len(x))).astype(np.float32)
    fold = np.arange(len(x)) // 500 % 3

    def trust(said: np.ndarray) -> float:
        base = np.zeros(len(x), np.float32)
        return fit_block(
            Lesson(("a", "b", "c", "d"), x, base, y, said.astype(np.float32), fold), seed=0, belief=1
        ).trust

    assert trust(x[:, 0]) == pytest.approx(5 / 6, abs=0.08)
    assert trust(rng.normal(size=len(x))) == pytest.approx(1 / 6)


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


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (100 * np.ones(300), 0),  # never anything else: no step to be seen
        (np.repeat([100, 200, 300], 100), 100),
        (np.append(np.repeat([100, 200, 300], 300), 137.5), 100),  # a slip
        (np.append(np.repeat([100, 200, 300], 100), np.full(30, 137.5)), 0),
        (1.88 * np.repeat([1, 2, 3, 5], 60), 1.88),  # whole ppb
        (np.repeat(np.arange(100), 5), 0),  # whole µg/m³, but fine beside 50
        (np.repeat([3, 4], 90), 0),  # too few to say
        (np.random.default_rng(1).gamma(2, 2, 1000), 0),
    ],
)
def test_the_step_a_station_reports_in(values, step):
    assert coarse_step(np.asarray(values, np.float32)) == pytest.approx(step, rel=1e-3)


def test_no_quantile_crosses_the_median_that_moved():
    told = np.array([[[2.0, 2.3, 2.6, 2.7, 2.8, 3.3, 4.0]], [[2.0, 2.3, 2.6, 2.7, 2.8, 3.3, 4.0]], [[np.nan] * 7]])
    report_median(told, np.array([1.0, 0.0, 1.0]))
    assert told[0, 0].tolist() == [2.0, 2.3, 2.6, 3.0, 3.0, 3.3, 4.0]
    assert told[1, 0].tolist() == [2.0, 2.3, 2.6, 2.7, 2.8, 3.3, 4.0]
    assert np.isnan(told[2]).all()
