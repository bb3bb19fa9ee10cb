"""The worker of the compose stack: goes on with what died with the worker before it, and asks for the first full run.

A killed container takes its runs with it, and nobody else has its host name: runs recorded as running under that name are
dead. They are scheduled anew; a pipeline that is run again changes nothing that it has stored already.
"""

import socket

import quiet  # noqa: F401 - settings that must be there before Prefect is
from deployments import deploy, work
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.states import AwaitingRetry

from hazecast.settings import Settings, load_settings

UNDER_WAY = [StateType.RUNNING, StateType.PENDING]


def resume(client: SyncPrefectClient, host: str) -> list[FlowRun]:
    """Schedule anew the runs that began on `host` and never ended."""
    asked = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY)))
    runs = [run for run in client.read_flow_runs(flow_run_filter=asked) if _began_on(run, host)]
    for run in runs:
        client.set_flow_run_state(run.id, AwaitingRetry(message="its worker died"), force=True)
    return runs


def ask_for_first_run(settings: Settings) -> None:
    """Collect, train, forecast at once instead of on Saturday; once, however often the stack starts."""
    first = f"first-run-{settings.place_name}"
    run_deployment("Full Pipeline/full", timeout=0, as_subflow=False, idempotency_key=first)


def _began_on(run: FlowRun, host: str) -> bool:
    return run.deployment_id is not None and str(run.infrastructure_pid or "").startswith(f"{host}:")


if __name__ == "__main__":
    configured = load_settings()
    deploy(configured)
    with get_client(sync_client=True) as connected:
        for resumed in resume(connected, socket.gethostname()):
            print(f"goes on: {resumed.name}")  # noqa: T201 - a script's own output
    ask_for_first_run(configured)
    work(configured)
