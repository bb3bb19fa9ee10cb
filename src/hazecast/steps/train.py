"""Train: fit a candidate on all but the last days, which are kept to judge it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hazecast.air.clock import HOUR, floor_hour, hours_between
from hazecast.air.tables import newest
from hazecast.errors import TooLittleHistory
from hazecast.models.forecaster import Effort, Forecaster, fit
from hazecast.steps import Progress, silent
from hazecast.steps.inputs import Inputs, read_inputs
from hazecast.store import Store

MIN_HISTORY_DAYS = 21
# A candidate is judged on at most a fifth of the history; on more of a short one, as a significance test needs days.
_JUDGED_SHARE, _JUDGED_SHARE_OF_SHORT = 0.2, 0.35
_JUDGED_DAYS = 14


@dataclass(frozen=True)
class Candidate:
    """A fitted model that nobody has judged yet, and the window [judged_since, judged_until) it has not seen."""

    forecaster: Forecaster
    inputs: Inputs
    judged_since: datetime
    judged_until: datetime


def train(
    store: Store, *, now: datetime, validation_days: int, effort: Effort | None = None, progress: Progress = silent
) -> Candidate:
    """Fit one global model over all stations and pollutants on what was known before the validation window.

    Raises:
        TooLittleHistory: fewer than 21 days between the first and the last observation.
    """
    inputs = read_inputs(store)
    known = inputs.observations.filter(inputs.observations["available_at"] <= now)
    first, last = known["observed_at"].min(), newest(known["observed_at"])
    history_days = hours_between(first, last) / 24 if isinstance(first, datetime) and last else 0.0
    if history_days < MIN_HISTORY_DAYS or last is None:
        raise TooLittleHistory(
            f"{history_days:.1f} days of observations are too few to train on: {MIN_HISTORY_DAYS} are needed. "
            "Forecasts come from the climatology until then"
        )
    judged_until = min(floor_hour(now), last + HOUR)
    judged_days = min(validation_days, _most_judged_days(history_days))
    judged_since = floor_hour(judged_until - timedelta(days=judged_days))
    forecaster = fit(
        inputs.panel,
        pollutants=inputs.panel.pollutants,
        until=judged_since,
        weather=inputs.weather,
        effort=effort,
        progress=progress,
    )
    return Candidate(forecaster, inputs, judged_since, judged_until)


def _most_judged_days(history_days: float) -> float:
    return max(history_days * _JUDGED_SHARE, min(_JUDGED_DAYS, history_days * _JUDGED_SHARE_OF_SHORT))
