"""Which rows a model learns from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.features import FutureWeather, Panel, Rows, build_features, log_level, look

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FOLD_HOURS = 480
_OFFSET_SHARE = 0.1
_CASES_AT_ONCE = 8_000


@dataclass(frozen=True)
class Lesson:
    """Training rows of one pollutant: features, and how far the truth departed from the base on the log scale."""

    names: tuple[str, ...]
    features: Floats
    departure: Floats
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

    def draw(self, block: tuple[int, int], *, n_rows: int, pollutants: tuple[str, ...]) -> dict[str, Lesson]:
        """About `n_rows` random rows of one lead block, the same for all pollutants, less those without truth."""
        rng = np.random.default_rng((self.seed, *block))
        station, hour = self._issues()
        leads = min(3, block[1] - block[0] + 1)
        n_cases = max(1, min(n_rows, len(station) // 2) // leads)
        chosen = np.sort(rng.permutation(len(station))[:n_cases])
        parts: dict[str, list[Lesson]] = {p: [] for p in pollutants}
        for start in range(0, len(chosen), _CASES_AT_ONCE):
            some = chosen[start : start + _CASES_AT_ONCE]
            lead = rng.integers(block[0], block[1] + 1, (leads, len(some)))
            for pollutant, lesson in self._lessons(station[some], hour[some], lead, pollutants):
                parts[pollutant].append(lesson)
        return {p: _join(lessons) for p, lessons in parts.items()}

    def _issues(self) -> tuple[Ints, Ints]:
        """Every (station, hour of issue) with something observed in the hour before."""
        panel = self.panel
        last = min(self.until, panel.n_hours)
        seen = (panel.known_from[:, :, :last] <= self.until).any(axis=0)
        station, hour = np.nonzero(seen)
        return station, hour + 1

    def _lessons(
        self, station: Ints, hour: Ints, lead: Ints, pollutants: tuple[str, ...]
    ) -> Iterator[tuple[str, Lesson]]:
        view = look(self.panel, station, hour, future=self.future, seed=self.seed)
        rows = Rows(np.tile(np.arange(len(station)), len(lead)), lead.ravel())
        fold = self._fold(hour)[rows.case]
        for pollutant, built in build_features(
            view, rows, offsets=self.offsets, future=self.future, only=pollutants
        ).items():
            truth, known_from = self.panel.truth(pollutant, station[rows.case], hour[rows.case] + rows.lead - 1)
            truth = np.where(known_from <= self.until, truth, np.float32(np.nan))
            departure = log_level(truth, self.offsets[pollutant]) - built.base
            use = ~np.isnan(departure)
            yield pollutant, Lesson(built.names, built.values[use], departure[use], fold[use])

    def _fold(self, hour: Ints) -> Ints:
        """Alternating stretches of time, 20 days each or shorter where the record is short."""
        length = max(1, min(FOLD_HOURS, self.until // (2 * self.folds)))
        return hour // length % self.folds


def _join(lessons: list[Lesson]) -> Lesson:
    return Lesson(
        lessons[0].names,
        np.concatenate([one.features for one in lessons]),
        np.concatenate([one.departure for one in lessons]),
        np.concatenate([one.fold for one in lessons]),
    )


def log_offsets(panel: Panel, until: int) -> dict[str, float]:
    """A tenth of each pollutant's median, so that the log scale bends where values are small for that pollutant."""
    found = {}
    for k, pollutant in enumerate(panel.pollutants):
        known = panel.trusted[k] & (panel.known_from[k] <= until)
        values = panel.concentration_ugm3[k][known]
        if len(values):
            found[pollutant] = max(float(np.median(values)) * _OFFSET_SHARE, 1e-3)
    return found
