"""The distribution of the error on the log scale: expected size, bias and shape, from out-of-fold residuals."""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from hazecast.air.arrays import Floats32
from hazecast.air.spec import DAY_HOURS, QUANTILE_LEVELS
from hazecast.features import Panel
from hazecast.models.boosting import Boosters, cross_fit, mean_prediction
from hazecast.models.config import UncertaintyConfig
from hazecast.models.sampling import TrainingSet

# The shape is stored as quantiles of the standardised residual at these levels; the mean is taken over the same ones.
SHAPE_LEVELS = np.unique(np.concatenate([(np.arange(50) + 0.5) / 50, QUANTILE_LEVELS]))


@dataclass(frozen=True)
class Distribution:
    """Location (median) and spread of the log level, per row."""

    location: Floats32
    spread: Floats32


@dataclass(frozen=True)
class LevelFunction:
    """A quantity that depends on the log level: piecewise linear, constant beyond the outermost levels.

    Attributes:
        levels: (class,) log levels, ascending.
        values: (class, …) of the quantity there.
    """

    levels: Floats32
    values: Floats32

    def __call__(self, level: Floats32) -> Floats32:
        """The values at each level: (*level.shape, …); NaN where the level is."""
        position = np.interp(level, self.levels, np.arange(len(self.levels))).astype(np.float32)
        below = np.nan_to_num(position).astype(np.int64)
        above = np.minimum(below + 1, len(self.levels) - 1)
        share = (position - np.floor(position)).reshape(*position.shape, *(1,) * (self.values.ndim - 1))
        low, high = self.values[below], self.values[above]
        return np.asarray(low + share * (high - low), np.float32)


@dataclass(frozen=True)
class ErrorModel:
    """The error distribution of one pollutant and lead block.

    Attributes:
        spreads: boosters of the expected absolute error, one per fold; the spread is their mean.
        min_spread: the smallest spread used.
        max_spread: the largest; outside the training range the boosters extrapolate badly.
        bias: median of the standardised out-of-fold residual.
        shape: quantiles of it at SHAPE_LEVELS about that median. Both depend on the predicted level: concentrations
            are bounded below, and rarely exceed what has been seen.
    """

    spreads: Boosters
    min_spread: float
    max_spread: float
    bias: LevelFunction
    shape: LevelFunction

    def distribution(self, features: Floats32, location: Floats32) -> Distribution:
        """Add the bias to a predicted location (row,) and give its spread."""
        expected = mean_prediction(self.spreads, features)
        spread = np.clip(expected, self.min_spread, self.max_spread).astype(np.float32)
        return Distribution(location + spread * self.bias(location), spread)

    @property
    def expected_error(self) -> float:
        """Mean absolute standardised error in training."""
        return float(np.abs(self.shape.values).mean())


def fit_errors(
    dataset: lgb.Dataset,
    rows: TrainingSet,
    residual: Floats32,
    parameters: dict[str, object],
    *,
    config: UncertaintyConfig,
    folds: int,
    level_dependence: float,
) -> ErrorModel:
    """Fit the error distribution.

    Args:
        dataset: of the features; its labels are replaced.
        rows: of one pollutant and lead block.
        residual: (row,) out-of-fold error of the point forecast on the log scale.
        parameters: of LightGBM, shared with the trees of the point forecast.
        config: hyper-parameters.
        folds: of the cross-fitting.
        level_dependence: 0…1; 0: one bias and one shape for all levels.
    """
    min_leaf = max(len(rows.residual) // config.rows_per_min_leaf, config.smallest_min_leaf)
    coarse = {"objective": "regression", "num_leaves": config.leaves, "min_data_in_leaf": min_leaf}
    dataset.set_label(np.abs(residual))
    spreads, expected = cross_fit(dataset, rows, parameters | coarse, n_rounds=config.rounds, folds=folds)
    max_spread = max(float(np.quantile(expected, config.max_spread_quantile)), config.min_spread)
    spread = np.clip(expected, config.min_spread, max_spread)
    location = rows.naive + rows.residual - residual
    standardised = np.clip(residual / spread, -config.clip, config.clip)
    bias = _by_level(location, standardised, 0.5, level_dependence, config)
    centred = standardised - bias(location)
    shape = _by_level(location + spread * bias(location), centred, SHAPE_LEVELS, level_dependence, config)
    return ErrorModel(spreads, config.min_spread, max_spread, bias, shape)


def level_dependence(
    panel: Panel, until: int, resolution: dict[str, dict[str, float]], config: UncertaintyConfig
) -> dict[str, float]:
    """How far the error distribution may depend on the level, 0…1 per pollutant.

    It grows with the length of the history: a month with one smoke episode is not representative. It is 0 where most
    stations report at a coarse resolution: there the dependence is an artefact of rounding.

    Args:
        panel: all data.
        until: panel hour; later data are not used.
        resolution: `postprocess.reporting_resolution`.
        config: hyper-parameters.
    """
    known = panel.truth_by(until)
    days = known.any(axis=1).sum(axis=1) / DAY_HOURS
    n_stations = known.any(axis=2).sum(axis=1)
    coarse = [2 * len(resolution.get(p, {})) > n for p, n in zip(panel.pollutants, n_stations, strict=True)]
    share = np.minimum(days / config.full_level_dependence_days, 1) ** config.level_dependence_exponent
    return dict(zip(panel.pollutants, np.where(coarse, 0, share).tolist(), strict=True))


def _by_level(
    level: Floats32,
    error: Floats32,
    quantiles: float | npt.NDArray[np.float64],
    dependence: float,
    config: UncertaintyConfig,
) -> LevelFunction:
    """Quantiles of the error in classes of equal size by level, shrunk towards those of all rows."""
    n_classes = int(np.clip(len(level) // config.rows_per_class, 1, config.max_classes))
    classes = np.array_split(np.argsort(level, kind="stable"), n_classes)
    levels, distinct = np.unique([np.median(level[rows]) for rows in classes], return_index=True)
    own = np.array([np.quantile(error[rows], quantiles) for rows in classes])[distinct]
    values = dependence * own + (1 - dependence) * np.quantile(error, quantiles)
    return LevelFunction(levels.astype(np.float32), values.astype(np.float32))
