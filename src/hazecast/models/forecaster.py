"""What the trees, the GRU and their stack share: from the as-of view to the forecast, and training with cross-fitting.

A subclass decides how the median is predicted (`fit_point`, and the recurrent networks if it has any).
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS, ForecastSpec, block_name
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
from hazecast.features.view import DIURNAL_MEAN_DAYS, PAST_WEATHER_HOURS
from hazecast.models.base import Progress, read_facts, write_facts
from hazecast.models.boosting import (
    Boosters,
    lightgbm_parameters,
    load_boosters,
    make_dataset,
    mean_prediction,
    save_boosters,
)
from hazecast.models.climatology import VALUES, forecast_frame
from hazecast.models.config import ModelConfig, Value
from hazecast.models.days import DayModel, fit_days
from hazecast.models.drivers import DRIVERS, driver_rows
from hazecast.models.frames import all_cases
from hazecast.models.postprocess import StationFacts, block_weights, postprocess, station_facts
from hazecast.models.recalibration import (
    Adjustment,
    Hindcasts,
    evenly_spread,
    fit_adjustment,
    hindcast_leads,
    hindcast_origins,
    hindcast_stations,
    join_hindcasts,
)
from hazecast.models.sampling import Cases, TrainingSampler, TrainingSet, log_offsets
from hazecast.models.threads import parallel_map
from hazecast.models.trajectories import load_dependence, save_dependence
from hazecast.models.uncertainty import Distribution, ErrorModel, LevelFunction, fit_errors, level_dependence

_BATCH_CASES = 1_000  # bounds memory
_DEPENDENCE = "dependence.npz"
_LIVE_SEED, _TRAINING_SEED = 1, 1000  # training and live forecasts get different weather errors


@dataclass(frozen=True)
class PointModel:
    """The median of one pollutant and lead block.

    Attributes:
        trees: one booster per fold; none for a network alone.
        rnn_weight: weight of the recurrent network, 0…1; the rest is the mean of the trees.
    """

    trees: Boosters
    rnn_weight: float

    def location(self, features: Floats32, naive: Floats32, rnn_residual: Floats32) -> Floats32:
        """Predicted log level (row,); `rnn_residual` is the network's level minus `naive`."""
        trees = mean_prediction(self.trees, features) if self.trees else np.zeros(len(naive))
        return (naive + self.rnn_weight * rnn_residual + (1 - self.rnn_weight) * trees).astype(np.float32)


@dataclass(frozen=True)
class BlockModel:
    """One pollutant and lead block: the median and the distribution of its error."""

    point: PointModel
    errors: ErrorModel

    def predict(self, features: Floats32, naive: Floats32, rnn_residual: Floats32) -> Distribution:
        """The distribution of the log level, (row,)."""
        return self.errors.distribution(features, self.point.location(features, naive, rnn_residual))

    def without_fold(self, fold: int) -> "BlockModel":
        """Only the trees that were trained without a fold."""
        own = slice(fold, fold + 1)
        point = dataclasses.replace(self.point, trees=self.point.trees[own])
        return BlockModel(point, dataclasses.replace(self.errors, spreads=self.errors.spreads[own]))


