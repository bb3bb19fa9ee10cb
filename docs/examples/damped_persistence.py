"""A complete model in one file: the departure from the usual day fades with the lead (docs/tutorials/add-a-model.md).

log level at lead l = log of the mean day at that hour + damping(l) × departure of the last hour from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from hazecast.air.spec import QUANTILE_LEVELS, ForecastSpec
from hazecast.features import FutureWeather, Panel, as_of, log_level
from hazecast.models import ModelConfig
from hazecast.models.base import Progress, read_facts, write_facts
from hazecast.models.climatology import forecast_frame
from hazecast.models.config import Value
from hazecast.models.frames import all_cases

OFFSET_UGM3 = 1.0  # of the logarithm
HOURS_BETWEEN_ISSUES = 7  # of the training; visits every hour of the day


@dataclass(frozen=True, kw_only=True)
class DampedPersistence:
    """Implements `hazecast.models.Model`.

    Attributes:
        damping: (lead,) per pollutant, 1 keeps the departure and 0 forgets it.
        errors: (lead, quantile) of the log level, per pollutant.
    """

    kind: ClassVar[str] = "damped_persistence"
    summary: ClassVar[str] = "Damped persistence of the departure from the mean day."
    weather: ClassVar[FutureWeather] = FutureWeather.NONE

    pollutants: tuple[str, ...]
    trained_until: datetime
    spec: ForecastSpec
    damping: dict[str, list[float]]
    errors: dict[str, list[list[float]]]

    @classmethod
    def fit(
        cls,
        panel: Panel,
        *,
        pollutants: Sequence[str],
        until: datetime,
        weather: FutureWeather,
        spec: ForecastSpec = ForecastSpec(),
        config: ModelConfig = ModelConfig(),
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """See `hazecast.models.Model`."""
        end, leads = panel.hour_of(until), np.arange(spec.horizon_hours)
        issues = np.arange(0, end - spec.horizon_hours, HOURS_BETWEEN_ISSUES)
        station, issued = (part.ravel() for part in np.meshgrid(np.arange(len(panel.stations)), issues))
        hours = issued[:, None] + leads
        known = panel.truth_by(end)[:, station[:, None], hours]
        truth = np.where(known, panel.concentration_ugm3[:, station[:, None], hours], np.float32(np.nan))
        damping: dict[str, list[float]] = {}
        errors: dict[str, list[list[float]]] = {}
        for pollutant in pollutants:
            usual, departure = _state(panel, pollutant, station, issued, spec)
            target = log_level(truth[panel.pollutants.index(pollutant)], OFFSET_UGM3) - usual
            both = np.where(np.isnan(target), np.float32(np.nan), departure[:, None])
            slope = np.nansum(both * target, axis=0) / np.maximum(np.nansum(both**2, axis=0), 1e-9)
            residual = target - slope * departure[:, None]
            damping[pollutant] = slope.tolist()
            errors[pollutant] = np.nanquantile(residual, QUANTILE_LEVELS, axis=0).T.tolist()
        return cls(pollutants=tuple(damping), trained_until=until, spec=spec, damping=damping, errors=errors)

    @property
    def parameters(self) -> dict[str, Value]:
        """See `hazecast.models.Model`."""
        return {"hours_between_issues": HOURS_BETWEEN_ISSUES}

    def predict(self, panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
        """See `hazecast.models.Model`; `forecast_frame` adds keys and status, and the climatology where data lack."""
        station, issued = all_cases(panel, issued_at)
        frames = []
        for pollutant in self.pollutants:
            usual, departure = _state(panel, pollutant, station, issued, self.spec)
            level = usual + np.array(self.damping[pollutant]) * departure[:, None]
            quantiles = np.exp(level[..., None] + np.array(self.errors[pollutant])) - OFFSET_UGM3
            quantiles = np.maximum(quantiles, 0).astype(np.float32)
            values = np.concatenate([quantiles, quantiles.mean(axis=2, keepdims=True)], axis=2)
            frames.append(forecast_frame(panel, pollutant, station, issued, values, config=ModelConfig().climatology))
        return pl.concat(frames)

    def save(self, folder: Path) -> None:
        """See `hazecast.models.Model`."""
        write_facts(self, folder, damping=self.damping, errors=self.errors)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `hazecast.models.Model`."""
        facts = read_facts(folder)
        fitted: dict[str, Any] = {"damping": facts["damping"], "errors": facts["errors"]}
        return cls(
            pollutants=tuple(facts["pollutants"]),
            trained_until=datetime.fromisoformat(facts["trained_until"]),
            spec=ForecastSpec(facts["horizon_hours"]),
            **fitted,
        )


def _state(panel: Panel, pollutant: str, station: Any, issued: Any, spec: ForecastSpec) -> tuple[Any, Any]:
    """What was known at issue: the usual log level (case, lead), and the last hour's departure from it (case,)."""
    view, k = as_of(panel, station, issued, future=FutureWeather.NONE), panel.pollutants.index(pollutant)
    mean_day = log_level(view.diurnal_mean_ugm3[k], OFFSET_UGM3)  # column 0 is the hour of lead 1
    last = log_level(view.history_ugm3[k, :, -1], OFFSET_UGM3)
    return np.tile(mean_day, spec.horizon_hours // 24), last - mean_day[:, -1]
