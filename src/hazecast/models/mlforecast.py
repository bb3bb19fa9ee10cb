"""Nixtla's mlforecast (extra `hazecast[mlforecast]`): recursive LightGBM, split conformal intervals, no weather."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import polars as pl
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from sklearn.base import BaseEstimator

from hazecast.air.arrays import Floats32
from hazecast.air.spec import QUANTILE_LEVELS, ForecastSpec
from hazecast.features import FutureWeather, Panel, log_level
from hazecast.features.view import recent_history
from hazecast.models.base import Progress, read_facts, write_facts
from hazecast.models.climatology import VALUES, forecast_frame
from hazecast.models.config import ModelConfig, TreesConfig, Value
from hazecast.models.frames import all_cases
from hazecast.models.sampling import log_offsets
from hazecast.models.uncertainty import SHAPE_LEVELS

_MAX_WINDOWS, _MIN_HORIZONS = 8, 3  # of the cross-validation; of the shortest series to learn from
_MIN_KNOWN_HOURS, _QUANTILES_AT = 48, np.searchsorted(SHAPE_LEVELS, QUANTILE_LEVELS)  # 48 of the week before issue


class _Fitted(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped here
    """A fitted booster as a scikit-learn regressor that is not fitted again."""

    def __init__(self, booster: lgb.Booster | None = None) -> None:
        self.booster = booster

    def fit(self, features: Any, target: Any) -> Self:  # noqa: ARG002 - scikit-learn's signature
        return self

    def predict(self, features: Any) -> npt.NDArray[np.float64]:
        return np.asarray(self.booster.predict(features, num_threads=1))  # type: ignore[union-attr]


@dataclass(frozen=True, kw_only=True)
class Mlforecast:
    """Implements `models.base.Model`; `fitted` has the booster and the errors (lead, SHAPE_LEVELS) of the log level."""

    kind: ClassVar[str] = "mlforecast"
    summary: ClassVar[str] = "mlforecast: recursive LightGBM on lags and the calendar, with conformal intervals."
    weather: ClassVar[FutureWeather] = FutureWeather.NONE
    pollutants: tuple[str, ...]
    trained_until: datetime
    spec: ForecastSpec
    config: ModelConfig
    offsets: dict[str, float]
    fitted: dict[str, tuple[lgb.Booster, Floats32]]

    @classmethod
    def fit(
        cls,
        panel: Panel,
        *,
        pollutants: Sequence[str],
        until: datetime,
        weather: FutureWeather,  # noqa: ARG003
        spec: ForecastSpec = ForecastSpec(),  # noqa: B008 - frozen
        config: ModelConfig = ModelConfig(),  # noqa: B008 - frozen
        seed: int = 0,
        progress: Progress | None = None,  # noqa: ARG003 - trained in one go
    ) -> Self:
        """See `models.base.Model`."""
        hour = panel.hour_of(until)
        offsets = {p: o for p, o in log_offsets(panel, hour, config.sampling).items() if p in pollutants}
        if not offsets:
            raise ValueError(f"no {', '.join(pollutants)} was observed by {until.isoformat()}")
        known, fitted = panel.truth_by(hour), {}
        for pollutant, offset in offsets.items():
            k = panel.pollutants.index(pollutant)
            truth = np.where(known[k], panel.concentration_ugm3[k], np.float32(np.nan))[:, :hour]
            fitted[pollutant] = _fit_one(_frame(panel, log_level(truth, offset)), spec, config.trees, seed)
        parts: dict[str, Any] = {"spec": spec, "config": config, "offsets": offsets, "fitted": fitted}
        return cls(pollutants=tuple(offsets), trained_until=until, **parts)

    @property
    def parameters(self) -> dict[str, Value]:
        """See `models.base.Model`."""
        return {f"trees.{name}": value for name, value in self.config.trees.model_dump().items()}

    def predict(self, panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
        """See `models.base.Model`."""
        station, issued = all_cases(panel, issued_at)
        frames = []
        for pollutant, history in zip(panel.pollutants, recent_history(panel, station, issued), strict=True):
            values = np.full((len(station), self.spec.horizon_hours, len(VALUES)), np.nan, np.float32)
            enough = np.asarray((~np.isnan(history)).sum(axis=1) >= _MIN_KNOWN_HOURS)
            for moment in np.unique(issued[enough]) if pollutant in self.pollutants else ():
                mine = np.flatnonzero((issued == moment) & enough)
                values[mine] = self._values(panel, pollutant, history[mine], int(moment))
            frames.append(forecast_frame(panel, pollutant, station, issued, values, config=self.config.climatology))
        return pl.concat(frames)

    def _values(self, panel: Panel, pollutant: str, history: Floats32, issued: int) -> Floats32:
        """(case, lead, VALUES) [µg/m³] from the history (case, hour) of one issue."""
        frame = _frame(panel, log_level(history, self.offsets[pollutant]), first=issued - history.shape[1])
        forecaster = _forecaster(_Fitted(self.fitted[pollutant][0])).fit(frame, static_features=[])
        point = forecaster.predict(self.spec.horizon_hours).sort("unique_id", "ds")["lgb"].to_numpy()
        levels = point.reshape(len(history), -1, 1) + self.fitted[pollutant][1]
        values = np.maximum(np.exp(levels) - self.offsets[pollutant], 0).astype(np.float32)
        return np.concatenate([values[..., _QUANTILES_AT], values.mean(axis=2, keepdims=True)], axis=2)

    def save(self, folder: Path) -> None:
        """See `models.base.Model`."""
        fitted = {p: (booster.model_to_string(), errors.tolist()) for p, (booster, errors) in self.fitted.items()}
        write_facts(self, folder, config=self.config.model_dump(), offsets=self.offsets, fitted=fitted)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `models.base.Model`."""
        facts = read_facts(folder)
        fitted = {p: (lgb.Booster(model_str=b), np.array(e, np.float32)) for p, (b, e) in facts["fitted"].items()}
        parts: dict[str, Any] = {"config": ModelConfig.model_validate(facts["config"]), "offsets": facts["offsets"]}
        parts |= {"spec": ForecastSpec(facts["horizon_hours"]), "pollutants": tuple(facts["pollutants"])}
        return cls(trained_until=datetime.fromisoformat(facts["trained_until"]), fitted=fitted, **parts)


