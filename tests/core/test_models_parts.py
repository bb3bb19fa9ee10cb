"""The parts of the models one by one: the GRU, the block models, recalibration and post-processing."""

import numpy as np
import pytest

from hazecast.air.spec import ForecastSpec
from hazecast.errors import SettingsError
from hazecast.features import SequenceInputs
from hazecast.models.config import GruConfig, ModelConfig, PostprocessConfig, RecalibrationConfig, parse_assignments
from hazecast.models.forecaster import BlockModel
from hazecast.models.gru import GruNetwork, fit_network, fit_scaling
from hazecast.models.gru_cell import backward, forward, initial_weights
from hazecast.models.postprocess import (
    StationFacts,
    block_weights,
    damp_extrapolation,
    reporting_resolution,
    round_median,
)
from hazecast.models.recalibration import Adjustment, Hindcasts, fit_adjustment, hindcast_leads, hindcast_origins
from hazecast.models.sampling import TrainingSet
from hazecast.models.stack import Stack
from hazecast.models.uncertainty import SHAPE_LEVELS, LevelFunction

CONFIG = ModelConfig()
BLOCKS = ForecastSpec().lead_blocks
LEADS = hindcast_leads(ForecastSpec())
DAYS = RecalibrationConfig().days
EXPECTED = np.ones(len(BLOCKS), np.float32)
STATIONS = 5


def _accumulating(rng, n):
    """A level that starts from the past and accumulates one of the inputs ahead."""
    ahead = rng.normal(size=(72, n, 3)).astype(np.float32)
    past = rng.normal(size=(n, 4)).astype(np.float32)
    truth = past[:, 0] + 0.3 * np.cumsum(ahead[:, :, 0], axis=0)
    both = np.stack([truth, -2 * truth], axis=2).astype(np.float32)
    return SequenceInputs(past, ahead, np.zeros_like(both)), both


def _fit(inputs: SequenceInputs, truth: np.ndarray, *, seed: int) -> GruNetwork:
    cases = np.arange(truth.shape[1])
    return fit_network(inputs, truth, cases=cases, config=GruConfig(), epochs=3, learning_rate=6e-3, seed=seed)


def test_the_gru_learns_to_accumulate_and_is_reproducible():
    rng = np.random.default_rng(0)
    inputs, truth = _accumulating(rng, 1_000)
    truth[:, ::2, 1] = np.nan  # every other truth of one pollutant is unknown
    network = _fit(inputs, truth, seed=1)
    fresh, expected = _accumulating(rng, 200)
    predicted = network.predict(fresh)
    assert np.abs(predicted - expected).mean() < 0.5 * np.abs(expected).mean()
    np.testing.assert_array_equal(predicted, _fit(inputs, truth, seed=1).predict(fresh))


def test_the_gru_predicts_nothing_without_a_naive_forecast():
    inputs, truth = _accumulating(np.random.default_rng(3), 64)
    network = _fit(inputs, truth, seed=0)
    inputs.naive[:, 5, 1] = np.nan
    predicted = network.predict(inputs)
    assert np.isnan(predicted[:, 5, 1]).all()
    assert np.isfinite(predicted[:, 5, 0]).all()


def test_the_gradient_is_that_of_the_loss():
    """Against central differences of the loss, for weights of every kind."""
    rng = np.random.default_rng(4)
    w = initial_weights(rng, 4, 3, 2, GruConfig())
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


def test_extrapolation_beyond_the_maximum_is_damped_on_the_log_scale():
    values = np.array([[[0.0, 50.0, 100.0, 1600.0]], [[0.0, 50.0, 100.0, 1600.0]]], np.float32).swapaxes(0, 1)
    damped = damp_extrapolation(values, np.array([100, np.inf], np.float32), 0.25)
    np.testing.assert_allclose(damped[0], [[0, 50, 100, 200], [0, 50, 100, 1600]], rtol=1e-5)


def test_the_maximum_is_the_stations_own_or_that_of_all_or_of_the_last_days():
    history = np.array([[np.nan, 30], [np.nan, np.nan], [200, 5], [40, np.nan]], np.float32)
    stations = ["a", "a", "a", "unknown"]
    facts = StationFacts({}, {"pm25": {"a": 90.0, "b": 120.0}})
    np.testing.assert_allclose(facts.maximum_of("pm25", stations, history), [90, 90, 200, 120])
    np.testing.assert_allclose(facts.maximum_of("o3", stations, history), np.inf)


