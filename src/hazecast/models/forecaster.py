"""The forecaster: fitted models for every pollutant and lead block, and what they say about the next 72 hours."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.air.tables import HORIZON_HOURS, LEAD_BLOCKS
from hazecast.features import AsOfView, FutureWeather, Panel, Rows, as_of, build_features, build_sequences, log_level
from hazecast.models import folder as folders
from hazecast.models.baselines import cases, climatological_quantiles, key_columns
from hazecast.models.block import FOLDS, SHAPE_LEVELS, BlockModel, Distribution, fit_block
from hazecast.models.drivers import DRIVER_LEADS, DRIVERS, driver_rows
from hazecast.models.path_net import Pace, PathNet, fit_path_net
from hazecast.models.recalibration import (
    TRIAL_LEADS,
    Adjustment,
    Trials,
    adjust,
    gather_trials,
    trial_origins,
    trial_stations,
)
from hazecast.models.records import records, standing_records, temper
from hazecast.models.reporting import belief_by_level, report_median, reporting_steps
from hazecast.models.sampling import Cases, Curriculum, Lesson, log_offsets, outside
from hazecast.models.threads import in_turn, side_by_side

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]

ROWS_PER_BLOCK = 100_000
# The less is known of the weather ahead, the less there is to learn; a net that goes on learns chance.
_PACE = {
    FutureWeather.NONE: Pace(1, 6e-3),
    FutureWeather.NOISY: Pace(3, 9e-3),
    FutureWeather.FORECAST: Pace(3, 9e-3),
    FutureWeather.OBSERVED: Pace(6, 9e-3),
}
_CASES_AT_ONCE = 1_000
_LIVE_SEED, _TRAINING_SEED = 1, 1000  # training and live forecasts see different weather errors
_LEADS = np.arange(1, HORIZON_HOURS + 1)
_VALUES = (*QUANTILES, "mean")
_QUANTILES_AT = np.searchsorted(SHAPE_LEVELS, QUANTILE_LEVELS)


@dataclass(frozen=True)
class Effort:
    """What a training may cost: issues to learn from at most, and path nets per fold of time."""

    cases: int
    nets_per_fold: int


FULL, LIGHT = Effort(60_000, 2), Effort(1_000, 1)


@dataclass(frozen=True)
class Forecaster:
    """A fitted model; nothing about it changes after `fit`.

    Attributes:
        pollutants: those it was trained for.
        trained_until: no truth of a later hour was used.
        weather: what it expects to know of the weather ahead.
        metadata: plain facts of the training (rows, seed).
        feature_names: per pollutant.
        offsets: offset of the log scale per pollutant [µg/m³].
        steps: of the stations that report in coarse steps [µg/m³], per pollutant and station id.
        records: the highest each station has had [µg/m³], likewise.
        nets: some path nets per fold of time, each blind to its own; they walk all pollutants together.
        blocks: per pollutant, one model per lead block.
    """

    pollutants: tuple[str, ...]
    trained_until: datetime
    weather: FutureWeather
    metadata: dict[str, int]
    feature_names: dict[str, tuple[str, ...]]
    offsets: dict[str, float]
    steps: dict[str, dict[str, float]]
    records: dict[str, dict[str, float]]
    nets: tuple[PathNet, ...]
    blocks: dict[str, tuple[BlockModel, ...]]

    def predict(self, panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
        """Forecast every station and pollutant that had been observed by then, lead 1…72, never a gap.

        The quantiles are first recalibrated on what the past two weeks would have been forecast and turned out to be,
        as far as the model has not been trained on them. Where a station reports in coarse steps, the median is one of
        them.

        Returns:
            One row per (station_id, pollutant, issued_at, valid_at): lead_hours [h]; mean and q05 … q95 [µg/m³],
            ordered and not negative; status: "ok", "degraded" (the promised weather ahead is absent for that hour),
            "baseline" (the climatology of the station speaks: no recent observation, or a pollutant not trained for).

        Raises:
            ValueError: an issue time is not the start of an hour, or has no time zone.
        """
        station, issued = cases(panel, issued_at)
        adjustments = self._recalibrate(panel, np.unique(issued))
        frames = []
        for view in self._views(panel, station, issued):
            frames += self._forecast(view, adjustments, np.searchsorted(np.unique(issued), view.issued))
        return pl.concat(frames)

    def drivers(self, panel: Panel, issued_at: datetime) -> pl.DataFrame:
        """What moved the forecast issued then, at one hour of each lead block (`hazecast.models.drivers`).

        Returns:
            One row per (station_id, pollutant, issued_at, valid_at, driver): `change` of the log level against that
            driver being as usual, and the `offset_ugm3` of the log scale. Nothing where the climatology speaks.
        """
        station, issued = cases(panel, issued_at)
        frames = []
        for view in self._views(panel, station, issued):
            told = self._distributions(view, DRIVER_LEADS)
            for driver, as_usual in DRIVERS.items():
                for pollutant, usual in self._distributions(as_usual(view), DRIVER_LEADS).items():
                    rows = driver_rows(view, pollutant, told[pollutant].location - usual.location)
                    offset = pl.lit(self.offsets[pollutant])
                    frames.append(rows.with_columns(driver=pl.lit(driver), offset_ugm3=offset))
        return pl.concat(frames) if frames else pl.DataFrame()

    def feature_importance(self) -> pl.DataFrame:
        """One row per (pollutant, lead_block, feature): share of the trees' total gain, 0…1."""
        frames = []
        for pollutant, blocks in self.blocks.items():
            for (first, last), block in zip(LEAD_BLOCKS, blocks, strict=True):
                gain = np.sum([tree.feature_importance("gain") for tree in block.trees], axis=0)
                frame = pl.DataFrame({"feature": self.feature_names[pollutant], "share": gain / max(gain.sum(), 1e-12)})
                where = pl.lit(pollutant).alias("pollutant"), pl.lit(f"{first}-{last}").alias("lead_block")
                frames.append(frame.select(*where, "feature", "share"))
        return pl.concat(frames)

    def save(self, folder: Path) -> None:
        """Write the model as LightGBM text, NumPy arrays and JSON; no pickle."""
        folders.write(self, folder)

    @classmethod
    def load(cls, folder: Path) -> "Forecaster":
        """Read what `save` wrote."""
        return folders.read(cls, folder)

    def _views(self, panel: Panel, station: Ints, issued: Ints) -> Iterator[AsOfView]:
        for first in range(0, len(station), _CASES_AT_ONCE):
            some = slice(first, first + _CASES_AT_ONCE)
            yield as_of(panel, station[some], issued[some], future=self.weather, seed=_LIVE_SEED)

    def _distributions(self, view: AsOfView, leads: Ints) -> dict[str, Distribution]:
        """Location (of the log level itself) and spread, (lead, case); NaN where there was no base to correct."""
        rows = Rows(np.tile(np.arange(len(view)), len(leads)), np.repeat(leads, len(view)))
        told = tuple(p for p in self.pollutants if p in view.panel.pollutants)
        if not told:
            return {}
        walked = self._walk(view)[leads - 1].reshape(len(rows), -1)
        built = build_features(view, rows, offsets=self.offsets, future=self.weather, only=told)

        def distribution(pollutant: str) -> Distribution:
            features, parts = built.pop(pollutant), []
            said = walked[:, self.pollutants.index(pollutant)] - features.naive
            for (first, last), block in zip(LEAD_BLOCKS, self.blocks[pollutant], strict=True):
                mine = slice(*np.searchsorted(rows.lead, [first, last + 1]))
                parts.append(block.predict(features.values[mine], features.naive[mine], said[mine]))
            location = np.concatenate([part.location for part in parts])
            spread = np.concatenate([part.spread for part in parts])
            shape = len(leads), len(view)
            return Distribution(location.reshape(shape), spread.reshape(shape))

        return dict(zip(told, side_by_side(distribution, told), strict=True))

    def _walk(self, view: AsOfView) -> Floats:
        """Log level as the mean of the path nets, (lead, case, pollutant)."""
        path = build_sequences(view, offsets=self.offsets, future=self.weather, only=self.pollutants)
        return np.asarray(np.mean(in_turn(lambda net: net.predict(path), self.nets), axis=0))

    def _recalibrate(self, panel: Panel, issued: Ints) -> dict[str, Adjustment]:
        shape = len(issued), len(LEAD_BLOCKS)
        found = {p: Adjustment(np.zeros(shape, np.float32), np.ones(shape, np.float32)) for p in self.pollutants}
        for pollutant, trials in self._trials(panel, issued).items():
            expected = np.array([np.abs(block.shape.values).mean() for block in self.blocks[pollutant]])
            found[pollutant] = adjust(trials, issued, expected=expected)
        return found

    def _trials(self, panel: Panel, issued: Ints) -> dict[str, Trials]:
        origins = trial_origins(issued, since=panel.hour_of(self.trained_until))
        where = trial_stations(panel)
        parts: dict[str, list[tuple[Floats, Ints]]] = {}
        for view in self._views(panel, np.tile(where, len(origins)), np.repeat(origins, len(where))):
            for pollutant, told in self._distributions(view, TRIAL_LEADS).items():
                truth, known_from = panel.truth(pollutant, view.station, view.issued + TRIAL_LEADS[:, None] - 1)
                error = (log_level(truth, self.offsets[pollutant]) - told.location) / told.spread
                parts.setdefault(pollutant, []).append((error, known_from))
        return {p: gather_trials(origins, len(where), some) for p, some in parts.items()}

    def _forecast(self, view: AsOfView, adjustments: dict[str, Adjustment], issue: Ints) -> list[pl.DataFrame]:
        told = self._distributions(view, _LEADS)
        frames = []
        for k, pollutant in enumerate(view.panel.pollutants):
            seen = view.panel.known_from[k, view.station].min(axis=1) <= view.issued
            values = np.full((len(view), HORIZON_HOURS, len(_VALUES)), np.nan, np.float32)
            if pollutant in told:
                record = standing_records(self.records.get(pollutant, {}), _ids(view), view.history_ugm3[k])
                values = self._concentrations(pollutant, told[pollutant], adjustments[pollutant], issue, record)
                report_median(values[..., : len(QUANTILES)], self._steps(view, pollutant))
            if seen.any():
                frames.append(self._frame(view, pollutant, values[seen], seen))
        return frames

    def _concentrations(
        self, pollutant: str, told: Distribution, adjustment: Adjustment, issue: Ints, record: Floats
    ) -> Floats:
        """(case, lead, q05 … q95 and mean) [µg/m³]; `issue` is each case's row of the adjustment."""
        parts = []
        for b, ((first, last), block) in enumerate(zip(LEAD_BLOCKS, self.blocks[pollutant], strict=True)):
            leads = slice(first - 1, last)
            shift, stretch = adjustment.shift[issue, b, None], adjustment.stretch[issue, b, None]
            shape = shift + stretch * block.shape(told.location[leads])
            levels = told.location[leads, :, None] + told.spread[leads, :, None] * shape
            values = temper(np.maximum(np.exp(levels) - np.float32(self.offsets[pollutant]), 0), record)
            parts.append(np.concatenate([values[..., _QUANTILES_AT], values.mean(axis=2, keepdims=True)], axis=2))
        return np.concatenate(parts).swapaxes(0, 1)

    def _steps(self, view: AsOfView, pollutant: str) -> Floats:
        steps = self.steps.get(pollutant, {})
        return np.array([steps.get(station, 0.0) for station in _ids(view)], np.float32)

    def _frame(self, view: AsOfView, pollutant: str, values: Floats, seen: npt.NDArray[np.bool_]) -> pl.DataFrame:
        station, issued = view.station[seen], view.issued[seen]
        silent = np.isnan(values).any(axis=(1, 2))
        if silent.any():
            values[silent] = climatological_quantiles(view.panel, pollutant, station[silent], issued[silent])
        status = np.where(self._weather_is_missing(view)[seen], "degraded", "ok")
        status[silent] = "baseline"
        columns = key_columns(view.panel, pollutant, station, issued)
        flat = values.reshape(-1, len(_VALUES)).astype(np.float64)
        columns |= {name: pl.Series(flat[:, k]) for k, name in enumerate(_VALUES)}
        return pl.DataFrame(columns | {"status": pl.Series(status.ravel(), dtype=pl.String)})

    def _weather_is_missing(self, view: AsOfView) -> npt.NDArray[np.bool_]:
        known = ~np.isnan(view.weather[:, -HORIZON_HOURS:])
        promised = self.weather is not FutureWeather.NONE
        return np.asarray(~np.any(known, axis=2) & promised)


