"""Train: fit a candidate on all but the last days, which are held out for its validation."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR, floor_hour, hours_between
from hazecast.air.spec import ForecastSpec
from hazecast.air.tables import newest
from hazecast.errors import TooLittleHistory
from hazecast.models import DEFAULT_KIND, Model, ModelConfig, model_class
from hazecast.steps import Progress, silent
from hazecast.steps.inputs import Inputs, read_inputs
from hazecast.store import Store

MIN_HISTORY_DAYS = 21
FIRST_KIND = "trees"  # without a network, and with ModelConfig.light(): trained in seconds
# The validation window is at most a fifth of the history; more of a short one, as a significance test needs days.
_VALIDATION_SHARE, _VALIDATION_SHARE_OF_SHORT = 0.2, 0.35
_VALIDATION_DAYS_OF_SHORT = 14


# A week of hours: with fewer, there is no hour that both features and target can be built for.
MIN_CONSECUTIVE_HOURS = 168


@dataclass(frozen=True)
class Candidate:
    """A fitted model that is not validated yet, and the window [judged_since, judged_until) that it has not seen.

    `is_first`: trained quickly for the first start, to be replaced by a full training.
    """

    forecaster: Model
    inputs: Inputs
    judged_since: datetime
    judged_until: datetime
    is_first: bool = False


def train(
    store: Store,
    *,
    now: datetime,
    validation_days: int,
    kind: str = DEFAULT_KIND,
    spec: ForecastSpec | None = None,
    config: ModelConfig | None = None,
    is_first: bool = False,
    progress: Progress = silent,
) -> Candidate:
    """Fit one global model over all stations and pollutants on the data known before the validation window.

    Args:
        store: of the place.
        now: moment of the training; data that arrived later are not used.
        validation_days: length of the validation window at most [d].
        kind: of the model (`models.KINDS`).
        spec: horizon and lead blocks; None: the default.
        config: hyper-parameters; None: the defaults.
        is_first: train a small model in seconds, whatever `kind` and `config` are.
        progress: called while it trains.

    Raises:
        TooLittleHistory: fewer than 21 days between the first and the last observation.
        SettingsError: no such kind of model.
    """
    if is_first:
        kind, config = FIRST_KIND, ModelConfig.light()
    cls = model_class(kind)
    inputs = read_inputs(store)
    known = inputs.observations.filter(inputs.observations["available_at"] <= now)
    first, last = known["observed_at"].min(), newest(known["observed_at"])
    history_days = hours_between(first, last) / 24 if isinstance(first, datetime) and last else 0.0
    n_consecutive = _consecutive_hours(known)
    if history_days >= MIN_HISTORY_DAYS and n_consecutive < MIN_CONSECUTIVE_HOURS:
        raise TooLittleHistory(
            f"only {n_consecutive} of {known.height:,} valid observations follow one an hour before, and "
            f"{MIN_CONSECUTIVE_HOURS} are needed: models learn from hourly means. The climatology forecasts until then"
        )
    if history_days < MIN_HISTORY_DAYS or last is None:
        raise TooLittleHistory(
            f"{history_days:.1f} days of observations are too few to train on: {MIN_HISTORY_DAYS} are needed. "
            "Forecasts are the climatology until then"
        )
    judged_until = min(floor_hour(now), last + HOUR)
    window_days = min(validation_days, _max_validation_days(history_days))
    judged_since = floor_hour(judged_until - timedelta(days=window_days))
    forecaster = cls.fit(
        inputs.panel,
        pollutants=inputs.panel.pollutants,
        until=judged_since,
        weather=inputs.weather,
        spec=spec or ForecastSpec(),
        config=config or ModelConfig(),
        progress=progress,
    )
    return Candidate(forecaster, inputs, judged_since, judged_until, is_first)


def _max_validation_days(history_days: float) -> float:
    short = min(_VALIDATION_DAYS_OF_SHORT, history_days * _VALIDATION_SHARE_OF_SHORT)
    return max(history_days * _VALIDATION_SHARE, short)


def _consecutive_hours(observations: pl.DataFrame) -> int:
    """Number of valid observations with another of their series one hour before."""
    series = ["station_id", "pollutant"]
    valid = observations.filter(pl.col("flag") == "ok").sort(*series, "observed_at")
    return int(valid.select((pl.col("observed_at").diff().over(series) == HOUR).sum()).item())
