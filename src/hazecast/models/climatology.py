"""The climatology model: needs no training, and is the fallback when no other model can forecast."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import DAY_HOURS, QUANTILE_LEVELS, QUANTILES, ForecastSpec
from hazecast.features import FutureWeather, Panel
from hazecast.models.base import Progress, read_facts, write_facts
from hazecast.models.config import ClimatologyConfig, ModelConfig, Value
from hazecast.models.frames import all_cases, key_columns

VALUES = (*QUANTILES, "mean")


@dataclass(frozen=True)
class Climatology:
    """Quantiles of the past year at the same hour of day; implements `models.base.Model`.

    Attributes:
        trained_until: when it was made; it uses whatever is known at issue.
        spec: horizon and lead blocks.
        pollutants: those it was asked for; it forecasts every pollutant of the panel.
        config: hyper-parameters.
    """

    kind: ClassVar[str] = "climatology"
    summary: ClassVar[str] = "The climatology of each station by hour of day."
    weather: ClassVar[FutureWeather] = FutureWeather.NONE

    trained_until: datetime
    spec: ForecastSpec = field(default_factory=ForecastSpec)
    pollutants: tuple[str, ...] = ()
    config: ModelConfig = field(default_factory=ModelConfig)

    @classmethod
    def fit(
        cls,
        panel: Panel,
        *,
        pollutants: Sequence[str],
        until: datetime,
        weather: FutureWeather,  # noqa: ARG003 - it uses none
        spec: ForecastSpec = ForecastSpec(),  # noqa: B008 - frozen
        config: ModelConfig = ModelConfig(),  # noqa: B008 - frozen
        seed: int = 0,  # noqa: ARG003 - nothing is drawn
        progress: Progress | None = None,
    ) -> Self:
        """See `models.base.Model`."""
        if progress:
            progress("climatology", 0.0)
        return cls(until, spec, tuple(p for p in pollutants if p in panel.pollutants), config)

    @property
    def parameters(self) -> dict[str, Value]:
        """See `models.base.Model`."""
        return {f"climatology.{name}": value for name, value in self.config.climatology.model_dump().items()}

    def predict(self, panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
        """See `models.base.Model`; the status is "baseline"."""
        station, issued = all_cases(panel, issued_at)
        unknown = np.full((len(station), self.spec.horizon_hours, len(VALUES)), np.nan, np.float32)
        frames = [
            forecast_frame(panel, p, station, issued, unknown, config=self.config.climatology) for p in panel.pollutants
        ]
        return pl.concat(frames)

    def save(self, folder: Path) -> None:
        """See `models.base.Model`."""
        write_facts(self, folder, config=self.config.model_dump())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `models.base.Model`."""
        facts = read_facts(folder)
        until, spec = datetime.fromisoformat(facts["trained_until"]), ForecastSpec(facts["horizon_hours"])
        return cls(until, spec, tuple(facts["pollutants"]), ModelConfig.model_validate(facts["config"]))


def forecast_frame(
    panel: Panel,
    pollutant: str,
    station: Ints,
    issued: Ints,
    values: Floats32,
    *,
    config: ClimatologyConfig,
    degraded: npt.NDArray[np.bool_] | None = None,
) -> pl.DataFrame:
    """The rows that `Model.predict` returns for one pollutant; cases never observed before issue are left out.

    Args:
        panel: read as of issue.
        pollutant: one of the panel.
        station: (case,) panel indices.
        issued: (case,) panel hours.
        values: (case, lead, VALUES) [µg/m³]; a case with NaN becomes the climatology, status "baseline".
        config: of the climatology.
        degraded: (case, lead) where the status is "degraded"; None: nowhere.
    """
    k, horizon_hours = panel.pollutants.index(pollutant), values.shape[1]
    observed: npt.NDArray[np.bool_] = np.asarray(panel.known_from[k, station].min(axis=1) <= issued)
    station, issued, values = station[observed], issued[observed], values[observed]
    missing = np.isnan(values).any(axis=(1, 2))
    if missing.any():
        values[missing] = climatological_quantiles(
            panel, pollutant, station[missing], issued[missing], horizon_hours=horizon_hours, config=config
        )
    status = np.full(values.shape[:2], "ok", "U8")
    if degraded is not None:
        status[degraded[observed]] = "degraded"
    status[missing] = "baseline"
    columns = key_columns(panel, pollutant, station, issued, horizon_hours=horizon_hours)
    flat = values.reshape(-1, len(VALUES)).astype(np.float64)
    columns |= {name: pl.Series(flat[:, j]) for j, name in enumerate(VALUES)}
    return pl.DataFrame(columns | {"status": pl.Series(status.ravel(), dtype=pl.String)})


def climatological_quantiles(
    panel: Panel, pollutant: str, station: Ints, issued: Ints, *, horizon_hours: int, config: ClimatologyConfig
) -> Floats32:
    """Quantiles (and last the mean) of the values of the past year at the same hour of day (UTC) [µg/m³].

    With too few days of a clock hour, all hours of the day are pooled.

    Args:
        panel: read as of issue.
        pollutant: one of the panel.
        station: (case,) each with at least one value known at issue.
        issued: (case,) panel hours.
        horizon_hours: longest lead [h].
        config: hyper-parameters.

    Returns:
        (case, lead, 8): q05 … q95, mean.
    """
    days = [_daily_cycle(panel, pollutant, s, t, config) for s, t in zip(station, issued, strict=True)]
    return np.tile(np.stack(days), (1, horizon_hours // DAY_HOURS, 1))


def _daily_cycle(panel: Panel, pollutant: str, station: int, issued: int, config: ClimatologyConfig) -> Floats32:
    """(hour of lead 1 … 24, 8)."""
    k = panel.pollutants.index(pollutant)
    last = min(issued, panel.n_hours)
    first = max(0, last - DAY_HOURS * config.days)
    if not (panel.known_from[k, station, first:last] <= issued).any():
        first = 0
    known = panel.known_from[k, station, first:last] <= issued
    values = np.maximum(panel.concentration_ugm3[k, station, first:last][known], 0)
    hour = (first + np.flatnonzero(known)) % DAY_HOURS
    rows = []
    for clock in (issued + np.arange(DAY_HOURS)) % DAY_HOURS:
        mine = values[hour == clock]
        sample = mine if len(mine) >= config.min_days else values
        rows.append([*np.quantile(sample, QUANTILE_LEVELS), sample.mean()])
    return np.array(rows, np.float32)