def _forecaster(model: BaseEstimator) -> MLForecast:
    means, calendar = {1: [RollingMean(6), RollingMean(24)]}, ["hour", "weekday", "month"]
    return MLForecast({"lgb": model}, freq="1h", lags=[1, 2, 3, 24, 48], lag_transforms=means, date_features=calendar)


def _fit_one(frame: pl.DataFrame, spec: ForecastSpec, config: TreesConfig, seed: int) -> tuple[lgb.Booster, Floats32]:
    rows = frame.filter(pl.len().over("unique_id") >= _MIN_HORIZONS * spec.horizon_hours)
    parameters = {"objective": "regression_l1", "n_estimators": config.rounds, "learning_rate": config.learning_rate}
    parameters |= {"num_leaves": config.leaves, "reg_lambda": config.l2, "random_state": seed, "n_jobs": 1}
    model = _forecaster(lgb.LGBMRegressor(**parameters, deterministic=True, force_col_wise=True, verbosity=-1))
    shortest = min(rows.group_by("unique_id").len()["len"])
    n_windows = int(np.clip(shortest // spec.horizon_hours - _MIN_HORIZONS + 1, 1, _MAX_WINDOWS))
    tested = model.cross_validation(rows, n_windows, spec.horizon_hours, refit=False, static_features=[])
    error = tested.select(lead=pl.col("ds") - pl.col("cutoff"), error=pl.col("y") - pl.col("lgb")).sort("lead")
    by_lead = [np.quantile(part["error"], SHAPE_LEVELS) for part in error.partition_by("lead")]
    return model.fit(rows, static_features=[]).models_["lgb"].booster_, np.array(by_lead, np.float32)


def _frame(panel: Panel, levels: Floats32, *, first: int = 0) -> pl.DataFrame:
    """Levels (series, hour) as rows unique_id, ds, y; gaps are filled forward, leading ones dropped."""
    series, hour = np.indices(levels.shape).reshape(2, -1)
    times = panel.times(first + hour).dt.replace_time_zone(None)
    rows = pl.DataFrame({"unique_id": series, "ds": times, "y": levels.ravel().astype(np.float64)})
    return rows.with_columns(pl.col("y").fill_nan(None).forward_fill().over("unique_id")).drop_nulls("y")
