"""The worker of the compose stack: goes on with what died with the worker before it, and asks for the first full run.

A killed container takes its runs with it, and the compose stack has one worker: what is recorded as under way when it
starts is dead. It is scheduled anew; a pipeline that is run again changes nothing that it has stored already.
"""

import quiet  # noqa: F401 - settings that must be there before Prefect is
from deployments import deploy, work
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.states import AwaitingRetry, Crashed

from hazecast.features.signature import input_signature
from hazecast.settings import Settings, load_settings

DIED = "its worker died"
UNDER_WAY = [StateType.RUNNING, StateType.PENDING]
NEVER_ENDED_WELL = [StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]


def resume(client: SyncPrefectClient) -> list[FlowRun]:
    """Schedule anew the runs that began and never ended; flows started by hand elsewhere are left alone."""
    asked = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY)))
    found = client.read_flow_runs(flow_run_filter=asked)
    runs = [run for run in found if run.deployment_id is not None]
    for run in runs:
        client.set_flow_run_state(run.id, AwaitingRetry(message=DIED), force=True)
    # The run that began them begins them anew.
    for part in [run for run in found if run.parent_task_run_id is not None]:
        client.set_flow_run_state(part.id, Crashed(message=DIED), force=True)
    return runs


def ask_for_first_run(client: SyncPrefectClient, settings: Settings) -> None:
    """Collect, train, forecast at once instead of on Saturday; when that failed, again at the next start.

    A release whose models see other inputs than the one before begins anew.
    """
    first = f"first-run-{settings.place_name}-{input_signature()}"
    failed = client.count_flow_runs(
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=[first]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=NEVER_ENDED_WELL)),
        )
    )
    key = f"{first}-after-{failed}-failures"
    run_deployment("Full Pipeline/full", timeout=0, as_subflow=False, tags=[first], idempotency_key=key)


if __name__ == "__main__":
    configured = load_settings()
    deploy(configured)
    with get_client(sync_client=True) as connected:
        for resumed in resume(connected):
            print(f"goes on: {resumed.name}")  # noqa: T201 - a script's own output
        ask_for_first_run(connected, configured)
    work(configured)
