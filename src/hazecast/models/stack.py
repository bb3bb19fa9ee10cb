"""The default model: a weighted mean of the GRU and the trees (stacked generalisation, Wolpert 1992)."""

from typing import ClassVar

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from hazecast.air.arrays import Floats32
from hazecast.models.boosting import cross_fit
from hazecast.models.config import ModelConfig, StackConfig
from hazecast.models.forecaster import PointModel
from hazecast.models.gru import Gru
from hazecast.models.sampling import TrainingSet


class Stack(Gru):
    """Networks and trees make different errors, so their mean has a smaller one than either."""

    kind: ClassVar[str] = "stack"
    summary: ClassVar[str] = (
        "A weighted mean of gradient-boosted trees (one ensemble per pollutant and lead block) and gated recurrent "
        "networks (one for all pollutants and leads)."
    )

    @classmethod
    def fit_point(
        cls, dataset: lgb.Dataset, rows: TrainingSet, parameters: dict[str, object], config: ModelConfig
    ) -> tuple[PointModel, npt.NDArray[np.floating]]:
        """See `ResidualForecaster`."""
        folds, n_rounds = config.sampling.folds, config.trees.rounds
        trees, out_of_fold = cross_fit(dataset, rows, parameters, n_rounds=n_rounds, folds=folds)
        weight = stacking_weight(rows.residual, rows.rnn_residual, out_of_fold, config.stack)
        rnn, boosted = rows.rnn_residual.astype(np.float64), out_of_fold.astype(np.float64)
        return PointModel(trees, weight), rows.residual - weight * rnn - (1 - weight) * boosted


def stacking_weight(truth: Floats32, rnn: Floats32, trees: Floats32, config: StackConfig) -> float:
    """Weight of the network: that of the least absolute error out of fold, shrunk towards the prior.

    Out-of-fold rows lie between rows that were seen, and the years to come do not: the best weight is overfitted
    (on combining forecasts: Clemen 1989).
    """

    def error(weight: float) -> float:
        return float(np.abs(truth - (weight * rnn + (1 - weight) * trees)).mean())

    best = min(np.linspace(0, 1, config.grid_steps + 1), key=error)
    return float(best + config.shrinkage * (config.prior_weight - best))
