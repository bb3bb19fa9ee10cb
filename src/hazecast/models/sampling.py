"""Which rows a model learns from, with the folds in time of the cross-fitting."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import ForecastSpec, LeadBlock
from hazecast.features import (
    AsOfView,
    FutureWeather,
    Panel,
    Rows,
    SequenceInputs,
    as_of,
    build_features,
    build_sequences,
    log_level,
)
from hazecast.features.sequences import concat_sequences
from hazecast.features.view import HISTORY_HOURS
from hazecast.models.config import SamplingConfig

_BATCH_CASES = 8_000  # bounds memory


@dataclass(frozen=True)
class Cases:
    """Stations and hours of issue to learn from; `fold` 0 … folds-1 are alternating stretches of time."""

    station: Ints
    hour: Ints
    fold: Ints

    def __len__(self) -> int:
        return len(self.station)

    def __getitem__(self, some: slice | Ints) -> "Cases":
        return Cases(self.station[some], self.hour[some], self.fold[some])


@dataclass(frozen=True)
class TrainingSet:
    """Training rows of one pollutant and lead block, on the log scale.

    Attributes:
        names: of the features.
        features: (row, feature).
        naive: (row,) naive forecast of the log level.
        residual: (row,) target: the true log level minus `naive`.
        rnn_residual: (row,) the recurrent network's out-of-fold prediction of it; 0 without a network.
        fold: (row,) of its case.
    """

    names: tuple[str, ...]
    features: Floats32
    naive: Floats32
    residual: Floats32
    rnn_residual: Floats32
    fold: Ints


@dataclass(frozen=True)
class TrainingSampler:
    """Draws training rows.

    Attributes:
        panel: all data.
        until: panel hour; only truth of hours that had ended and were available by then is used.
        future: weather ahead that the features include.
        spec: horizon and lead blocks.
        offsets: offset of the log scale per pollutant [µg/m³].
        config: how many rows, and the folds.
        seed: of the draw and of the weather errors.
    """

    panel: Panel
    until: int
    future: FutureWeather
    spec: ForecastSpec
    offsets: dict[str, float]
    config: SamplingConfig
    seed: int

    def cases(self) -> Cases:
        """Random issues with something observed in the hour before, in random order."""
        last = min(self.until, self.panel.n_hours)
        observed = (self.panel.known_from[:, :, :last] <= self.until).any(axis=0)
        station, hour = np.nonzero(observed)
        order = np.random.default_rng(self.seed).permutation(len(station))
        chosen = order[: self._n_cases(len(station))]
        hour = hour[chosen] + 1
        return Cases(station[chosen], hour, self._fold(hour))

    def sequences(self, cases: Cases, pollutants: tuple[str, ...]) -> tuple[SequenceInputs, Floats32]:
        """Inputs of the recurrent network and its target: the residual of the naive forecast, (lead, case, pollutant).

        NaN where the truth is unknown.
        """
        parts = [self._sequences(some, pollutants) for some in self._batches(cases)]
        inputs, residuals = zip(*parts, strict=True)
        return concat_sequences(inputs), np.concatenate(residuals, axis=1)

    def sample(
        self, block: LeadBlock, cases: Cases, rnn_out_of_fold: Floats32 | None, *, pollutants: tuple[str, ...]
    ) -> dict[str, TrainingSet]:
        """Rows of one lead block, the same for all pollutants, less those without truth.

        Args:
            block: first and last lead [h].
            cases: as of the recurrent network.
            rnn_out_of_fold: (lead, case, pollutant) its out-of-fold prediction of the log level; None: no network.
            pollutants: of `rnn_out_of_fold`, in its order.
        """
        rng = np.random.default_rng((self.seed, *block))
        leads = min(self.config.leads_per_case, block[1] - block[0] + 1)
        parts: dict[str, list[TrainingSet]] = {p: [] for p in pollutants}
        start = 0
        for some in self._batches(cases[: max(1, self.config.rows_per_block // leads)]):
            lead = rng.integers(block[0], block[1] + 1, (leads, len(some)))
            rnn = None if rnn_out_of_fold is None else rnn_out_of_fold[:, start : start + len(some)]
            start += len(some)
            for pollutant, rows in self._rows(some, lead, rnn, pollutants):
                parts[pollutant].append(rows)
        # One pollutant after the other: parts and whole of all of them at once would need twice the memory.
        return {p: _concat(parts.pop(p)) for p in pollutants}

    def _batches(self, cases: Cases) -> Iterator[Cases]:
        for start in range(0, len(cases), _BATCH_CASES):
            yield cases[start : start + _BATCH_CASES]

    def _as_of(self, cases: Cases) -> AsOfView:
        horizon_hours = self.spec.horizon_hours
        return as_of(
            self.panel, cases.station, cases.hour, future=self.future, horizon_hours=horizon_hours, seed=self.seed
        )

    def _sequences(self, cases: Cases, pollutants: tuple[str, ...]) -> tuple[SequenceInputs, Floats32]:
        inputs = build_sequences(self._as_of(cases), offsets=self.offsets, future=self.future, only=pollutants)
        hours = cases.hour + np.arange(self.spec.horizon_hours)[:, None]
        truth = [self._truth(p, np.broadcast_to(cases.station, hours.shape), hours) for p in pollutants]
        return inputs, np.stack(truth, axis=-1) - inputs.naive

    def _truth(self, pollutant: str, station: Ints, hour: Ints) -> Floats32:
        truth, known_from = self.panel.truth(pollutant, station, hour)
        return log_level(np.where(known_from <= self.until, truth, np.float32(np.nan)), self.offsets[pollutant])

    def _rows(
        self, cases: Cases, lead: Ints, rnn: Floats32 | None, pollutants: tuple[str, ...]
    ) -> Iterator[tuple[str, TrainingSet]]:
        rows = Rows(np.tile(np.arange(len(cases)), len(lead)), lead.ravel())
        built = build_features(self._as_of(cases), rows, offsets=self.offsets, future=self.future, only=pollutants)
        for k, (pollutant, features) in enumerate(built.items()):
            truth = self._truth(pollutant, cases.station[rows.case], cases.hour[rows.case] + rows.lead - 1)
            residual = truth - features.naive
            use = ~np.isnan(residual)
            predicted = np.zeros_like(residual) if rnn is None else rnn[rows.lead - 1, rows.case, k] - features.naive
            fold = cases.fold[rows.case]
            columns = features.values, features.naive, residual, predicted, fold
            yield pollutant, TrainingSet(features.names, *(column[use] for column in columns))

    def _fold(self, hour: Ints) -> Ints:
        return hour // self.stretch_hours % self.config.folds

    @property
    def stretch_hours(self) -> int:
        """Length of the alternating stretches of time that are the folds; shorter where the record is short [h]."""
        return max(1, min(self.config.fold_hours, self.until // (2 * self.config.folds)))

    def unseen_origins(self, n: int) -> dict[int, Ints]:
        """Hours of issue per fold whose forecast lies, as far as possible, in one stretch: the models without the fold
        have not seen its truth.

        Args:
            n: origins of all folds together at most.
        """
        room = max(self.stretch_hours - self.spec.horizon_hours, 0)
        hours = np.arange(HISTORY_HOURS, self.until - self.spec.horizon_hours + 1)
        hours = hours[hours % self.stretch_hours <= room]
        some = np.sort(np.random.default_rng(self.seed).permutation(hours)[:n])
        fold = self._fold(some)
        return {k: some[fold == k] for k in range(self.config.folds)}

    def _n_cases(self, n_issues: int) -> int:
        enough = max(n_issues // self.config.issues_per_case, self.config.min_cases)
        return min(self.config.cases, n_issues, enough)


def train_indices(in_fold: npt.NDArray[np.bool_]) -> Ints:
    """The rows to learn from when a fold is left out; all rows where nothing lies outside it."""
    return np.flatnonzero(~in_fold) if not in_fold.all() else np.arange(len(in_fold))


def log_offsets(panel: Panel, until: int, config: SamplingConfig) -> dict[str, float]:
    """Offset of the log scale [µg/m³] of each pollutant observed by `until`: a share of its median."""
    found = {}
    known = panel.truth_by(until)
    for k, pollutant in enumerate(panel.pollutants):
        values = panel.concentration_ugm3[k][known[k]]
        if len(values):
            direct = Pollutant(pollutant).photochemical
            share = config.offset_share_direct if direct else config.offset_share
            found[pollutant] = max(float(np.median(values)) * share, 1e-3)
    return found


def _concat(parts: list[TrainingSet]) -> TrainingSet:
    return TrainingSet(
        parts[0].names,
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.naive for part in parts]),
        np.concatenate([part.residual for part in parts]),
        np.concatenate([part.rnn_residual for part in parts]),
        np.concatenate([part.fold for part in parts]),
    )
