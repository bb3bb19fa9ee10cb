"""LightGBM boosters with cross-fitting: one per fold, each trained without its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from hazecast.air.arrays import Floats32
from hazecast.models.config import TreesConfig
from hazecast.models.sampling import TrainingSet, train_indices
from hazecast.models.threads import SINGLE_THREAD

Boosters = tuple[lgb.Booster, ...]


def lightgbm_parameters(config: TreesConfig, *, n_rows: int, seed: int) -> dict[str, Any]:
    """Parameters of the boosters of the median."""
    min_leaf = np.clip(n_rows // config.rows_per_min_leaf, config.smallest_min_leaf, config.largest_min_leaf)
    return {
        "objective": "regression_l1",
        "learning_rate": config.learning_rate,
        "num_leaves": config.leaves,
        "lambda_l2": config.l2,
        "feature_fraction": config.feature_fraction,
        "extra_trees": config.extra_trees,
        "max_bin": config.max_bin,
        "bin_construct_sample_cnt": config.bin_sample,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
        "seed": seed,
        "min_data_in_leaf": int(min_leaf),
    } | SINGLE_THREAD


def make_dataset(rows: TrainingSet, parameters: dict[str, Any]) -> lgb.Dataset:
    """The binned features, with the residual as label."""
    dataset = lgb.Dataset(rows.features, rows.residual, feature_name=list(rows.names), params=parameters)
    return dataset.construct()


def cross_fit(
    dataset: lgb.Dataset, rows: TrainingSet, parameters: dict[str, Any], *, n_rounds: int, folds: int
) -> tuple[Boosters, Floats32]:
    """One booster per fold, trained without it on the labels of `dataset`; and the out-of-fold predictions (row,)."""
    boosters, out_of_fold = [], np.zeros(len(rows.fold), np.float32)
    for k in range(folds):
        in_fold = rows.fold == k
        subset = dataset.subset(train_indices(in_fold))
        boosters.append(lgb.train(parameters | {"seed": parameters["seed"] + k}, subset, num_boost_round=n_rounds))
        if in_fold.any():
            out_of_fold[in_fold] = boosters[-1].predict(rows.features[in_fold], **SINGLE_THREAD)
    return tuple(boosters), out_of_fold


def mean_prediction(boosters: Sequence[lgb.Booster], features: Floats32) -> npt.NDArray[np.float64]:
    """Mean over the boosters, (row,)."""
    return np.asarray(np.mean([booster.predict(features, **SINGLE_THREAD) for booster in boosters], axis=0))


def save_boosters(boosters: Sequence[lgb.Booster], stem: Path) -> None:
    """Write each as LightGBM text to `stem`0.txt, `stem`1.txt …"""
    for k, booster in enumerate(boosters):
        booster.save_model(str(stem.with_name(f"{stem.name}{k}.txt")))


def load_boosters(stem: Path, folds: int) -> Boosters:
    """Read what `save_boosters` wrote; empty where nothing was."""
    files = [stem.with_name(f"{stem.name}{k}.txt") for k in range(folds)]
    return tuple(lgb.Booster(model_file=str(file)) for file in files if file.is_file())
