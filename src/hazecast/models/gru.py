"""The GRU model: a recurrent network for all pollutants and leads at once, trained on whole forecasts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import lightgbm as lgb
import numpy as np

from hazecast.air.arrays import Floats32, Ints
from hazecast.features import SequenceInputs
from hazecast.models.base import Progress
from hazecast.models.config import GruConfig, ModelConfig
from hazecast.models.forecaster import PointModel, ResidualForecaster
from hazecast.models.gru_cell import Weights, backward, forward, initial_weights
from hazecast.models.sampling import Cases, TrainingSampler, TrainingSet, train_indices
from hazecast.models.threads import sequential_map

_BETA_MEAN, _BETA_SQUARE, _EPSILON = 0.9, 0.999, 1e-8  # of Adam, as published
_BATCH_CASES = 1_000  # of predictions; bounds memory


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each feature; a missing feature becomes its mean."""

    centre: Floats32
    width: Floats32
    clip_sd: float

    def __call__(self, features: Floats32) -> Floats32:
        """Features in standard deviations, clipped."""
        scaled = (features - self.centre) / self.width
        return np.clip(np.nan_to_num(scaled, copy=False), -self.clip_sd, self.clip_sd, out=scaled)


def fit_scaling(features: Floats32, clip_sd: float) -> Scaling:
    """Mean and standard deviation, ignoring NaN; a constant feature keeps its width of 1."""
    known = ~np.isnan(features)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, features, 0).sum(axis=0, dtype=np.float64) / count
    width = np.sqrt(np.where(known, (features - centre) ** 2, 0).sum(axis=0, dtype=np.float64) / count)
    width = np.where(width > 1e-6, width, 1)  # noqa: PLR2004
    return Scaling(centre.astype(np.float32), width.astype(np.float32), clip_sd)


@dataclass(frozen=True)
class GruNetwork:
    """A fitted network.

    Attributes:
        weights: of the cell, the encoders and the read-out.
        past, ahead: scaling of its inputs.
        unit: (pollutant,) mean absolute residual in training: the unit of its output.
    """

    weights: Weights
    past: Scaling
    ahead: Scaling
    unit: Floats32

    def predict(self, inputs: SequenceInputs) -> Floats32:
        """Log level, (lead, case, pollutant); NaN where there is no naive forecast."""
        residual = forward(self.weights, self.past(inputs.past), self.ahead(inputs.ahead)).out * self.unit
        return np.asarray(inputs.naive + residual, np.float32)


