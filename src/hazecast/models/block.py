"""The model of one pollutant and lead block: where the level will be, how sure that is, the shape of the doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from hazecast.air.spec import QUANTILE_LEVELS
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
_MOST_CLASSES, _ROWS_PER_CLASS = 5, 1_000  # classes of level, each with a shape of its own
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
_SPREAD_TREES = {"objective": "regression", "num_leaves": 8}  # how large an error will be is hard to learn


@dataclass(frozen=True)
class Distribution:
    """Location (median) and spread of the log level, per row."""

    location: Floats
    spread: Floats


@dataclass(frozen=True)
class ByLevel:
    """Something that changes with the level: given at some levels, on a straight line between, constant beyond.

    Attributes:
        levels: (class,) log levels, ascending.
        values: (class, …) what is so there.
    """

    levels: Floats
    values: Floats

    def __call__(self, level: Floats) -> Floats:
        """The values at each level: (*level.shape, …); NaN where the level is."""
        place = np.interp(level, self.levels, np.arange(len(self.levels))).astype(np.float32)
        below = np.nan_to_num(place).astype(np.int64)
        above = np.minimum(below + 1, len(self.levels) - 1)
        share = (place - np.floor(place)).reshape(*place.shape, *(1,) * (self.values.ndim - 1))
        low, high = self.values[below], self.values[above]
        return np.asarray(low + share * (high - low), np.float32)


@dataclass(frozen=True)
class BlockModel:
    """Fitted trees of one pollutant and lead block.

    Attributes:
        trees: one booster per fold, each blind to its own fold.
        trust: share of the path nets in the location, 0…1; the rest is the mean of the trees.
        spreads: boosters of the expected absolute error, likewise; the spread is their mean.
        widest: the largest spread to believe; in air never seen before the boosters may say anything.
        bias: median of the standardised error, from rows the trees had not seen.
        shape: quantiles of the standardised error at SHAPE_LEVELS about that median, from the same rows. Clean air
            can hardly become cleaner and foul air hardly fouler, so both depend on the level told.
    """

    trees: tuple[lgb.Booster, ...]
    trust: float
    spreads: tuple[lgb.Booster, ...]
    widest: float
    bias: ByLevel
    shape: ByLevel

    def predict(self, features: Floats, base: Floats, walked: Floats) -> Distribution:
        """What is told of each row; `walked` is how far the path nets depart from `base`, as in a `Lesson`."""
        grown, size = (_mean_of(boosters, features) for boosters in (self.trees, self.spreads))
        location = (base + self.trust * walked + (1 - self.trust) * grown).astype(np.float32)
        spread = np.clip(size, _SMALLEST_SPREAD, self.widest).astype(np.float32)
        return Distribution(location + spread * self.bias(location), spread)


def fit_block(lesson: Lesson, *, seed: int, belief: float) -> BlockModel:
    """Fit by cross-fitting: every residual that shapes the uncertainty comes from a model that had not seen its fold.

    Trees and path nets err differently, so their mean errs less than either. How much to trust the nets is
    what would have served best on the rows neither had seen, moved a third of the way towards one half: those rows lie
    between rows that were seen, and the years to come do not (on combining forecasts: Clemen 1989).

    Args:
        lesson: rows of one pollutant and lead block.
        seed: of the trees.
        belief: how far to believe that errors go with the level, 0…1; 0: one bias and one shape for all.
    """
    departure = lesson.departure
    parameters = _TREES | {"seed": seed, "min_data_in_leaf": int(np.clip(len(departure) // 800, 20, 300))}
    coarser = _SPREAD_TREES | {"min_data_in_leaf": max(len(departure) // 100, 100)}
    rows = lgb.Dataset(lesson.features, departure, feature_name=list(lesson.names), params=parameters).construct()
    trees, grown = _cross_fit(rows, lesson, parameters, _POINT_ROUNDS)
    best = min(_SHARES, key=lambda share: _error(departure, share * lesson.walked + (1 - share) * grown))
    trust = best + _TOWARDS_EVEN * (_EVEN - best)
    residual = departure - trust * lesson.walked - (1 - trust) * grown
    rows.set_label(np.abs(residual))
    spreads, told = _cross_fit(rows, lesson, parameters | coarser, _SPREAD_ROUNDS)
    widest = max(float(np.quantile(told, _BELIEVED)), _SMALLEST_SPREAD)
    told = np.clip(told, _SMALLEST_SPREAD, widest)
    location = lesson.base + departure - residual
    standardised = np.clip(residual / told, -_FURTHEST, _FURTHEST)
    bias = _by_level(location, standardised, 0.5, belief)
    shape = _by_level(location + told * bias(location), standardised - bias(location), SHAPE_LEVELS, belief)
    return BlockModel(trees, float(trust), spreads, widest, bias, shape)


def _cross_fit(
    rows: lgb.Dataset, lesson: Lesson, parameters: dict[str, Any], n_rounds: int
) -> tuple[tuple[lgb.Booster, ...], Floats]:
    """One booster per fold, blind to it, of the labels of `rows`; and what each says of the fold it had not seen."""
    boosters, said = [], np.zeros(len(lesson.fold), np.float32)
    for k in range(FOLDS):
        held = lesson.fold == k
        seen = rows.subset(outside(held))
        boosters.append(lgb.train(parameters | {"seed": parameters["seed"] + k}, seen, num_boost_round=n_rounds))
        if held.any():
            said[held] = boosters[-1].predict(lesson.features[held], **ALONE)
    return tuple(boosters), said


def _mean_of(boosters: Sequence[lgb.Booster], features: Floats) -> npt.NDArray[np.float64]:
    return np.asarray(np.mean([booster.predict(features, **ALONE) for booster in boosters], axis=0))


def _by_level(level: Floats, error: Floats, wanted: float | npt.NDArray[np.float64], belief: float) -> ByLevel:
    """Quantiles of the error in classes of like level, as many rows in each, drawn towards those of all rows."""
    n_classes = int(np.clip(len(level) // _ROWS_PER_CLASS, 1, _MOST_CLASSES))
    classes = np.array_split(np.argsort(level, kind="stable"), n_classes)
    levels, different = np.unique([np.median(level[rows]) for rows in classes], return_index=True)
    own = np.array([np.quantile(error[rows], wanted) for rows in classes])[different]
    values = belief * own + (1 - belief) * np.quantile(error, wanted)
    return ByLevel(levels.astype(np.float32), values.astype(np.float32))


def _error(truth: Floats, told: Floats) -> float:
    return float(np.abs(truth - told).mean())
