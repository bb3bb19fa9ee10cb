"""The pipelines as Prefect flows: training, prediction, monitoring and all of it. `python flows/main_flows.py --help`

The sequences are those of `hazecast.pipeline`. Prefect runs each step as a task, with retries, a time limit, logs and
artifacts. Flows share the stored tables only, and running one again in the same hour changes nothing.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import bootstrap  # noqa: F401 - settings that must be there before Prefect is
from artifacts import show_forecast, show_quality, show_report, show_validation
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.deployments import run_deployment
from prefect.runtime import deployment, flow_run
from prefect.states import Completed
from prefect.tasks import Task, exponential_backoff
from structlog.contextvars import bound_contextvars

from hazecast.errors import RegistryError, SourceUnavailable, StoreError
from hazecast.logs import configure_logs
from hazecast.pipeline import FULL, MONITORING, PREDICTION, SEQUENCES, TRAINING, Pipeline, Runner, Sequence, Step
from hazecast.settings import load_settings
from hazecast.steps import Progress
from hazecast.wiring import Wiring

MINUTE = 60
# Only errors that may be gone a minute later are retried; a bad batch or a defect is not.
TRANSIENT = (SourceUnavailable, StoreError, RegistryError)


@dataclass(frozen=True)
class Limits:
    """Of one task: time limit [min] and retries after 20 s, 40 s, 80 s …"""

    minutes: int
    retries: int = 3


LIMITS = {
    "collect": Limits(120),
    "check": Limits(30),
    "train": Limits(240, retries=1),
    "validate": Limits(120),
    "forecast": Limits(30),
    "health": Limits(30),
    "drift": Limits(30),
    "retrain": Limits(5),
    "alert": Limits(10),
}
LONGEST_RUN = timedelta(minutes=sum(LIMITS[step.key].minutes for step in FULL.steps))
ARTIFACTS: dict[str, Callable[[Pipeline, Any], None]] = {
    "validate": show_validation,
    "forecast": show_forecast,
    "retrain": show_report,
}


def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task is worth a retry."""
    return isinstance(state.result(raise_on_failure=False), TRANSIENT)


def as_task(step: Step) -> Task[..., Any]:
    """A step of a sequence as a task with its limits and artifacts."""
    limits, show = LIMITS[step.key], ARTIFACTS.get(step.key)

    def run(pipeline: Pipeline, arguments: tuple[Any, ...]) -> Any:
        try:
            result = step.action(pipeline, *arguments)
        finally:
            if step.key == "check":  # its report is wanted most when the batch was refused
                show_quality(pipeline)
        if show is not None:
            show(pipeline, result)
        return result

    return task(
        run,
        name=step.task,
        task_run_name=step.task,
        timeout_seconds=limits.minutes * MINUTE,
        retries=limits.retries,
        retry_delay_seconds=exponential_backoff(20),
        retry_jitter_factor=0.5,
        retry_condition_fn=is_transient,
        cache_policy=NO_CACHE,
    )


TASKS = {step.task: as_task(step) for sequence in SEQUENCES.values() for step in sequence.steps}


class PrefectRunner(Runner):
    """Executes each step as a task; a justified training is requested from the worker where there is one."""

    def execute(self, step: Step, *arguments: object) -> Any:
        """Run one step as its task."""
        return TASKS[step.task](self.pipeline, arguments)

    def retrain(self, training: Sequence) -> str:
        """Request one training per decision from the worker; a run without a deployment trains inline."""
        if not deployment.id:
            return super().retrain(training)
        place, now = self.pipeline.parts.settings.place_name, self.pipeline.now
        once = f"retrain-{place}-{now:%Y-%m-%dT%H}"
        run_deployment(f"{training.title}/{training.name}", timeout=0, as_subflow=False, idempotency_key=once)
        return "training requested from the worker"


def run_name(sequence: Sequence) -> Callable[[], str]:
    """Readable names for runs: "training beijing 2026-11-24 06:00 UTC"."""

    def name() -> str:
        parts = Wiring(load_settings())
        return f"{sequence.name} {parts.settings.place_name} {parts.now():%Y-%m-%d %H:%M} UTC"

    return name


def run(sequence: Sequence) -> State[Any]:
    """Run a sequence inside the flow that calls this; the state is named after the outcome."""
    with bound_contextvars(flow_run_id=flow_run.id):
        outcome = PrefectRunner(configured_pipeline()).run(sequence)
    return Completed(name=outcome.name, message=outcome.message)


@flow(name=TRAINING.title, flow_run_name=run_name(TRAINING))
def training() -> State[Any]:
    """Collect, check, train, validate. A bad batch fails it; too little history ends it as NotTrained."""
    return run(TRAINING)


@flow(name=PREDICTION.title, flow_run_name=run_name(PREDICTION))
def prediction() -> State[Any]:
    """Collect, check, forecast, alert, once an hour. If the source is unreachable, stored data are used."""
    return run(PREDICTION)


@flow(name=MONITORING.title, flow_run_name=run_name(MONITORING))
def monitoring() -> State[Any]:
    """Check model and data, decide whether to retrain, alert, and retrain if that is justified."""
    return run(MONITORING)


@flow(name=FULL.title, flow_run_name=run_name(FULL))
def full() -> State[Any]:
    """Training, prediction and monitoring on data collected once."""
    return run(FULL)


def configured_pipeline() -> Pipeline:
    """The configured pipeline; its steps log their progress to the run."""
    settings = load_settings()
    configure_logs(settings.log_format)
    settings.home.mkdir(parents=True, exist_ok=True)
    return Pipeline(Wiring(settings), show=log_progress)


def log_progress(name: str) -> AbstractContextManager[Progress]:
    """Progress as lines of the run's log."""

    @contextmanager
    def logged() -> Iterator[Progress]:
        logger = get_run_logger()
        yield lambda line, share: logger.info("%s %3.0f %% %s", name, 100 * share, line)

    return logged()


FLOWS = {"training": training, "prediction": prediction, "monitoring": monitoring, "full": full}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run one pipeline here and now; settings come from the environment.")
    parser.add_argument("flow", nargs="?", choices=FLOWS, default="full", help="which one (full)")
    FLOWS[parser.parse_args().flow]()
