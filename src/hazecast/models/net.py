"""A small neural network in plain NumPy: smooth where trees are stepped, so the mean of both errs less than either."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

HIDDEN = (64, 32)
_EPOCHS = 7
_BATCH = 512
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 1e-2
_ELBOW = 0.5  # errors beyond half the mean absolute one count linearly: nearly a median
_FEWEST_STEPS = 300


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
class Net:
    """Weights and biases, layer by layer; rectified between the layers, linear at the end."""

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def predict(self, scaled: Floats) -> Floats:
        """One value per row of scaled features."""
        return _forward(self, scaled)[-1][:, 0]


def fit_net(scaled: Floats, target: Floats, *, seed: int) -> Net:
    """Minimise the Huber loss with AdamW, the learning rate falling along a cosine.

    Args:
        scaled: (row, feature), scaled.
        target: (row,), in any unit.
        seed: of the first weights and the order of rows.
    """
    rng = np.random.default_rng(seed)
    centre = np.float32(np.median(target))
    width = np.float32(max(float(np.abs(target - centre).mean()), 1e-6))
    net = _first_net(rng, scaled.shape[1])
    step = _Adam(net)
    batches = list(_batches(rng, len(target)))
    for k, rows in enumerate(batches):
        rate = _LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * k / len(batches)))
        step(_gradient(net, scaled[rows], (target[rows] - centre) / width), rate)
    last = net.weights[-1] * width
    return Net((*net.weights[:-1], last), (*net.biases[:-1], net.biases[-1] * width + centre))


def _first_net(rng: np.random.Generator, n_features: int) -> Net:
    sizes = (n_features, *HIDDEN, 1)
    weights = [
        rng.normal(size=shape).astype(np.float32) * np.float32(np.sqrt(2 / shape[0])) for shape in pairwise(sizes)
    ]
    weights[-1] *= np.float32(0.1)
    return Net(tuple(weights), tuple(np.zeros(n, np.float32) for n in sizes[1:]))


def _batches(rng: np.random.Generator, n_rows: int) -> Iterator[Ints]:
    per_epoch = max(n_rows // _BATCH, 1)
    for _ in range(max(_EPOCHS, -(-_FEWEST_STEPS // per_epoch))):
        yield from np.array_split(rng.permutation(n_rows), per_epoch)


def _forward(net: Net, scaled: Floats) -> list[Floats]:
    layers = [scaled]
    for weight, bias in zip(net.weights[:-1], net.biases[:-1], strict=True):
        layers.append(np.maximum(layers[-1] @ weight + bias, 0))
    layers.append(layers[-1] @ net.weights[-1] + net.biases[-1])
    return layers


def _gradient(net: Net, scaled: Floats, target: Floats) -> list[Floats]:
    """Of the loss with respect to every weight, then every bias."""
    layers = _forward(net, scaled)
    back = np.clip((layers[-1][:, 0] - target) / np.float32(_ELBOW), -1, 1)[:, None] / np.float32(len(target))
    weights, biases = [], []
    for k in reversed(range(len(net.weights))):
        weights.append(layers[k].T @ back)
        biases.append(back.sum(axis=0))
        back = (back @ net.weights[k].T) * (layers[k] > 0)
    return weights[::-1] + biases[::-1]


class _Adam:
    """AdamW (Loshchilov & Hutter 2019), changing the net in place."""

    def __init__(self, net: Net) -> None:
        self.parts = (*net.weights, *net.biases)
        self.first = [np.zeros_like(part) for part in self.parts]
        self.second = [np.zeros_like(part) for part in self.parts]
        self.count = 0

    def __call__(self, gradient: list[Floats], rate: float) -> None:
        self.count += 1
        for part, slope, first, second in zip(self.parts, gradient, self.first, self.second, strict=True):
            first += np.float32(0.1) * (slope - first)
            second += np.float32(0.001) * (slope * slope - second)
            mean, square = first / (1 - 0.9**self.count), second / (1 - 0.999**self.count)
            part -= np.float32(rate) * (mean / (np.sqrt(square) + np.float32(1e-8)) + np.float32(_WEIGHT_DECAY) * part)
