"""Change of a pollutant's level at equal weather: the residual after weather, hour and weekday."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.arrays import Floats

WEATHER = ("wind_speed_ms", "wind_direction_deg", "temperature_c", "dew_point_c", "pressure_hpa", "precipitation_mm")
_RIDGE = 50.0
_WEEK = 7.0
_MIN_WEEK_HOURS = 84
_MIN_WEEKS = 6
# A change by this factor counts if it also exceeds this many standard errors of the weeks of the reference.
_NOTABLE_RATIO = 1.25
_STANDARD_ERRORS = 4.0


@dataclass(frozen=True)
class Shift:
    """The recent level against the reference's, at equal weather.

    Attributes:
        ratio: of recent to reference [1].
        usual_ratio: the largest, or its inverse the smallest, that counts as usual [1].
    """

    ratio: float
    usual_ratio: float

    @property
    def is_unusual(self) -> bool:
        """Whether the level changed."""
        return max(self.ratio, 1 / self.ratio) > self.usual_ratio


def explaining(weather: pl.DataFrame) -> pl.DataFrame:
    """Predictors of the level of a pollutant: `at` and one column each.

    Args:
        weather: at (UTC) and WEATHER, hourly, of one station.
    """
    wind, turn = pl.col("wind_speed_ms").log1p(), pl.col("wind_direction_deg").radians()
    rain = pl.col("precipitation_mm")
    day, weekday = 2 * np.pi * pl.col("at").dt.hour() / 24, pl.col("at").dt.weekday()
    return weather.sort("at").select(
        "at",
        wind.alias("wind"),
        *(wind.rolling_mean_by("at", f"{hours}h").alias(f"wind_{hours}h") for hours in (6, 24, 48)),
        turn.cos().alias("north"),
        turn.sin().alias("east"),
        "temperature_c",
        (pl.col("temperature_c") ** 2).alias("temperature_squared"),
        "dew_point_c",
        "pressure_hpa",
        rain.log1p().alias("rain"),
        (24 * rain.rolling_mean_by("at", "24h")).log1p().alias("rain_24h"),
        *((k * day).cos().alias(f"cos_{k}") for k in (1, 2, 3)),
        *((k * day).sin().alias(f"sin_{k}") for k in (1, 2, 3)),
        *(weekday.eq(number).cast(pl.Float64).alias(f"weekday_{number}") for number in (6, 7)),
    )


def shift_at_equal_weather(recent: pl.DataFrame, reference: pl.DataFrame, explained: pl.DataFrame) -> Shift | None:
    """Change of the level beyond what weather, hour and weekday explain; None if too little weather is known.

    A ridge regression of the log level, fitted to the reference, is subtracted from both. The weeks of the
    reference, each left out of its own regression, give the natural spread of weekly means.

    Args:
        recent: at (UTC), value, of one series.
        reference: the same.
        explained: `explaining` the weather of the same station.

    Source: meteorological normalisation (Grange et al. 2018, doi:10.5194/acp-18-6223-2018), with a linear model.
    """
    (before, x), (now, x_now) = (_rows(levels, explained) for levels in (reference, recent))
    if len(x_now) < _MIN_WEEK_HOURS or len(x) == 0:
        return None
    centre, spread = x.mean(0), x.std(0) + 1e-9
    x, x_now = (x - centre) / spread, (x_now - centre) / spread
    level = _log(before)
    y, y_now = level - level.mean(), _log(now) - level.mean()
    gram, moment = x.T @ x, x.T @ y
    week = (before["at"].dt.epoch("s").to_numpy() / 86_400 // _WEEK).astype(int)
    residuals = _weekly_residuals(x, y, week, gram, moment)
    if len(residuals) < _MIN_WEEKS:
        return None
    error = float(np.std(residuals)) * np.sqrt(_WEEK * 24 / len(y_now) + 1 / len(residuals))
    usual = max(np.log(_NOTABLE_RATIO), _STANDARD_ERRORS * error)
    shift = float((y_now - x_now @ _coefficients(gram, moment)).mean())
    return Shift(float(np.exp(shift)), float(np.exp(usual)))


def _weekly_residuals(x: Floats, y: Floats, week: npt.NDArray[np.int64], gram: Floats, moment: Floats) -> list[float]:
    """Mean residual of each week under the regression on all the others."""
    found = []
    for one in np.unique(week):
        inside = week == one
        if inside.sum() >= _MIN_WEEK_HOURS:
            mine = x[inside]
            others = _coefficients(gram - mine.T @ mine, moment - mine.T @ y[inside])
            found.append(float((y[inside] - mine @ others).mean()))
    return found


def _coefficients(gram: Floats, moment: Floats) -> Floats:
    return np.asarray(np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), moment), dtype=np.float64)


def _log(levels: pl.DataFrame) -> Floats:
    return np.asarray(np.log1p(np.maximum(levels["value"].to_numpy(), 0)), dtype=np.float64)


def _rows(levels: pl.DataFrame, explained: pl.DataFrame) -> tuple[pl.DataFrame, Floats]:
    """The hours with known weather, with their predictors."""
    rows = levels.select("at", "value").join(explained, on="at").drop_nulls()
    return rows, rows.drop("at", "value").to_numpy().astype(np.float64)
