"""Which rows a model learns from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.air.tables import HORIZON_HOURS
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

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FOLD_HOURS = 480
_LEADS_PER_CASE = 3
_REPEATS, _FEWEST_CASES = 4, 3_000
# Of the median. Fresh exhaust eats ozone nearly up every night: without a larger one, traces would rule its log scale.
_OFFSET_SHARE, _OFFSET_SHARE_O3 = 0.1, 3.0
_CASES_AT_ONCE = 8_000


@dataclass(frozen=True)
class Cases:
    """Which station and hour of issue to learn from; `fold` 0 … folds-1 are alternating stretches of time."""

    station: Ints
    hour: Ints
    fold: Ints

    def __len__(self) -> int:
        return len(self.station)

    def __getitem__(self, some: slice | Ints) -> "Cases":
        return Cases(self.station[some], self.hour[some], self.fold[some])


@dataclass(frozen=True)
class Lesson:
    """Training rows of one pollutant, on the log scale.

    `departure` is how far the truth departed from the base of the features, `walked` how far it would by path nets that
    had not seen it.
    """

    names: tuple[str, ...]
    features: Floats
    base: Floats
    departure: Floats
    walked: Floats
    fold: Ints


@dataclass(frozen=True)
class Curriculum:
    """What to draw training rows from.

    Attributes:
        panel: everything.
        until: panel hour; only truth of hours that had ended and were available by then is used.
        future: weather ahead shown to the features.
        offsets: offset of the log scale per pollutant [µg/m³].
        folds: number of folds in time.
        seed: of the draw and of the weather errors.
    """

    panel: Panel
    until: int
    future: FutureWeather
    offsets: dict[str, float]
    folds: int
    seed: int

    def cases(self, n_cases: int) -> Cases:
        """Up to `n_cases` random issues with something observed in the hour before, in random order."""
        last = min(self.until, self.panel.n_hours)
        seen = (self.panel.known_from[:, :, :last] <= self.until).any(axis=0)
        station, hour = np.nonzero(seen)
        chosen = np.random.default_rng(self.seed).permutation(len(station))[: _worth_drawing(len(station), n_cases)]
        hour = hour[chosen] + 1
        return Cases(station[chosen], hour, self._fold(hour))

    def paths(self, cases: Cases, pollutants: tuple[str, ...]) -> tuple[SequenceInputs, Floats]:
        """Inputs of the path net, and what it is to say: (lead, case, pollutant) departure of the truth from the base.

        NaN where the truth is not known.
        """
        parts = [self._path(some, pollutants) for some in self._in_turn(cases)]
        paths, departures = zip(*parts, strict=True)
        return concat_sequences(paths), np.concatenate(departures, axis=1)

    def lessons(
        self, block: tuple[int, int], cases: Cases, walked: Floats, *, n_rows: int, pollutants: tuple[str, ...]
    ) -> dict[str, Lesson]:
        """About `n_rows` rows of one lead block, the same for all pollutants, less those without truth.

        Args:
            block: first and last lead [h].
            cases: as the path net's.
            walked: (lead, case, pollutant) log level that path nets which had not seen the case said.
            n_rows: three leads are drawn of each case.
            pollutants: of `walked`, in its order.
        """
        rng = np.random.default_rng((self.seed, *block))
        leads = min(_LEADS_PER_CASE, block[1] - block[0] + 1)
        parts: dict[str, list[Lesson]] = {p: [] for p in pollutants}
        start = 0
        for some in self._in_turn(cases[: max(1, n_rows // leads)]):
            lead = rng.integers(block[0], block[1] + 1, (leads, len(some)))
            mine = walked[:, start : start + len(some)]
            start += len(some)
            for pollutant, lesson in self._lessons(some, lead, mine, pollutants):
                parts[pollutant].append(lesson)
        # One after the other: parts and whole of all pollutants at once would need twice the memory.
        return {p: _join(parts.pop(p)) for p in pollutants}

    def _in_turn(self, cases: Cases) -> Iterator[Cases]:
        for start in range(0, len(cases), _CASES_AT_ONCE):
            yield cases[start : start + _CASES_AT_ONCE]

    def _look(self, cases: Cases) -> AsOfView:
        return as_of(self.panel, cases.station, cases.hour, future=self.future, seed=self.seed)

    def _path(self, cases: Cases, pollutants: tuple[str, ...]) -> tuple[SequenceInputs, Floats]:
        path = build_sequences(self._look(cases), offsets=self.offsets, future=self.future, only=pollutants)
        hours = cases.hour + np.arange(HORIZON_HOURS)[:, None]
        truth = [self._truth(p, np.broadcast_to(cases.station, hours.shape), hours) for p in pollutants]
        return path, np.stack(truth, axis=-1) - path.naive

    def _truth(self, pollutant: str, station: Ints, hour: Ints) -> Floats:
        truth, known_from = self.panel.truth(pollutant, station, hour)
        return log_level(np.where(known_from <= self.until, truth, np.float32(np.nan)), self.offsets[pollutant])

    def _lessons(
        self, cases: Cases, lead: Ints, walked: Floats, pollutants: tuple[str, ...]
    ) -> Iterator[tuple[str, Lesson]]:
        rows = Rows(np.tile(np.arange(len(cases)), len(lead)), lead.ravel())
        built = build_features(self._look(cases), rows, offsets=self.offsets, future=self.future, only=pollutants)
        for k, (pollutant, features) in enumerate(built.items()):
            truth = self._truth(pollutant, cases.station[rows.case], cases.hour[rows.case] + rows.lead - 1)
            departure = truth - features.naive
            use = ~np.isnan(departure)
            said = walked[rows.lead - 1, rows.case, k] - features.naive
            fold = cases.fold[rows.case]
            columns = features.values, features.naive, departure, said, fold
            yield pollutant, Lesson(features.names, *(column[use] for column in columns))

    def _fold(self, hour: Ints) -> Ints:
        """Alternating stretches of time, 20 days each or shorter where the record is short."""
        length = max(1, min(FOLD_HOURS, self.until // (2 * self.folds)))
        return hour // length % self.folds


def outside(fold: npt.NDArray[np.bool_]) -> Ints:
    """The rows to learn from that are blind to a fold; all rows where nothing lies outside it."""
    return np.flatnonzero(~fold) if not fold.all() else np.arange(len(fold))


def _worth_drawing(n_issues: int, n_cases: int) -> int:
    """Issues an hour apart tell nearly the same; of a long record one in four is enough."""
    return min(n_cases, n_issues, max(n_issues // _REPEATS, _FEWEST_CASES))


def _join(lessons: list[Lesson]) -> Lesson:
    return Lesson(
        lessons[0].names,
        np.concatenate([one.features for one in lessons]),
        np.concatenate([one.base for one in lessons]),
        np.concatenate([one.departure for one in lessons]),
        np.concatenate([one.walked for one in lessons]),
        np.concatenate([one.fold for one in lessons]),
    )


def log_offsets(panel: Panel, until: int) -> dict[str, float]:
    """A tenth of each pollutant's median, of ozone three of them: there the log scale bends, as do small values."""
    found = {}
    known = panel.truth_by(until)
    for k, pollutant in enumerate(panel.pollutants):
        values = panel.concentration_ugm3[k][known[k]]
        if len(values):
            share = _OFFSET_SHARE_O3 if pollutant == "o3" else _OFFSET_SHARE
            found[pollutant] = max(float(np.median(values)) * share, 1e-3)
    return found
