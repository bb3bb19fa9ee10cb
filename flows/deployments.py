"""Deploy the flows with their schedules: `python flows/deployments.py`, to a Prefect server or to Prefect Cloud.

The target is set by PREFECT_API_URL and, for Cloud, PREFECT_API_KEY. Running it again changes only what differs. With
`--work` the process then becomes a worker.
"""

import argparse
import inspect
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bootstrap  # noqa: F401 - settings that must be there before Prefect is
from main_flows import full, monitoring, prediction, training
from maintenance import maintenance
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron
from prefect.workers.process import ProcessWorker

from hazecast.errors import HazecastError
from hazecast.schedule import FULL, MONITORING, PREDICTION, TRAINING
from hazecast.settings import Settings, load_settings

# Interactive use should report a wrong address soon; a worker may start long before its server.
TIMEOUT_SECONDS, WORKER_TIMEOUT_SECONDS = 120.0, 3_600.0
TRAINING_QUEUE, FORECASTING_QUEUE = "training", "forecasting"
# Every pool has it. Maintenance frees the other queues, so it must not wait in them.
UNLIMITED_QUEUE = "default"
# One training at a time on all workers together; a prediction never waits behind one.
QUEUE_LIMITS = {TRAINING_QUEUE: 1, FORECASTING_QUEUE: 2}


@dataclass(frozen=True)
class Plan:
    """One deployment: a flow, its schedule (cron) and its queue."""

    name: str
    flow: Flow[..., Any]
    cron: str
    queue: str


PLANS = (
    Plan("training", training, TRAINING.cron, TRAINING_QUEUE),
    Plan("prediction", prediction, PREDICTION.cron, FORECASTING_QUEUE),
    Plan("monitoring", monitoring, MONITORING.cron, FORECASTING_QUEUE),
    Plan("full", full, FULL.cron, TRAINING_QUEUE),
    # Named as in earlier releases, so that an existing deployment is updated and not orphaned.
    Plan("upkeep", maintenance, "30 * * * *", UNLIMITED_QUEUE),
)


def deploy(settings: Settings, *, timeout_seconds: float = TIMEOUT_SECONDS) -> list[str]:
    """Create or update the work pool, its queues and every deployment; the names of the deployments."""
    pool = settings.prefect_pool
    with get_client(sync_client=True) as client:
        _await_server(client, timeout_seconds)
        _ensure_pool(client, pool)
        for queue, limit in QUEUE_LIMITS.items():
            _ensure_queue(client, pool, queue, limit)
    for plan in PLANS:
        # Runs start in the folder of this process, so that they read the same `.env`.
        stored = plan.flow.from_source(source=str(Path.cwd()), entrypoint=_entrypoint(plan.flow))
        stored.deploy(  # type: ignore[union-attr]  # synchronous here
            name=plan.name,
            work_pool_name=pool,
            work_queue_name=plan.queue,
            schedule=Cron(plan.cron, timezone=settings.schedule_timezone),
            print_next_steps=False,
            ignore_warnings=True,
        )
    return [f"{plan.flow.name}/{plan.name}" for plan in PLANS]


def work(settings: Settings) -> None:
    """Replace this process by a worker of the pool with a health-check port; does not return."""
    os.environ["PREFECT_WORKER_WEBSERVER_PORT"] = str(settings.worker_port)
    os.environ["PREFECT_WORKER_WEBSERVER_HOST"] = settings.worker_host
    worker = ("worker", "start", "--pool", settings.prefect_pool, "--type", "process", "--with-healthcheck")
    os.execv(sys.executable, (sys.executable, "-m", "prefect", *worker))


def _await_server(client: SyncPrefectClient, timeout_seconds: float) -> None:
    """Wait until the server responds.

    Raises:
        HazecastError: it does not respond in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while (problem := client.api_healthcheck()) is not None:
        if time.monotonic() > deadline:
            raise HazecastError(
                f"the Prefect API at {client.api_url} does not respond: {problem}; check PREFECT_API_URL"
            )
        time.sleep(1)


def _ensure_pool(client: SyncPrefectClient, pool: str) -> None:
    try:
        client.read_work_pool(pool)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        about = "Hazecast's pipelines; each run is a separate process on a worker"
        client.create_work_pool(
            WorkPoolCreate(name=pool, type="process", base_job_template=template, description=about)
        )


def _ensure_queue(client: SyncPrefectClient, pool: str, queue: str, limit: int) -> None:
    try:
        found = client.read_work_queue_by_name(queue, work_pool_name=pool)
    except ObjectNotFound:
        client.create_work_queue(queue, work_pool_name=pool, concurrency_limit=limit)
    else:
        client.update_work_queue(found.id, concurrency_limit=limit)


def _entrypoint(flow: Flow[..., Any]) -> str:
    return f"{Path(inspect.getfile(flow.fn)).resolve()}:{flow.fn.__name__}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Deploy the flows with their schedules.")
    parser.add_argument("--work", action="store_true", help="then run as a worker")
    work_after = parser.parse_args().work
    configured = load_settings()
    for deployment in deploy(configured, timeout_seconds=WORKER_TIMEOUT_SECONDS if work_after else TIMEOUT_SECONDS):
        print(deployment)  # noqa: T201 - a script's own output
    if work_after:
        work(configured)
