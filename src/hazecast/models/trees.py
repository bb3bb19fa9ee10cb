"""The tree model: gradient-boosted trees for each pollutant and lead block."""

from typing import ClassVar

import lightgbm as lgb

from hazecast.air.arrays import Floats32
from hazecast.models.boosting import cross_fit
from hazecast.models.config import ModelConfig
from hazecast.models.forecaster import PointModel, ResidualForecaster
from hazecast.models.sampling import TrainingSet


class Trees(ResidualForecaster):
    """Gradient-boosted trees alone: the fastest to train."""

    kind: ClassVar[str] = "trees"
    summary: ClassVar[str] = "Gradient-boosted trees, one ensemble per pollutant and lead block."

    @classmethod
    def fit_point(
        cls, dataset: lgb.Dataset, rows: TrainingSet, parameters: dict[str, object], config: ModelConfig
    ) -> tuple[PointModel, Floats32]:
        """See `ResidualForecaster`."""
        folds, n_rounds = config.sampling.folds, config.trees.rounds
        trees, out_of_fold = cross_fit(dataset, rows, parameters, n_rounds=n_rounds, folds=folds)
        return PointModel(trees, rnn_weight=0.0), rows.residual - out_of_fold
