"""The forecaster: fitted boosters for every pollutant and lead block, and what they say about the next 72 hours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.tables import HORIZON_HOURS, LEAD_BLOCKS, QUANTILE_LEVELS, QUANTILES
from hazecast.features import FutureWeather, Panel, Rows, View, build_features, look
from hazecast.models import folder as folders
from hazecast.models.baselines import cases, climatological_quantiles, key_columns
from hazecast.models.booster import FOLDS, SHAPE_LEVELS, BlockBooster, fit_block
from hazecast.models.sampling import Curriculum

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

ROWS_PER_BLOCK = 200_000
_CASES_AT_ONCE = 1_000
_OFFSET_SHARE = 0.1
_LIVE_SEED = 1
_VALUES = (*QUANTILES, "mean")


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
        boosters: per pollutant, one per lead block.
    """

    pollutants: tuple[str, ...]
    trained_until: datetime
    weather: FutureWeather
    metadata: dict[str, int]
    feature_names: dict[str, tuple[str, ...]]
    offsets: dict[str, float]
    boosters: dict[str, tuple[BlockBooster, ...]]

    def predict(self, panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
        """Forecast every station and pollutant that had been observed by then, lead 1…72, never a gap.

        Returns:
            One row per (station_id, pollutant, issued_at, valid_at): lead_hours [h]; mean and q05 … q95 [µg/m³],
            ordered and not negative; status: "ok", "degraded" (the promised weather ahead is absent for that hour),
            "baseline" (the climatology of the station speaks: no recent observation, or a pollutant not trained for).

        Raises:
            ValueError: an issue time is not the start of an hour, or has no time zone.
        """
        station, issued = cases(panel, issued_at)
        frames = []
        for first in range(0, len(station), _CASES_AT_ONCE):
            some = slice(first, first + _CASES_AT_ONCE)
            frames += self._forecast(panel, station[some], issued[some])
        return pl.concat(frames)

    def feature_importance(self) -> pl.DataFrame:
        """One row per (pollutant, lead_block, feature): share of the point boosters' total gain, 0…1."""
        frames = []
        for pollutant, blocks in self.boosters.items():
            for (first, last), block in zip(LEAD_BLOCKS, blocks, strict=True):
                gain = np.sum([point.feature_importance("gain") for point in block.points], axis=0)
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

    def _forecast(self, panel: Panel, station: Ints, issued: Ints) -> list[pl.DataFrame]:
        view = look(panel, station, issued, future=self.weather, seed=_LIVE_SEED)
        told = tuple(p for p in self.pollutants if p in panel.pollutants)
        values = self._speak(view, told)
        frames = []
        for k, pollutant in enumerate(panel.pollutants):
            seen = panel.known_from[k, station].min(axis=1) <= issued
            if seen.any():
                frames.append(self._frame(view, pollutant, values.get(pollutant), seen))
        return frames

    def _speak(self, view: View, pollutants: tuple[str, ...]) -> dict[str, Floats]:
        """(case, lead, q05 … q95 and mean) per pollutant; NaN where there was no base to correct."""
        n = len(view)
        rows = Rows(np.tile(np.arange(n), HORIZON_HOURS), np.repeat(np.arange(1, HORIZON_HOURS + 1), n))
        values = {}
        built = build_features(view, rows, offsets=self.offsets, future=self.weather, only=pollutants)
        for pollutant in pollutants:
            features, blocks = built.pop(pollutant), []
            for (first, last), booster in zip(LEAD_BLOCKS, self.boosters[pollutant], strict=True):
                part = slice((first - 1) * n, last * n)
                blocks.append(
                    _concentrations(booster, features.values[part], features.base[part], self.offsets[pollutant])
                )
            values[pollutant] = np.concatenate(blocks).reshape(HORIZON_HOURS, n, len(_VALUES)).swapaxes(0, 1)
        return values

    def _frame(self, view: View, pollutant: str, values: Floats | None, seen: npt.NDArray[np.bool_]) -> pl.DataFrame:
        station, issued = view.station[seen], view.issued[seen]
        shape = (len(station), HORIZON_HOURS, len(_VALUES))
        told = np.full(shape, np.nan, np.float32) if values is None else values[seen]
        silent = np.isnan(told).any(axis=(1, 2))
        if silent.any():
            told[silent] = climatological_quantiles(view.panel, pollutant, station[silent], issued[silent])
        status = np.where(self._weather_is_missing(view)[seen], "degraded", "ok")
        status[silent] = "baseline"
        columns = key_columns(view.panel, pollutant, station, issued)
        flat = told.reshape(-1, len(_VALUES)).astype(np.float64)
        columns |= {name: pl.Series(flat[:, k]) for k, name in enumerate(_VALUES)}
        return pl.DataFrame(columns | {"status": pl.Series(status.ravel(), dtype=pl.String)})

    def _weather_is_missing(self, view: View) -> npt.NDArray[np.bool_]:
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
    progress: Callable[[str, float], None] | None = None,
) -> Forecaster:
    """Train on everything that had happened and was available by `until`.

    Args:
        panel: observations and weather.
        pollutants: which to train for; those never observed by then are left out.
        until: whole hour, UTC; truth of hours that end later is not used.
        weather: what live forecasts will know of the weather ahead.
        seed: of the row draw, the trees and the weather errors.
        progress: called with a line for people and the share done, 0…1.

    Raises:
        ValueError: nothing was observed by then, or `until` is not the start of an hour.
    """
    offsets = _offsets(panel, panel.hour_of(until))
    told = tuple(p for p in pollutants if p in offsets)
    if not told:
        raise ValueError(f"nothing of {', '.join(pollutants)} was observed by {until.isoformat()}")
    curriculum = Curriculum(panel, panel.hour_of(until), weather, offsets, FOLDS, seed + 1000)
    boosters: dict[str, tuple[BlockBooster, ...]] = dict.fromkeys(told, ())
    names: dict[str, tuple[str, ...]] = {}
    n_rows, steps = 0, len(told) * len(LEAD_BLOCKS)
    for b, block in enumerate(LEAD_BLOCKS):
        lessons = curriculum.draw(block, n_rows=ROWS_PER_BLOCK, pollutants=told)
        for k, pollutant in enumerate(told):
            lesson = lessons.pop(pollutant)
            if progress:
                progress(f"{pollutant}, leads {block[0]}-{block[1]} h", (b * len(told) + k) / steps)
            fitted = fit_block(lesson.features, lesson.departure, lesson.fold, names=lesson.names, seed=seed)
            boosters[pollutant] = (*boosters[pollutant], fitted)
            names[pollutant] = lesson.names
            n_rows += len(lesson.departure)
    return Forecaster(told, until, weather, {"n_rows": n_rows, "seed": seed}, names, offsets, boosters)


def _offsets(panel: Panel, until: int) -> dict[str, float]:
    """A tenth of each pollutant's median, so that the log scale bends where values are small for that pollutant."""
    found = {}
    for k, pollutant in enumerate(panel.pollutants):
        known = panel.trusted[k] & (panel.known_from[k] <= until)
        values = panel.concentration_ugm3[k][known]
        if len(values):
            found[pollutant] = max(float(np.median(values)) * _OFFSET_SHARE, 1e-3)
    return found


def _concentrations(booster: BlockBooster, features: Floats, base: Floats, offset_ugm3: float) -> Floats:
    """(row, q05 … q95 and mean) [µg/m³]."""
    guess = booster.predict(features)
    centre = base + guess.location
    at = np.searchsorted(SHAPE_LEVELS, QUANTILE_LEVELS)
    levels = centre[:, None] + guess.spread[:, None] * booster.shape
    values = np.maximum(np.exp(levels) - np.float32(offset_ugm3), 0)
    return np.concatenate([values[:, at], values.mean(axis=1, keepdims=True)], axis=1)
