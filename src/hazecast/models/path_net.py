"""The net that walks the path ahead: one for all pollutants and leads, trained on whole forecasts at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.features import SequenceInputs
from hazecast.models.recurrent import Weights, backward, first_weights, forward

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_FEWEST_STEPS = 150
_BATCHES_PER_ROUND = 100
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 256
_WARM_UP_STEPS = 50
_WEIGHT_DECAY = 0.7  # strong: what the air of a few years taught by chance is forgotten
_ELBOW = 0.25  # errors beyond a quarter of the mean absolute one count linearly: nearly a median
_LONGEST_STEP = 1.0
_SCALED_ON = 4_000


@dataclass(frozen=True)
class Pace:
    """How long and how fast a net learns.

    Attributes:
        rounds: how often each case is seen; more often where that makes too few steps.
        learning_rate: at its highest, for the largest batch.
    """

    rounds: int
    learning_rate: float


@dataclass(frozen=True)
class Scaling:
    """Centre and width of each feature; a missing feature becomes its centre."""

    centre: Floats
    width: Floats

    def __call__(self, features: Floats) -> Floats:
        """Features in units of their spread, kept within ±5."""
        scaled = (features - self.centre) / self.width
        return np.clip(np.nan_to_num(scaled, copy=False), -5, 5, out=scaled)


def fit_scaling(features: Floats) -> Scaling:
    """Mean and standard deviation of what is known of each feature; a constant one is left as it is."""
    known = ~np.isnan(features)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, features, 0).sum(axis=0, dtype=np.float64) / count
    width = np.sqrt(np.where(known, (features - centre) ** 2, 0).sum(axis=0, dtype=np.float64) / count)
    return Scaling(centre.astype(np.float32), np.where(width > 1e-6, width, 1).astype(np.float32))  # noqa: PLR2004


@dataclass(frozen=True)
class PathNet:
    """A fitted net.

    Attributes:
        weights: of the recurrent net.
        past, ahead: scaling of its inputs.
        unit: (pollutant,) mean absolute departure in training, the net's unit.
    """

    weights: Weights
    past: Scaling
    ahead: Scaling
    unit: Floats

    def predict(self, path: SequenceInputs) -> Floats:
        """Log level, (lead, case, pollutant); NaN where there is no base."""
        departure = forward(self.weights, self.past(path.past), self.ahead(path.ahead)).out * self.unit
        return np.asarray(path.naive + departure, np.float32)


def fit_path_net(path: SequenceInputs, departure: Floats, *, cases: Ints, pace: Pace, seed: int) -> PathNet:
    """Minimise the Huber loss over all leads and pollutants with AdamW, the learning rate falling along a cosine.

    Args:
        path: inputs.
        departure: (lead, case, pollutant) log level minus naive base, NaN where the truth is unknown.
        cases: which of them to learn from.
        pace: how long and how fast.
        seed: of the first weights and the order of cases.
    """
    rng = np.random.default_rng(seed)
    some = rng.permutation(cases)[:_SCALED_ON]
    past = fit_scaling(path.past[some])
    ahead = fit_scaling(path.ahead[:, some].reshape(-1, path.ahead.shape[2]))
    unit = _mean_absolute(departure[:, some])
    weights = first_weights(rng, path.past.shape[1], path.ahead.shape[2], departure.shape[2])
    step = _Adam(weights)
    batches = list(_batches(rng, cases, pace.rounds))
    for k, batch in enumerate(batches):
        inputs = past(path.past[batch]), ahead(path.ahead[:, batch])
        trace = forward(weights, *inputs)
        slope = _slope(trace.out, departure[:, batch] / unit)
        rate = pace.learning_rate * np.sqrt(len(batch) / _LARGEST_BATCH) * min(1, (k + 1) / _WARM_UP_STEPS)
        step(backward(weights, trace, *inputs, slope), rate * 0.5 * (1 + np.cos(np.pi * k / len(batches))))
    return PathNet(weights, past, ahead, unit)


def _mean_absolute(departure: Floats) -> Floats:
    known = ~np.isnan(departure)
    total = np.where(known, np.abs(departure), 0).sum(axis=(0, 1), dtype=np.float64)
    return np.asarray(np.maximum(total / np.maximum(known.sum(axis=(0, 1)), 1), 1e-6), np.float32)


def _slope(told: Floats, truth: Floats) -> Floats:
    """Of the mean Huber loss; nothing where the truth is unknown."""
    known = ~np.isnan(truth)
    slope = np.where(known, np.clip((told - truth) / _ELBOW, -1, 1), 0) / max(known.sum(), 1)
    return np.asarray(slope, np.float32)


def _batches(rng: np.random.Generator, cases: Ints, rounds: int) -> Iterator[Ints]:
    size = int(np.clip(len(cases) // _BATCHES_PER_ROUND, _SMALLEST_BATCH, _LARGEST_BATCH))
    per_round = max(len(cases) // size, 1)
    n_steps = max(rounds * per_round, _FEWEST_STEPS)
    for first in range(0, n_steps, per_round):
        yield from np.array_split(rng.permutation(cases), per_round)[: n_steps - first]


class _Adam:
    """AdamW (Loshchilov & Hutter 2019) with clipped gradients, changing the weights in place."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.first = {name: np.zeros_like(part) for name, part in weights.items()}
        self.second = {name: np.zeros_like(part) for name, part in weights.items()}
        self.count = 0

    def __call__(self, gradient: Weights, rate: float) -> None:
        self.count += 1
        length = np.sqrt(sum(float(np.vdot(part, part)) for part in gradient.values()))
        shorten = np.float32(min(1, _LONGEST_STEP / max(length, 1e-9)))
        for name, part in self.weights.items():
            slope, first, second = gradient[name] * shorten, self.first[name], self.second[name]
            first += np.float32(0.1) * (slope - first)
            second += np.float32(0.001) * (slope * slope - second)
            mean, square = first / (1 - 0.9**self.count), second / (1 - 0.999**self.count)
            decay = np.float32(_WEIGHT_DECAY if part.ndim > 1 else 0)
            part -= np.float32(rate) * (mean / (np.sqrt(square) + np.float32(1e-8)) + decay * part)