@dataclass(frozen=True, kw_only=True)
class ResidualForecaster(ABC):
    """A fitted model of the residual of the naive forecast on the log scale; implements `models.base.Model`.

    Attributes:
        pollutants: those it was trained for.
        trained_until: no truth of a later hour was used.
        weather: the weather ahead that it uses.
        spec: horizon and lead blocks.
        config: hyper-parameters.
        training: facts of the training: n_cases, n_rows, seed.
        feature_names: per pollutant.
        offsets: offset of the log scale per pollutant [µg/m³].
        stations: reporting resolution and maximum of each station.
        networks: recurrent networks per fold, each trained without its own; none for trees alone.
        blocks: per pollutant, one model per lead block.
        days: dependence of the hours.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]

    pollutants: tuple[str, ...]
    trained_until: datetime
    weather: FutureWeather
    spec: ForecastSpec
    config: ModelConfig
    training: dict[str, int]
    feature_names: dict[str, tuple[str, ...]]
    offsets: dict[str, float]
    stations: StationFacts
    networks: tuple[Any, ...]
    blocks: dict[str, tuple[BlockModel, ...]]
    days: DayModel

    @classmethod
    @abstractmethod
    def fit_point(
        cls, dataset: lgb.Dataset, rows: TrainingSet, parameters: dict[str, object], config: ModelConfig
    ) -> tuple[PointModel, Floats32]:
        """Fit the median of one pollutant and lead block; with its out-of-fold error (row,)."""

    @classmethod
    def fit_networks(
        cls,
        sampler: TrainingSampler,  # noqa: ARG003
        cases: Cases,  # noqa: ARG003
        pollutants: tuple[str, ...],  # noqa: ARG003
        *,
        config: ModelConfig,  # noqa: ARG003
        seed: int,  # noqa: ARG003
        progress: Progress,  # noqa: ARG003
    ) -> tuple[tuple[Any, ...], Floats32 | None]:
        """Fit the recurrent networks; with their out-of-fold log level (lead, case, pollutant). None by default."""
        return (), None

    def rnn_levels(self, inputs: SequenceInputs) -> Floats32 | None:  # noqa: ARG002
        """The networks' log level, (lead, case, pollutant); None without networks."""
        return None

    def save_networks(self, folder: Path) -> None:  # noqa: B027 - optional
        """Write the networks, if any."""

    @classmethod
    def load_networks(cls, folder: Path, config: ModelConfig) -> tuple[Any, ...]:  # noqa: ARG003
        """Read what `save_networks` wrote."""
        return ()

    @classmethod
    def fit(
        cls,
        panel: Panel,
        *,
        pollutants: Sequence[str],
        until: datetime,
        weather: FutureWeather,
        spec: ForecastSpec = ForecastSpec(),  # noqa: B008 - frozen
        config: ModelConfig = ModelConfig(),  # noqa: B008 - frozen
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """See `models.base.Model`."""
        report = progress or (lambda _line, _share: None)
        offsets = log_offsets(panel, panel.hour_of(until), config.sampling)
        targets = tuple(p for p in pollutants if p in offsets)
        if not targets:
            raise ValueError(f"no {', '.join(pollutants)} was observed by {until.isoformat()}")
        sampler = TrainingSampler(
            panel, panel.hour_of(until), weather, spec, offsets, config.sampling, seed + _TRAINING_SEED
        )
        cases = sampler.cases()
        networks, out_of_fold = cls.fit_networks(sampler, cases, targets, config=config, seed=seed, progress=report)
        stations = station_facts(panel, sampler.until, config.postprocess)
        blocks: dict[str, tuple[BlockModel, ...]] = dict.fromkeys(targets, ())
        names: dict[str, tuple[str, ...]] = {}
        n_rows = 0
        for b, block in enumerate(spec.lead_blocks):
            report(f"trees for leads {block_name(block)} h", (1 + b / len(spec.lead_blocks)) / 2)
            rows = sampler.sample(block, cases, out_of_fold, pollutants=targets)
            n_rows += sum(len(part.residual) for part in rows.values())
            names |= {pollutant: part.names for pollutant, part in rows.items()}
            for pollutant, block_model in cls._fit_blocks(rows, sampler, stations, config=config, seed=seed):
                blocks[pollutant] = (*blocks[pollutant], block_model)
        fitted = cls(
            pollutants=targets,
            trained_until=until,
            weather=weather,
            spec=spec,
            config=config,
            training={"n_cases": len(cases), "n_rows": n_rows, "seed": seed},
            feature_names=names,
            offsets=offsets,
            stations=stations,
            networks=networks,
            blocks=blocks,
            days=DayModel.assumed(targets, spec, config.trajectories),
        )
        report("trajectories", 0.95)
        hindcasts = fitted._hindcast_unseen(sampler)
        return dataclasses.replace(fitted, days=fit_days(hindcasts, panel, sampler.until, assumed=fitted.days))

    def _hindcast_unseen(self, sampler: TrainingSampler) -> pl.DataFrame:
        """Forecasts of issues in the training period, each by the parts of the model trained without its fold.

        Left out are hours beyond the fold, and those without the weather ahead that live forecasts have.
        """
        chosen = hindcast_stations(sampler.panel, self.config.trajectories.stations)
        plain = {p: Adjustment.none(1, len(self.spec.lead_blocks)) for p in self.pollutants}
        frames = []
        for fold, origins in sampler.unseen_origins(self.config.trajectories.origins).items():
            unseen = self._without_fold(fold)
            for view in unseen._views(sampler.panel, np.tile(chosen, len(origins)), np.repeat(origins, len(chosen))):
                frames += unseen._forecast(view, plain, np.zeros(len(view), np.int64))
        if not frames:
            return pl.DataFrame()
        rows = pl.concat(frames).filter(pl.col("status") == "ok")
        since = pl.lit(sampler.panel.start)
        stretch = [
            (pl.col(time) - since).dt.total_hours() // sampler.stretch_hours for time in ("issued_at", "valid_at")
        ]
        return rows.filter(stretch[0] == stretch[1])

    def _without_fold(self, fold: int) -> Self:
        """The parts that were trained without a fold."""
        networks = self.networks[fold :: self.config.sampling.folds]
        blocks = {p: tuple(block.without_fold(fold) for block in blocks) for p, blocks in self.blocks.items()}
        return dataclasses.replace(self, networks=networks, blocks=blocks)

    @classmethod
    def _fit_blocks(
        cls,
        rows: dict[str, TrainingSet],
        sampler: TrainingSampler,
        stations: StationFacts,
        *,
        config: ModelConfig,
        seed: int,
    ) -> list[tuple[str, BlockModel]]:
        """The models of one lead block, all pollutants in parallel; `rows` is emptied, to free memory."""
        targets = tuple(rows)
        dependence = level_dependence(sampler.panel, sampler.until, stations.resolution, config.uncertainty)

        def fit_one(pollutant: str) -> BlockModel:
            return cls.fit_block(rows.pop(pollutant), config=config, seed=seed, level_dependence=dependence[pollutant])

        return list(zip(targets, parallel_map(fit_one, targets), strict=True))

    @classmethod
    def fit_block(
        cls, rows: TrainingSet, *, config: ModelConfig, seed: int, level_dependence: float = 0.0
    ) -> BlockModel:
        """Fit one pollutant and lead block with cross-fitting: the error distribution is that of out-of-fold rows.

        Args:
            rows: training rows.
            config: hyper-parameters.
            seed: of the trees.
            level_dependence: how far the error distribution may depend on the level, 0…1.
        """
        parameters = lightgbm_parameters(config.trees, n_rows=len(rows.residual), seed=seed)
        dataset = make_dataset(rows, parameters)
        point, error = cls.fit_point(dataset, rows, parameters, config)
        errors = fit_errors(
            dataset,
            rows,
            error,
            parameters,
            config=config.uncertainty,
            folds=config.sampling.folds,
            level_dependence=level_dependence,
        )
        return BlockModel(point, errors)

    @property
    def parameters(self) -> dict[str, Value]:
        """See `models.base.Model`."""
        return {**self.training, **self.config.parameters}

    @property
    def history_days(self) -> int:
        """See `models.base.Shardable`: the longest feature at the first origin that is hindcast, and a day more."""
        return self.config.recalibration.days + DIURNAL_MEAN_DAYS + 1

    @property
    def weather_days(self) -> int:
        """See `models.base.Shardable`."""
        return self.config.recalibration.days + PAST_WEATHER_HOURS // DAY_HOURS + 1

    def corrected_by(self, stations: Sequence[str]) -> tuple[str, ...]:
        """See `models.base.Shardable`: the stations that are hindcast."""
        return tuple(stations[k] for k in evenly_spread(len(stations), self.config.recalibration.stations))

    def corrections(self, panel: Panel, issued_at: datetime) -> dict[str, Adjustment]:
        """See `models.base.Shardable`: the recalibration."""
        return self._adjustments(panel, np.array([panel.hour_of(issued_at)]))

    def predict(
        self,
        panel: Panel,
        issued_at: datetime | Sequence[datetime],
        *,
        corrections: dict[str, Adjustment] | None = None,
    ) -> pl.DataFrame:
        """See `models.base.Model` and `Shardable`. The chain of corrections is `models.postprocess`."""
        station, issued = all_cases(panel, issued_at)
        moments = np.unique(issued)
        adjustments = self._adjustments(panel, moments) if corrections is None else corrections
        frames = []
        for view in self._views(panel, station, issued):
            frames += self._forecast(view, adjustments, np.searchsorted(moments, view.issued))
        return pl.concat(frames)

    def drivers(self, panel: Panel, issued_at: datetime) -> pl.DataFrame:
        """How far each group of inputs moved the forecast, at one hour of each lead block (`hazecast.models.drivers`).

        Returns:
            One row per (station_id, pollutant, issued_at, valid_at, driver): `change` of the log level against the
            same forecast with typical values of that group, and the `offset_ugm3` of the log scale. None where the
            forecast is the climatology.
        """
        leads = np.array(self.spec.sample_leads)
        station, issued = all_cases(panel, issued_at)
        frames = []
        for view in self._views(panel, station, issued):
            predicted = self._distributions(view, leads)
            for driver, with_typical in DRIVERS.items():
                for pollutant, typical in self._distributions(with_typical(view), leads).items():
                    rows = driver_rows(view, pollutant, leads, predicted[pollutant].location - typical.location)
                    offset = pl.lit(self.offsets[pollutant])
                    frames.append(rows.with_columns(driver=pl.lit(driver), offset_ugm3=offset))
        return pl.concat(frames) if frames else pl.DataFrame()

    def feature_importance(self) -> pl.DataFrame:
        """See `models.base.Explainable`; a network alone gives the importance for the size of its error."""
        frames = []
        for pollutant, blocks in self.blocks.items():
            for lead_block, block in zip(self.spec.lead_blocks, blocks, strict=True):
                boosters = block.point.trees or block.errors.spreads
                gain = np.sum([tree.feature_importance("gain") for tree in boosters], axis=0)
                frame = pl.DataFrame({"feature": self.feature_names[pollutant], "share": gain / max(gain.sum(), 1e-12)})
                key = pl.lit(pollutant).alias("pollutant"), pl.lit(block_name(lead_block)).alias("lead_block")
                frames.append(frame.select(*key, "feature", "share"))
        return pl.concat(frames)

    def save(self, folder: Path) -> None:
        """Write the model as LightGBM text, NumPy arrays and JSON."""
        write_facts(
            self,
            folder,
            config=self.config.model_dump(),
            training=self.training,
            feature_names=self.feature_names,
            offsets=self.offsets,
            stations=dataclasses.asdict(self.stations),
        )
        save_dependence(self.days.dependence, folder / _DEPENDENCE)
        self.save_networks(folder)
        for pollutant, blocks in self.blocks.items():
            for number, block in enumerate(blocks):
                _write_block(block, folder / f"{pollutant}_{number}")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `models.base.Model`."""
        facts = read_facts(folder)
        spec, config = ForecastSpec(facts["horizon_hours"]), ModelConfig.model_validate(facts["config"])
        numbers = range(len(spec.lead_blocks))
        return cls(
            pollutants=tuple(facts["pollutants"]),
            trained_until=datetime.fromisoformat(facts["trained_until"]),
            weather=FutureWeather(facts["weather"]),
            spec=spec,
            config=config,
            training=facts["training"],
            feature_names={p: tuple(names) for p, names in facts["feature_names"].items()},
            offsets=facts["offsets"],
            stations=StationFacts(**facts["stations"]),
            networks=cls.load_networks(folder, config),
            blocks={p: tuple(_read_block(folder / f"{p}_{k}", config) for k in numbers) for p in facts["pollutants"]},
            days=DayModel(load_dependence(folder / _DEPENDENCE), config.trajectories),
        )

    def _views(self, panel: Panel, station: Ints, issued: Ints) -> Iterator[AsOfView]:
        for first in range(0, len(station), _BATCH_CASES):
            some = slice(first, first + _BATCH_CASES)
            yield as_of(
                panel,
                station[some],
                issued[some],
                future=self.weather,
                horizon_hours=self.spec.horizon_hours,
                seed=_LIVE_SEED,
            )

    def _distributions(self, view: AsOfView, leads: Ints) -> dict[str, Distribution]:
        """Location and spread of the log level, (lead, case); NaN where there is no naive forecast to correct."""
        rows = Rows(np.tile(np.arange(len(view)), len(leads)), np.repeat(leads, len(view)))
        targets = tuple(p for p in self.pollutants if p in view.panel.pollutants)
        if not targets:
            return {}
        rnn = self._rnn_rows(view, leads)
        built = build_features(view, rows, offsets=self.offsets, future=self.weather, only=targets)

        weights = block_weights(self.spec.lead_blocks, rows.lead, self.config.postprocess.blend_hours)

        def distribution(pollutant: str) -> Distribution:
            features = built.pop(pollutant)
            none = np.zeros_like(features.naive)
            residual = none if rnn is None else rnn[:, self.pollutants.index(pollutant)] - features.naive
            location, spread = np.zeros_like(features.naive), np.zeros_like(features.naive)
            for weight, block in zip(weights.T, self.blocks[pollutant], strict=True):
                mine = np.flatnonzero(weight)
                if len(mine):
                    part = block.predict(features.values[mine], features.naive[mine], residual[mine])
                    location[mine] += weight[mine] * part.location
                    spread[mine] += weight[mine] * part.spread
            shape = len(leads), len(view)
            return Distribution(location.reshape(shape), spread.reshape(shape))

        return dict(zip(targets, parallel_map(distribution, targets), strict=True))

    def _rnn_rows(self, view: AsOfView, leads: Ints) -> Floats32 | None:
        """The networks' log level at some leads, (row, pollutant)."""
        if not self.networks:
            return None
        inputs = build_sequences(view, offsets=self.offsets, future=self.weather, only=self.pollutants)
        levels = self.rnn_levels(inputs)
        return None if levels is None else levels[leads - 1].reshape(len(leads) * len(view), -1)

    def _adjustments(self, panel: Panel, issued: Ints) -> dict[str, Adjustment]:
        found = {p: Adjustment.none(len(issued), len(self.spec.lead_blocks)) for p in self.pollutants}
        for pollutant, hindcasts in self._hindcasts(panel, issued).items():
            expected = np.array([block.errors.expected_error for block in self.blocks[pollutant]], np.float32)
            found[pollutant] = fit_adjustment(
                hindcasts, issued, expected=expected, blocks=self.spec.lead_blocks, config=self.config.recalibration
            )
        return found

    def _hindcasts(self, panel: Panel, issued: Ints) -> dict[str, Hindcasts]:
        config = self.config.recalibration
        leads = hindcast_leads(self.spec)
        origins = hindcast_origins(issued, since=panel.hour_of(self.trained_until), days=config.days)
        chosen = hindcast_stations(panel, config.stations)
        parts: dict[str, list[tuple[Floats32, Ints]]] = {}
        for view in self._views(panel, np.tile(chosen, len(origins)), np.repeat(origins, len(chosen))):
            for pollutant, predicted in self._distributions(view, leads).items():
                truth, known_from = panel.truth(pollutant, view.station, view.issued + leads[:, None] - 1)
                error = (log_level(truth, self.offsets[pollutant]) - predicted.location) / predicted.spread
                parts.setdefault(pollutant, []).append((error, known_from))
        return {p: join_hindcasts(leads, origins, len(chosen), some) for p, some in parts.items()}

    def _forecast(self, view: AsOfView, adjustments: dict[str, Adjustment], issue: Ints) -> list[pl.DataFrame]:
        """One frame per pollutant; `issue` is each case's row of the adjustments."""
        predicted = self._distributions(view, np.arange(1, self.spec.horizon_hours + 1))
        ids = [view.panel.stations[station] for station in view.station]
        degraded = self._weather_is_missing(view)
        frames = []
        for k, pollutant in enumerate(view.panel.pollutants):
            values = np.full((len(view), self.spec.horizon_hours, len(VALUES)), np.nan, np.float32)
            if pollutant in predicted:
                values = postprocess(
                    predicted[pollutant],
                    [block.errors.shape for block in self.blocks[pollutant]],
                    adjustments[pollutant].of(issue),
                    blocks=self.spec.lead_blocks,
                    offset_ugm3=self.offsets[pollutant],
                    maximum_ugm3=self.stations.maximum_of(pollutant, ids, view.history_ugm3[k]),
                    resolution_ugm3=self.stations.resolution_of(pollutant, ids),
                    config=self.config.postprocess,
                )
            key = view.panel, pollutant, view.station, view.issued
            frames.append(forecast_frame(*key, values, config=self.config.climatology, degraded=degraded))
        return frames

    def _weather_is_missing(self, view: AsOfView) -> npt.NDArray[np.bool_]:
        """(case, lead): no weather, or not a variable that other leads of the case have."""
        known = ~np.isnan(view.weather[:, -self.spec.horizon_hours :])
        expected = self.weather is not FutureWeather.NONE
        has_hole = np.any(np.any(known, axis=1, keepdims=True) & ~known, axis=2)
        return np.asarray((~np.any(known, axis=2) | has_hole) & expected)


def _write_block(block: BlockModel, stem: Path) -> None:
    arrays: dict[str, Floats32] = {}
    for name, function in {"bias": block.errors.bias, "shape": block.errors.shape}.items():
        arrays |= {f"{name}.levels": function.levels, f"{name}.values": function.values}
    scalars = {"rnn_weight": block.point.rnn_weight, "max_spread": block.errors.max_spread}
    np.savez(stem.with_suffix(".npz"), allow_pickle=False, **scalars, **arrays)
    save_boosters(block.point.trees, stem.with_name(f"{stem.name}_tree"))
    save_boosters(block.errors.spreads, stem.with_name(f"{stem.name}_spread"))


def _read_block(stem: Path, config: ModelConfig) -> BlockModel:
    with np.load(stem.with_suffix(".npz"), allow_pickle=False) as stored:
        arrays: dict[str, Floats32] = dict(stored)
    folds = config.sampling.folds
    trees, spreads = (load_boosters(stem.with_name(f"{stem.name}_{part}"), folds) for part in ("tree", "spread"))
    functions = [LevelFunction(arrays[f"{name}.levels"], arrays[f"{name}.values"]) for name in ("bias", "shape")]
    errors = ErrorModel(spreads, config.uncertainty.min_spread, float(arrays["max_spread"]), *functions)
    return BlockModel(PointModel(trees, float(arrays["rnn_weight"])), errors)