def fit_network(
    inputs: SequenceInputs,
    residual: Floats32,
    *,
    cases: Ints,
    config: GruConfig,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> GruNetwork:
    """Minimise the Huber loss over all leads and pollutants with AdamW, cosine decay of the learning rate.

    Args:
        inputs: of all cases.
        residual: (lead, case, pollutant) log level minus the naive forecast, NaN where the truth is unknown.
        cases: which of them to learn from.
        config: hyper-parameters.
        epochs: passes over the cases; more where that makes too few steps.
        learning_rate: at its peak, for the largest batch.
        seed: of the initial weights and the order of the cases.
    """
    rng = np.random.default_rng(seed)
    some = rng.permutation(cases)[: config.scaling_cases]
    past = fit_scaling(inputs.past[some], config.clip_sd)
    ahead = fit_scaling(inputs.ahead[:, some].reshape(-1, inputs.ahead.shape[2]), config.clip_sd)
    unit = _mean_absolute(residual[:, some])
    weights = initial_weights(rng, inputs.past.shape[1], inputs.ahead.shape[2], residual.shape[2], config)
    step = _AdamW(weights, config)
    batches = list(_batches(rng, cases, epochs, config))
    for k, batch in enumerate(batches):
        scaled = past(inputs.past[batch]), ahead(inputs.ahead[:, batch])
        trace = forward(weights, *scaled)
        gradient = _huber_gradient(trace.out, residual[:, batch] / unit, config.huber_delta)
        rate = learning_rate * np.sqrt(len(batch) / config.max_batch) * min(1, (k + 1) / config.warm_up_steps)
        step(backward(weights, trace, *scaled, gradient), rate * 0.5 * (1 + np.cos(np.pi * k / len(batches))))
    return GruNetwork(weights, past, ahead, unit)


def fit_networks(
    sampler: TrainingSampler,
    cases: Cases,
    pollutants: tuple[str, ...],
    *,
    config: ModelConfig,
    seed: int,
    progress: Progress,
) -> tuple[tuple[GruNetwork, ...], Floats32]:
    """Networks of every fold, each trained without it; and the out-of-fold log level, (lead, case, pollutant)."""
    folds, per_fold = config.sampling.folds, config.gru.networks_per_fold
    epochs, learning_rate = config.gru.schedule(sampler.future)
    numbers = range(folds * per_fold)
    progress("training sequences", 0.0)
    inputs, residual = sampler.sequences(cases, pollutants)
    out_of_fold = np.zeros_like(residual)

    def fit_one(number: int) -> GruNetwork:
        progress(f"recurrent network {number + 1} of {len(numbers)}", 0.5 * (number + 0.2) / len(numbers))
        in_fold = cases.fold == number % folds
        network = fit_network(
            inputs,
            residual,
            cases=train_indices(in_fold),
            config=config.gru,
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed + number,
        )
        for few in np.array_split(np.flatnonzero(in_fold), in_fold.sum() // _BATCH_CASES + 1):
            out_of_fold[:, few] += network.predict(inputs[few]) * (folds / len(numbers))
        return network

    return tuple(sequential_map(fit_one, numbers)), out_of_fold


class Gru(ResidualForecaster):
    """The recurrent network alone; trees only for the size of its error."""

    kind: ClassVar[str] = "gru"
    summary: ClassVar[str] = "Gated recurrent networks, one for all pollutants and leads."

    @classmethod
    def fit_networks(
        cls,
        sampler: TrainingSampler,
        cases: Cases,
        pollutants: tuple[str, ...],
        *,
        config: ModelConfig,
        seed: int,
        progress: Progress,
    ) -> tuple[tuple[GruNetwork, ...], Floats32 | None]:
        """See `ResidualForecaster`."""
        return fit_networks(sampler, cases, pollutants, config=config, seed=seed, progress=progress)

    @classmethod
    def fit_point(
        cls,
        dataset: lgb.Dataset,  # noqa: ARG003
        rows: TrainingSet,
        parameters: dict[str, object],  # noqa: ARG003
        config: ModelConfig,  # noqa: ARG003
    ) -> tuple[PointModel, Floats32]:
        """See `ResidualForecaster`."""
        return PointModel((), rnn_weight=1.0), rows.residual - rows.rnn_residual

    def rnn_levels(self, inputs: SequenceInputs) -> Floats32 | None:
        """See `ResidualForecaster`."""
        predictions = sequential_map(lambda network: network.predict(inputs), self.networks)
        return np.asarray(np.mean(predictions, axis=0))

    def save_networks(self, folder: Path) -> None:
        """See `ResidualForecaster`."""
        for number, network in enumerate(self.networks):
            arrays = {f"weights.{name}": part for name, part in network.weights.items()} | {"unit": network.unit}
            for name, scaling in {"past": network.past, "ahead": network.ahead}.items():
                arrays |= {f"{name}.centre": scaling.centre, f"{name}.width": scaling.width}
            np.savez(folder / f"gru_{number}.npz", allow_pickle=False, **arrays)

    @classmethod
    def load_networks(cls, folder: Path, config: ModelConfig) -> tuple[GruNetwork, ...]:
        """See `ResidualForecaster`."""
        return tuple(_read_network(file, config.gru.clip_sd) for file in sorted(folder.glob("gru_*.npz")))


def _read_network(file: Path, clip_sd: float) -> GruNetwork:
    with np.load(file, allow_pickle=False) as stored:
        arrays: dict[str, Floats32] = dict(stored)
    weights = {name.removeprefix("weights."): part for name, part in arrays.items() if name.startswith("weights.")}
    past, ahead = (Scaling(arrays[f"{p}.centre"], arrays[f"{p}.width"], clip_sd) for p in ("past", "ahead"))
    return GruNetwork(weights, past, ahead, arrays["unit"])


def _mean_absolute(residual: Floats32) -> Floats32:
    known = ~np.isnan(residual)
    total = np.where(known, np.abs(residual), 0).sum(axis=(0, 1), dtype=np.float64)
    return np.asarray(np.maximum(total / np.maximum(known.sum(axis=(0, 1)), 1), 1e-6), np.float32)


def _huber_gradient(prediction: Floats32, truth: Floats32, delta: float) -> Floats32:
    """Gradient of the mean Huber loss; 0 where the truth is unknown."""
    known = ~np.isnan(truth)
    gradient = np.where(known, np.clip((prediction - truth) / delta, -1, 1), 0) / max(known.sum(), 1)
    return np.asarray(gradient, np.float32)


def _batches(rng: np.random.Generator, cases: Ints, epochs: int, config: GruConfig) -> Iterator[Ints]:
    size = int(np.clip(len(cases) // config.batches_per_epoch, config.min_batch, config.max_batch))
    per_epoch = max(len(cases) // size, 1)
    n_steps = max(epochs * per_epoch, config.min_steps)
    for first in range(0, n_steps, per_epoch):
        yield from np.array_split(rng.permutation(cases), per_epoch)[: n_steps - first]


class _AdamW:
    """AdamW (Loshchilov & Hutter 2019) with clipped gradients; updates the weights in place."""

    def __init__(self, weights: Weights, config: GruConfig) -> None:
        self.weights, self.config = weights, config
        self.mean = {name: np.zeros_like(part) for name, part in weights.items()}
        self.square = {name: np.zeros_like(part) for name, part in weights.items()}
        self.count = 0

    def __call__(self, gradient: Weights, rate: float) -> None:
        self.count += 1
        norm = np.sqrt(sum(float(np.vdot(part, part)) for part in gradient.values()))
        clip = np.float32(min(1, self.config.max_grad_norm / max(norm, 1e-9)))
        for name, part in self.weights.items():
            slope, mean, square = gradient[name] * clip, self.mean[name], self.square[name]
            mean += np.float32(0.1) * (slope - mean)
            square += np.float32(0.001) * (slope * slope - square)
            corrected_mean = mean / (1 - _BETA_MEAN**self.count)
            corrected_square = square / (1 - _BETA_SQUARE**self.count)
            decay = np.float32(self.config.weight_decay if part.ndim > 1 else 0)
            update = corrected_mean / (np.sqrt(corrected_square) + np.float32(_EPSILON)) + decay * part
            part -= np.float32(rate) * update
