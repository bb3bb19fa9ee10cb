"""The model of one pollutant and lead block: where the level will be, how sure that is, the shape of the doubt."""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from hazecast.air.tables import QUANTILE_LEVELS
from hazecast.models.sampling import Lesson, outside
from hazecast.models.threads import ALONE

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FOLDS = 3
# The shape is kept as quantiles of the standardised residual at these levels; the mean is taken over the same ones.
SHAPE_LEVELS = np.unique(np.concatenate([(np.arange(50) + 0.5) / 50, QUANTILE_LEVELS]))
_SMALLEST_SPREAD = 0.02
_BELIEVED = 0.99  # share of the training's spreads below `widest`
_FURTHEST = 6.0  # in mean absolute errors; an instrument at its detection limit would else rule the mean
_SHARES, _EVEN, _TOWARDS_EVEN = np.linspace(0, 1, 11), 0.5, 1 / 3
_POINT_ROUNDS, _SPREAD_ROUNDS = 50, 25
_TREES = {
    "objective": "regression_l1",
    "learning_rate": 0.18,
    "num_leaves": 63,
    "lambda_l2": 30.0,
    "feature_fraction": 0.4,
    "extra_trees": True,
    "max_bin": 127,
    "bin_construct_sample_cnt": 20_000,  # enough for 127 bins; sorting all rows took as long as half the growing
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
} | ALONE


@dataclass(frozen=True)
class Distribution:
    """Location and spread of the log level's departure from the base, per row."""

    location: Floats
    spread: Floats


@dataclass(frozen=True)
class BlockModel:
    """Fitted trees of one pollutant and lead block.

    Attributes:
        trees: one booster per fold, each blind to its own fold.
        trust: share of the path nets in the location, 0…1; the rest is the mean of the trees.
        spread: booster of the expected absolute departure.
        widest: the largest spread to believe; in air never seen before the booster may say anything.
        shape: quantiles of the standardised departure at SHAPE_LEVELS, from rows the trees had not seen.
    """

    trees: tuple[lgb.Booster, ...]
    trust: float
    spread: lgb.Booster
    widest: float
    shape: Floats

    def predict(self, features: Floats, walked: Floats) -> Distribution:
        """Location and spread for each row of features; `walked` is what the path nets say of it."""
        grown = np.mean([tree.predict(features, **ALONE) for tree in self.trees], axis=0)
        location = self.trust * walked + (1 - self.trust) * grown
        spread = _positive(self.spread.predict(features, **ALONE))
        return Distribution(location.astype(np.float32), np.minimum(spread, np.float32(self.widest)))


def fit_block(lesson: Lesson, *, seed: int) -> BlockModel:
    """Fit by cross-fitting: every residual that shapes the uncertainty comes from a model that had not seen its fold.

    Trees and path nets err differently, so their mean errs less than either. How much to trust the nets is
    what would have served best on the rows neither had seen, moved a third of the way towards one half: those rows lie
    between rows that were seen, and the years to come do not (on combining forecasts: Clemen 1989).

    Args:
        lesson: rows of one pollutant and lead block.
        seed: of the trees.
    """
    features, departure, fold = lesson.features, lesson.departure, lesson.fold
    parameters = _TREES | {"seed": seed, "min_data_in_leaf": int(np.clip(len(departure) // 800, 20, 300))}
    rows = lgb.Dataset(features, departure, feature_name=list(lesson.names), params=parameters).construct()
    trees, grown = [], np.zeros(len(departure), np.float32)
    for k in range(FOLDS):
        held = fold == k
        seen = rows.subset(outside(held))
        trees.append(lgb.train(parameters | {"seed": seed + k}, seen, num_boost_round=_POINT_ROUNDS))
        if held.any():
            grown[held] = trees[-1].predict(features[held], **ALONE)
    best = min(_SHARES, key=lambda share: _error(departure, share * lesson.walked + (1 - share) * grown))
    trust = best + _TOWARDS_EVEN * (_EVEN - best)
    residual = departure - trust * lesson.walked - (1 - trust) * grown
    size = rows.set_label(np.abs(residual))
    spread = lgb.train(parameters | {"objective": "regression"}, size, num_boost_round=_SPREAD_ROUNDS)
    told = _positive(spread.predict(features, **ALONE))
    widest = float(np.quantile(told, _BELIEVED))
    standardised = np.clip(residual / np.minimum(told, np.float32(widest)), -_FURTHEST, _FURTHEST)
    shape = np.quantile(standardised, SHAPE_LEVELS).astype(np.float32)
    return BlockModel(tuple(trees), float(trust), spread, widest, shape)


def _error(truth: Floats, told: Floats) -> float:
    return float(np.abs(truth - told).mean())


def _positive(spread: npt.NDArray[np.float64]) -> Floats:
    return np.maximum(spread, _SMALLEST_SPREAD).astype(np.float32)
