"""The sequences of the pipeline as data: their steps in order, what each step needs, and the conditions on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hazecast.air.tables import Observations
from hazecast.errors import AlreadyRunning, HazecastError, SourceUnavailable, TooLittleHistory
from hazecast.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Guard:
    """A condition under which a step or a sequence is skipped.

    Attributes:
        outcome: name of the outcome if it applies.
        applies: whether it applies now.
        reason: one line for people.
    """

    outcome: str
    applies: Callable[[Pipeline], bool]
    reason: Callable[[Pipeline], str]


@dataclass(frozen=True)
class Tolerance:
    """Errors of a step that are a normal outcome: the step has no result, and steps that need it are skipped.

    Attributes:
        outcome: name of the outcome.
        errors: the errors.
        applies: whether they are tolerated now.
    """

    outcome: str
    errors: tuple[type[HazecastError], ...]
    applies: Callable[[Pipeline], bool] = lambda _: True


@dataclass(frozen=True)
class Step:
    """One step of a sequence, and one Prefect task.

    Attributes:
        key: names its result.
        task: name of the Prefect task.
        action: called with the pipeline and the results of the steps in `needs`.
        summary: one line about the result, for people; empty: nothing to report.
        needs: keys of earlier steps; if one of them has no result, this step is skipped.
        unless: skips the step.
        tolerates: errors that do not end the sequence.
    """

    key: str
    task: str
    action: Callable[..., Any]
    summary: Callable[[Any], str] = lambda _: ""
    needs: tuple[str, ...] = ()
    unless: Guard | None = None
    tolerates: Tolerance | None = None


@dataclass(frozen=True)
class Sequence:
    """Steps in order.

    Attributes:
        name: as in `hazecast run NAME`.
        title: name of the Prefect flow.
        steps: in order.
        unless: skips the whole sequence.
        retrains: whether TRAINING follows if the step "retrain" found it justified.
        replaces: whether TRAINING follows if the champion cannot forecast, which its last forecast then was not by.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    unless: Guard | None = None
    retrains: bool = False
    replaces: bool = False


def _check_model(pipeline: Pipeline) -> Any:
    pipeline.verify()
    return pipeline.check_model()


ALREADY_ISSUED = Guard(
    "AlreadyIssued",
    lambda pipeline: pipeline.is_issued,
    lambda pipeline: f"the forecast of {pipeline.now:%Y-%m-%d %H}:00 UTC is stored already",
)
# With nothing stored there is nothing to forecast from, and the source's own message helps more.
_FROM_STORED_DATA = Tolerance(
    "FromStoredData",
    (SourceUnavailable,),
    lambda pipeline: pipeline.parts.store.newest(Observations, "observed_at") is not None,
)

COLLECT = Step("collect", "Data Collection", Pipeline.collect)
COLLECT_IF_POSSIBLE = replace(COLLECT, task="Fresh Data Collection", tolerates=_FROM_STORED_DATA)
CHECK = Step("check", "Data Quality Check", Pipeline.check, needs=("collect",))
TRAIN = Step(
    "train", "Model Training", Pipeline.train, tolerates=Tolerance("NotTrained", (TooLittleHistory, AlreadyRunning))
)
VALIDATE = Step(
    "validate",
    "Model Validation",
    Pipeline.validate,
    summary=lambda verdict: f"version {verdict.version} {verdict.outcome}: {verdict.reason}",
    needs=("train",),
)
FORECAST = Step(
    "forecast",
    "Prediction Generation",
    Pipeline.forecast,
    summary=lambda rows: f"{rows.height:,} hours by model version {rows['model_version'][0]}",
    unless=ALREADY_ISSUED,
)
CHECK_MODEL = Step("health", "Model Health Check", _check_model)
CHECK_DATA = Step("drift", "Data Drift Detection", Pipeline.check_data)
DECIDE = Step(
    "retrain",
    "Auto-retrain Trigger",
    Pipeline.decide_retraining,
    summary=lambda report: (
        f"retraining {'justified' if report.retrain.justified else 'not justified'}: "
        + "; ".join(report.retrain.reasons)
    ),
)
ALERT = Step("alert", "Alerting", Pipeline.alert)

_MONITOR = (CHECK_MODEL, CHECK_DATA, DECIDE, ALERT)

TRAINING = Sequence("training", "Training Pipeline", (COLLECT, CHECK, TRAIN, VALIDATE))
_PREDICT = (COLLECT_IF_POSSIBLE, CHECK, FORECAST, ALERT)
PREDICTION = Sequence("prediction", "Prediction Pipeline", _PREDICT, unless=ALREADY_ISSUED, replaces=True)
MONITORING = Sequence("monitoring", "Monitoring Pipeline", _MONITOR, retrains=True)
# Data are collected once. It has trained already when retraining is decided, so no second training follows.
FULL = Sequence("full", "Full Pipeline", (COLLECT_IF_POSSIBLE, CHECK, TRAIN, VALIDATE, FORECAST, *_MONITOR))

# The first start: a forecast in seconds, by a small model. FULL follows in the background.
FIRST = Sequence(
    "first",
    "First Start",
    (
        COLLECT_IF_POSSIBLE,
        CHECK,
        replace(TRAIN, action=lambda pipeline: pipeline.train(is_first=True)),
        VALIDATE,
        replace(FORECAST, action=Pipeline.forecast_before),
    ),
)

SEQUENCES = {sequence.name: sequence for sequence in (TRAINING, PREDICTION, MONITORING, FULL)}