def test_missing_and_constant_features_are_harmless():
    x = np.array([[1.0, np.nan, 5.0], [3.0, np.nan, 5.0], [np.nan, np.nan, 5.0]], np.float32)
    scaled = fit_scaling(x, 5.0)(x)
    np.testing.assert_allclose(scaled, [[-1, 0, 0], [1, 0, 0], [0, 0, 0]])


def _rows(x: np.ndarray, y: np.ndarray, fold: np.ndarray, *, rnn: np.ndarray | None = None) -> TrainingSet:
    names, zero = tuple(f"x{k}" for k in range(x.shape[1])), np.zeros(len(x), np.float32)
    return TrainingSet(names, x, zero, y, zero if rnn is None else rnn, fold)


def _block(rows: TrainingSet, *, level_dependence: float) -> BlockModel:
    return Stack.fit_block(rows, config=CONFIG, seed=0, level_dependence=level_dependence)


def test_the_spread_follows_heteroscedastic_noise_and_the_interval_covers_its_share():
    """Noise that doubles with a feature: the spread follows it, and four fifths of fresh truth lie inside 80 %."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(20_000, 4)).astype(np.float32)
    scale = np.where(x[:, 2] > 0, 1.0, 0.5)
    y = (x[:, 0] + scale * rng.normal(size=len(x))).astype(np.float32)
    fold = np.arange(len(x)) // 1000 % 3
    naive, rnn = np.ones(len(x), np.float32), np.zeros(len(x), np.float32)
    few, rest = slice(0, 15_000), slice(15_000, None)
    rows = TrainingSet(("a", "b", "c", "d"), x[few], naive[few], y[few], rnn[few], fold[few])
    block = _block(rows, level_dependence=1)
    predicted = block.predict(x[rest], naive[rest], rnn[rest])
    wide, narrow = predicted.spread[x[rest, 2] > 0.2].mean(), predicted.spread[x[rest, 2] < -0.2].mean()
    assert wide / narrow == pytest.approx(2, rel=0.25)
    standard = (y[rest] + 1 - predicted.location) / predicted.spread
    low, high = block.errors.shape(predicted.location)[:, np.searchsorted(SHAPE_LEVELS, [0.1, 0.9])].T
    # Slightly above 80 %: the mean of three boosters has a smaller error than each out of fold.
    assert np.mean((standard >= low) & (standard <= high)) == pytest.approx(0.81, abs=0.02)
    assert block.errors.max_spread == pytest.approx(np.quantile(predicted.spread, 0.99), rel=0.1)
    assert (block.predict(1000 * x, naive, rnn).spread <= np.float32(block.errors.max_spread)).all()


def test_the_spread_is_not_overfitted():
    """Few rows, many features unrelated to the error: the 90 % interval still covers nine tenths of fresh truth."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(30_000, 30)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=len(x))).astype(np.float32)
    zero = np.zeros(len(x), np.float32)
    few, rest = slice(0, 3_000), slice(3_000, None)
    block = _block(_rows(x[few], y[few], np.arange(3_000) // 100 % 3), level_dependence=0)
    predicted = block.predict(x[rest], zero[rest], zero[rest])
    q05, q95 = block.errors.shape(predicted.location)[:, np.searchsorted(SHAPE_LEVELS, [0.05, 0.95])].T
    standard = (y[rest] - predicted.location) / predicted.spread
    assert np.mean((standard >= q05) & (standard <= q95)) == pytest.approx(0.9, abs=0.015)


def test_the_shape_of_the_error_follows_the_level():
    """Errors with a long upper tail at low levels and a long lower tail at high ones: both are covered."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20_000, 2)).astype(np.float32)
    high = x[:, 1] > 0
    x[:, 0] += np.where(high, 5, -5)
    skewed = rng.exponential(size=len(x)) - np.log(2)
    y = (x[:, 0] + np.where(high, -skewed, skewed)).astype(np.float32)
    fold = np.arange(len(x)) // 1000 % 3
    zero = np.zeros(len(x), np.float32)
    few, rest = slice(0, 15_000), slice(15_000, None)
    rows = _rows(x[few], y[few], fold[few])

    def outside(level_dependence: float) -> np.ndarray:
        """Shares below q10 and above q90 where the level is low and where it is high."""
        block = _block(rows, level_dependence=level_dependence)
        predicted = block.predict(x[rest], zero[rest], zero[rest])
        q10, q90 = block.errors.shape(predicted.location)[:, np.searchsorted(SHAPE_LEVELS, [0.1, 0.9])].T
        standard = (y[rest] - predicted.location) / predicted.spread
        levels = ~high[rest], high[rest]
        return np.array([[(standard < q10)[level].mean(), (standard > q90)[level].mean()] for level in levels])

    np.testing.assert_allclose(outside(1), 0.1, atol=0.03)
    one_for_all = outside(0)
    assert one_for_all[0, 1] < 0.06
    assert one_for_all[1, 0] < 0.06


def test_a_level_function_is_constant_beyond_its_levels_and_nan_where_the_level_is():
    by_level = LevelFunction(np.array([1, 2, 4], np.float32), np.array([[0, 1], [2, 1], [6, 1]], np.float32))
    levels = np.array([[0, 1.5], [3, 9], [np.nan, 2]], np.float32)
    np.testing.assert_allclose(by_level(levels)[..., 0], [[0, 1], [4, 6], [np.nan, 2]])
    single = LevelFunction(np.array([1], np.float32), np.array([5], np.float32))
    np.testing.assert_allclose(single(np.array([0, 3], np.float32)), 5)


def test_the_stacking_weight_is_the_best_one_out_of_fold_shrunk_towards_a_half():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(6_000, 4)).astype(np.float32)
    y = (x[:, 0] + 0.3 * rng.normal(size=len(x))).astype(np.float32)
    fold = np.arange(len(x)) // 500 % 3

    def weight(rnn: np.ndarray) -> float:
        return _block(_rows(x, y, fold, rnn=rnn.astype(np.float32)), level_dependence=1).point.rnn_weight

    assert weight(x[:, 0]) == pytest.approx(5 / 6, abs=0.08)
    assert weight(rng.normal(size=len(x))) == pytest.approx(1 / 6)


@pytest.mark.parametrize("horizon_hours", [48, 72, 96, 120])
def test_every_lead_block_has_hindcast_leads(horizon_hours):
    spec = ForecastSpec(horizon_hours)
    leads = hindcast_leads(spec)
    assert all(((first <= leads) & (leads <= last)).sum() >= 2 for first, last in spec.lead_blocks)
    assert leads.max() <= horizon_hours
    assert leads.tolist()[:11] == [2, 5, 9, 14, 20, 28, 36, 44, 52, 60, 68][: len(leads)]


def _hindcasts(error: np.ndarray, first: int) -> Hindcasts:
    """Daily hindcasts from hour `first`; every truth known once its hour has ended."""
    origin = first + 24 * np.arange(len(error))
    known = origin[:, None, None] + LEADS[None, :, None] + np.zeros((1, 1, STATIONS), np.int64)
    errors = np.broadcast_to(error[:, None, None], known.shape).astype(np.float32)
    return Hindcasts(LEADS, origin, errors, known)


def _adjust(hindcasts: Hindcasts, issued: np.ndarray) -> Adjustment:
    return fit_adjustment(hindcasts, issued, expected=EXPECTED, blocks=BLOCKS, config=RecalibrationConfig())


def _alternating(n: int) -> np.ndarray:
    return np.where(np.arange(n) % 2, 1.0, -1.0)


def test_errors_as_expected_change_nothing():
    found = _adjust(_hindcasts(_alternating(DAYS), 0), np.array([24 * DAYS]))
    np.testing.assert_allclose(found.stretch, 1)
    np.testing.assert_array_equal(found.shift, 0)


def test_the_spread_adapts_to_a_new_regime_within_days():
    """Errors three times as large from one day on: ten days later the quantiles are twice as wide or wider."""
    hindcasts = _hindcasts(np.concatenate([np.ones(DAYS), 3 * np.ones(10)]) * _alternating(DAYS + 10), 0)
    moments = 24 * (DAYS + np.array([0, 5, 10]))
    before, soon, after = _adjust(hindcasts, moments).stretch[:, 0]
    assert before == pytest.approx(1)
    assert 1.3 < soon < after
    assert 1.9 < after < 3


def test_a_persistent_bias_is_corrected():
    errors = 1.5 + 0.1 * _alternating(DAYS)
    found = _adjust(_hindcasts(errors, 0), np.array([24 * DAYS]))
    assert found.shift[0, 0] == pytest.approx(1.5, abs=0.15)
    assert found.stretch[0, 0] < 1


def test_truth_that_is_not_known_yet_adjusts_nothing():
    found = _adjust(_hindcasts(9 * np.ones(3), 0), np.array([0, 1, 30]))
    np.testing.assert_array_equal(found.stretch[:2], 1)
    assert found.stretch[2, 0] > 1
    np.testing.assert_array_equal(found.stretch[2, 3], 1)


def test_hindcasts_never_use_the_training_period():
    issued = np.array([1000, 1024])
    assert hindcast_origins(issued, since=950, days=DAYS).min() >= 950
    assert len(hindcast_origins(issued, since=2000, days=DAYS)) == 0
    assert (hindcast_origins(issued, since=0, days=DAYS) < 1024).all()


@pytest.mark.parametrize(
    ("values", "resolution"),
    [
        (100 * np.ones(300), 0),  # constant: no resolution to recognise
        (np.repeat([100, 200, 300], 100), 100),
        (np.append(np.repeat([100, 200, 300], 300), 137.5), 100),  # one correction
        (np.append(np.repeat([100, 200, 300], 100), np.full(30, 137.5)), 0),
        (1.88 * np.repeat([1, 2, 3, 5], 60), 1.88),  # whole ppb
        (np.repeat(np.arange(100), 5), 0),  # whole µg/m³, but fine compared with 50
        (np.repeat([3, 4], 90), 0),  # too few values
        (np.random.default_rng(1).gamma(2, 2, 1000), 0),
    ],
)
def test_the_reporting_resolution_of_a_station(values, resolution):
    found = reporting_resolution(np.asarray(values, np.float32), PostprocessConfig())
    assert found == pytest.approx(resolution, rel=1e-3)


def test_no_quantile_crosses_the_rounded_median():
    quantiles = np.array([[[2.0, 2.3, 2.6, 2.7, 2.8, 3.3, 4.0]], [[2.0, 2.3, 2.6, 2.7, 2.8, 3.3, 4.0]], [[np.nan] * 7]])
    round_median(quantiles, np.array([1.0, 0.0, 1.0]))
    assert quantiles[0, 0].tolist() == [2.0, 2.3, 2.6, 3.0, 3.0, 3.3, 4.0]
    assert quantiles[1, 0].tolist() == [2.0, 2.3, 2.6, 2.7, 2.8, 3.3, 4.0]
    assert np.isnan(quantiles[2]).all()


def test_parameters_are_set_by_dotted_name_and_unknown_ones_refused():
    config = CONFIG.changed(parse_assignments(["trees.rounds=80", "trees.extra_trees=false"]), source="--set")
    assert (config.trees.rounds, config.trees.extra_trees, config.gru) == (80, False, CONFIG.gru)
    assert CONFIG.changed({"trees": {"rounds": 80}}, source="model.yaml").parameters["trees.rounds"] == 80
    with pytest.raises(SettingsError, match=r"--set: unknown model parameter trees.round; known: .*trees.l2"):
        CONFIG.changed({"trees.round": 80}, source="--set")
    with pytest.raises(SettingsError, match=r"trees.rounds: Input should be greater than or equal to 1"):
        CONFIG.changed({"trees.rounds": 0}, source="--set")
    with pytest.raises(SettingsError, match="write it like"):
        parse_assignments(["trees.rounds"])


def test_every_parameter_is_described():
    for name, group in ModelConfig.model_fields.items():
        assert all(field.description for field in group.annotation.model_fields.values()), name


def test_around_a_seam_both_blocks_are_blended_and_elsewhere_one_decides():
    blocks = ((1, 6), (7, 24), (25, 48))
    found = block_weights(blocks, np.arange(1, 49), 4)
    assert np.allclose(found.sum(axis=1), 1)
    assert found.min() >= 0
    assert np.allclose(found[24 - 1], (0, 0.5625, 0.4375))
    assert np.allclose(found[[3, 6 - 1, 9]], [(1, 0, 0), (0.625, 0.375, 0), (0, 1, 0)])
    assert np.allclose(found[25 - 1], (0, 0.4375, 0.5625))
    assert np.allclose(found[[0, 14, 39]], np.eye(3))
    plain = block_weights(blocks, np.array([6, 7, 24, 25]), 0)
    assert np.array_equal(plain, np.eye(3)[[0, 1, 1, 2]])
