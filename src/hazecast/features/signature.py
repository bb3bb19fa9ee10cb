"""A hash of the model inputs: a model fitted on other inputs than this release builds cannot forecast."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np

from hazecast.air.pollutants import POLLUTANTS
from hazecast.features.build import Rows, build_features
from hazecast.features.panel import NEVER, WEATHER, Panel, WeatherRuns
from hazecast.features.sequences import build_sequences
from hazecast.features.view import FutureWeather, as_of


def input_signature(
    inputs: Sequence[str] = POLLUTANTS,
    *,
    only: Sequence[str] | None = None,
    future: FutureWeather = FutureWeather.FORECAST,
) -> str:
    """Hash of the names of all features and of the layout of the recurrent network's inputs.

    Args:
        inputs: pollutants that are inputs of the model.
        only: pollutants that it forecasts; None: all of them.
        future: weather ahead that it uses.
    """
    targets = tuple(inputs if only is None else only)
    if not inputs:
        return _hash([])  # a climatology
    view = as_of(_empty_panel(tuple(inputs)), np.zeros(1, np.int64), np.zeros(1, np.int64), future=future)
    offsets = dict.fromkeys(inputs, 1.0)
    rows = Rows(np.zeros(1, np.int64), np.ones(1, np.int64))
    built = build_features(view, rows, offsets=offsets, future=future, only=targets)
    sequences = build_sequences(view, offsets=offsets, future=future, only=targets)
    parts = [f"{pollutant}:{','.join(features.names)}" for pollutant, features in built.items()]
    parts += [",".join(WEATHER), f"past {sequences.past.shape[1]}", f"ahead {sequences.ahead.shape[2]}"]
    return _hash(parts)


def _hash(parts: Sequence[str]) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


def _empty_panel(pollutants: tuple[str, ...]) -> Panel:
    """One station without observations."""
    shape = (len(pollutants), 1, 1)
    nothing = np.empty(0, np.int64)
    nowhere = np.full(1, np.nan, np.float32)
    return Panel(
        stations=("",),
        pollutants=pollutants,
        start=datetime(2000, 1, 1, tzinfo=UTC),
        concentration_ugm3=np.full(shape, np.nan, np.float32),
        is_truth=np.zeros(shape, np.bool_),
        known_from=np.full(shape, NEVER, np.int32),
        weather=np.full((1, 1, len(WEATHER)), np.nan, np.float32),
        weather_known_from=np.full((1, 1), NEVER, np.int32),
        runs=WeatherRuns(nothing, nothing, nothing, np.empty((0, 1, len(WEATHER)), np.float32)),
        neighbours=np.empty((1, 0), np.int64),
        latitude_deg=nowhere,
        longitude_deg=nowhere,
        timezones=("UTC",),
    )