def fit(
    panel: Panel,
    *,
    pollutants: Sequence[str],
    until: datetime,
    weather: FutureWeather,
    seed: int = 0,
    effort: Effort | None = None,
    progress: Progress | None = None,
) -> Forecaster:
    """Train on everything that had happened and was available by `until`.

    Args:
        panel: observations and weather.
        pollutants: which to train for; those never observed by then are left out.
        until: whole hour, UTC; truth of hours that end later is not used.
        weather: what live forecasts will know of the weather ahead.
        seed: of the row draw, the trees, the nets and the weather errors.
        effort: None: FULL. LIGHT takes a fraction of the time and forecasts worse.
        progress: called with a line for people and the share done, 0…1.

    Raises:
        ValueError: nothing was observed by then, or `until` is not the start of an hour.
    """
    offsets = log_offsets(panel, panel.hour_of(until))
    told = tuple(p for p in pollutants if p in offsets)
    if not told:
        raise ValueError(f"nothing of {', '.join(pollutants)} was observed by {until.isoformat()}")
    curriculum = Curriculum(panel, panel.hour_of(until), weather, offsets, FOLDS, seed + _TRAINING_SEED)
    say = progress or (lambda _line, _share: None)
    effort = effort or FULL
    cases = curriculum.cases(effort.cases)
    nets, walked = _fit_nets(curriculum, cases, told, n_nets=FOLDS * effort.nets_per_fold, seed=seed, progress=say)
    steps = reporting_steps(panel, curriculum.until)
    belief = belief_by_level(panel, curriculum.until, steps)
    blocks: dict[str, tuple[BlockModel, ...]] = dict.fromkeys(told, ())
    names: dict[str, tuple[str, ...]] = {}
    n_rows = 0
    for b, block in enumerate(LEAD_BLOCKS):
        say(f"trees for leads {block[0]}-{block[1]} h", (1 + b / len(LEAD_BLOCKS)) / 2)
        lessons = curriculum.lessons(block, cases, walked, n_rows=ROWS_PER_BLOCK, pollutants=told)
        n_rows += sum(len(lesson.departure) for lesson in lessons.values())
        names |= {pollutant: lesson.names for pollutant, lesson in lessons.items()}

        def learn(pollutant: str, lessons: dict[str, Lesson] = lessons) -> BlockModel:
            return fit_block(lessons.pop(pollutant), seed=seed, belief=belief[pollutant])

        for pollutant, fitted in zip(told, side_by_side(learn, told), strict=True):
            blocks[pollutant] = (*blocks[pollutant], fitted)
    metadata = {"n_cases": len(cases), "n_rows": n_rows, "seed": seed}
    highest = records(panel, curriculum.until)
    return Forecaster(told, until, weather, metadata, names, offsets, steps, highest, nets, blocks)


def _ids(view: AsOfView) -> list[str]:
    return [view.panel.stations[station] for station in view.station]


def _fit_nets(
    curriculum: Curriculum, cases: Cases, pollutants: tuple[str, ...], *, n_nets: int, seed: int, progress: Progress
) -> tuple[tuple[PathNet, ...], Floats]:
    """Nets of every fold, blind to it, and the log level they say of unseen cases: (lead, case, pollutant)."""
    progress("the paths of past air", 0.0)
    path, departure = curriculum.paths(cases, pollutants)
    walked = np.zeros_like(departure)
    numbers = range(n_nets)

    def learn(number: int) -> PathNet:
        progress(f"net {number + 1} of {len(numbers)} that walks the path", 0.5 * (number + 0.2) / len(numbers))
        unseen = cases.fold == number % FOLDS
        net = fit_path_net(path, departure, cases=outside(unseen), pace=_PACE[curriculum.future], seed=seed + number)
        for few in np.array_split(np.flatnonzero(unseen), unseen.sum() // _CASES_AT_ONCE + 1):
            walked[:, few] += net.predict(path[few]) * (FOLDS / n_nets)
        return net

    return tuple(in_turn(learn, numbers)), walked
