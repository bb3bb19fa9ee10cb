"""The pipelines as Prefect flows: training, prediction, monitoring and all of it. `python flows/main_flows.py --help`

Tasks add retries, time limits, logs and artifacts; what they do is `hazecast.pipeline`, the same for the terminal and
the replay. Flows meet through the stored tables only, and running one again in the same hour changes nothing.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import quiet  # noqa: F401 - settings that must be there before Prefect is
from artifacts import show_forecast, show_quality, show_report, show_verdict
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.deployments import run_deployment
from prefect.runtime import deployment
from prefect.states import Completed
from prefect.tasks import Task, exponential_backoff

from hazecast.errors import AlreadyRunning, RegistryError, SourceUnavailable, StoreError, TooLittleHistory
from hazecast.logs import configure_logs
from hazecast.pipeline import Pipeline
from hazecast.settings import load_settings
from hazecast.steps import Progress
from hazecast.steps.check import Checked
from hazecast.steps.collect import Batch
from hazecast.steps.monitor import MonitoringReport
from hazecast.steps.train import Candidate
from hazecast.steps.validate import Verdict
from hazecast.wiring import Wiring

MINUTE = 60
# Only what may be well again a minute later is tried again; a bad batch or a defect is not.
PASSING = (SourceUnavailable, StoreError, RegistryError)


def worth_another_try(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task failed for a reason that passes."""
    return isinstance(state.result(raise_on_failure=False), PASSING)


def step(name: str, *, minutes: int, retries: int = 3) -> Callable[[Callable[..., Any]], Task[..., Any]]:
    """A task called `name` in the UI, limited to `minutes`, tried again after 20 s, 40 s, 80 s …"""
    return task(
        name=name,
        task_run_name=name,
        timeout_seconds=minutes * MINUTE,
        retries=retries,
        retry_delay_seconds=exponential_backoff(20),
        retry_jitter_factor=0.5,
        retry_condition_fn=worth_another_try,
        cache_policy=NO_CACHE,
    )


@step("Data Collection", minutes=120)
def data_collection(pipeline: Pipeline) -> Batch:
    """Fetch what is new; nothing is stored yet."""
    return pipeline.collect()


fresh_data_collection = data_collection.with_options(
    name="Fresh Data Collection", task_run_name="Fresh Data Collection"
)


@step("Data Quality Check", minutes=30)
def data_quality_check(pipeline: Pipeline, batch: Batch) -> Checked:
    """Flag and store the batch, or refuse it and stop; the report is shown either way."""
    try:
        return pipeline.check(batch)
    finally:
        show_quality(pipeline)


@step("Model Training", minutes=240, retries=1)
def model_training(pipeline: Pipeline) -> Candidate:
    """Fit a candidate; never two at once."""
    return pipeline.train()


@step("Model Validation", minutes=120)
def model_validation(pipeline: Pipeline, candidate: Candidate) -> Verdict:
    """Judge the candidate and register it; promote it if it earned it."""
    verdict = pipeline.validate(candidate)
    show_verdict(pipeline, verdict)
    return verdict


@step("Prediction Generation", minutes=30)
def prediction_generation(pipeline: Pipeline) -> str:
    """Issue the next 72 hours, served and in shadow, and warn of what they hold."""
    rows = pipeline.forecast()
    show_forecast(pipeline, rows)
    pipeline.alert()
    return f"{rows.height:,} hours by model version {rows['model_version'][0]}"


@step("Model Health Check", minutes=30)
def model_health_check(pipeline: Pipeline) -> str:
    """Score every forecast whose hours have been observed since."""
    return f"{pipeline.verify().n_hours:,} hours scored"


@step("Data Drift Detection", minutes=30)
def data_drift_detection(pipeline: Pipeline) -> MonitoringReport:
    """Skill, coverage, drift, freshness, silent and faulty sensors: verdicts with reasons, and alerts."""
    report = pipeline.monitor()
    show_report(report)
    pipeline.alert()
    return report


@step("Auto-retrain Trigger", minutes=5)
def auto_retrain_trigger(pipeline: Pipeline, report: MonitoringReport) -> str:
    """Ask for a training where the report justifies one: from the worker, or here where there is none."""
    if not report.retrain.justified:
        return "no retraining needed"
    reasons = "; ".join(report.retrain.reasons)
    if not deployment.id:
        return f"retraining: {reasons}"
    once_a_day = f"retrain-{pipeline.parts.settings.place_name}-{pipeline.now:%Y-%m-%d}"
    run_deployment("Training Pipeline/training", timeout=0, as_subflow=False, idempotency_key=once_a_day)
    return f"asked the worker to retrain: {reasons}"


def run_name(flow_name: str) -> Callable[[], str]:
    """Readable names for runs: "training beijing 2026-11-24 06:00 UTC"."""

    def name() -> str:
        parts = Wiring(load_settings())
        return f"{flow_name} {parts.settings.place_name} {parts.now():%Y-%m-%d %H:%M} UTC"

    return name


@flow(name="Training Pipeline", flow_run_name=run_name("training"))
def training() -> State[Any]:
    """Collect, check, train, validate. A bad batch stops it; with too little history there is nothing to train."""
    pipeline = opened()
    data_quality_check(pipeline, data_collection(pipeline))
    try:
        candidate = model_training(pipeline)
    except (TooLittleHistory, AlreadyRunning) as err:
        return Completed(name="NotTrained", message=str(err))
    verdict = model_validation(pipeline, candidate)
    return Completed(message=f"version {verdict.version} {verdict.outcome}: {verdict.reason}")


@flow(name="Prediction Pipeline", flow_run_name=run_name("prediction"))
def prediction() -> State[Any]:
    """Collect, check, forecast, once an hour. With the source out of reach the last good data speak."""
    pipeline = opened()
    if pipeline.is_issued:
        return Completed(
            name="AlreadyIssued", message=f"the hour of {pipeline.now:%Y-%m-%d %H:%M} UTC is issued already"
        )
    try:
        batch = fresh_data_collection(pipeline)
    except SourceUnavailable as err:
        get_run_logger().warning("forecasting from what is stored: %s", err)
    else:
        data_quality_check(pipeline, batch)
    return Completed(message=prediction_generation(pipeline))


@flow(name="Monitoring Pipeline", flow_run_name=run_name("monitoring"))
def monitoring() -> State[Any]:
    """Verify, look for drift and faults, retrain if that is justified."""
    pipeline = opened()
    model_health_check(pipeline)
    report = data_drift_detection(pipeline)
    outcome = auto_retrain_trigger(pipeline, report)
    if report.retrain.justified and not deployment.id:
        training()
    return Completed(message=outcome)


@flow(name="Full Pipeline", flow_run_name=run_name("full"))
def full() -> State[Any]:
    """Training, prediction and monitoring, one after the other."""
    for pipeline in (training, prediction, monitoring):
        pipeline()
    return Completed(message="trained, predicted, monitored")


def opened() -> Pipeline:
    """The configured pipeline; its steps say in the run's log how far they are."""
    settings = load_settings()
    configure_logs(settings.log_format)
    settings.home.mkdir(parents=True, exist_ok=True)
    return Pipeline(Wiring(settings), showing=in_the_log)


def in_the_log(name: str) -> AbstractContextManager[Progress]:
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
