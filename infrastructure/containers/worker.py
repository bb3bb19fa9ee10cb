"""The worker of the compose stack: reschedules interrupted runs and requests the first full run.

A killed container ends its runs, and the compose stack has one worker: every run recorded as running when the worker
starts is dead. It is rescheduled; pipelines are idempotent.
"""

import bootstrap  # noqa: F401 - sets variables that Prefect reads at import
from deployments import deploy, work
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.states import AwaitingRetry, Crashed

from hazecast.features.signature import input_signature
from hazecast.settings import Settings, load_settings

DIED = "its worker died"
UNFINISHED = [StateType.RUNNING, StateType.PENDING]
UNSUCCESSFUL = [StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]


def resume(client: SyncPrefectClient) -> list[FlowRun]:
    """Reschedule the runs that started and did not end, except flows started without a deployment."""
    unfinished = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)))
    found = client.read_flow_runs(flow_run_filter=unfinished)
    runs = [run for run in found if run.deployment_id is not None]
    for run in runs:
        client.set_flow_run_state(run.id, AwaitingRetry(message=DIED), force=True)
    # The rescheduled parent starts its subflows again.
    for part in [run for run in found if run.parent_task_run_id is not None]:
        client.set_flow_run_state(part.id, Crashed(message=DIED), force=True)
    return runs


def request_first_run(client: SyncPrefectClient, settings: Settings) -> None:
    """Run the full pipeline now instead of on Saturday; after a failure, again at the next start.

    The idempotency key has the hash of the model inputs: a release with other inputs trains again.
    """
    first = f"first-run-{settings.place_name}-{input_signature()}"
    failed = client.count_flow_runs(
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=[first]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNSUCCESSFUL)),
        )
    )
    key = f"{first}-after-{failed}-failures"
    run_deployment("Full Pipeline/full", timeout=0, as_subflow=False, tags=[first], idempotency_key=key)


if __name__ == "__main__":
    configured = load_settings()
    deploy(configured)
    with get_client(sync_client=True) as connected:
        for resumed in resume(connected):
            print(f"resumed: {resumed.name}")  # noqa: T201 - a script's own output
        request_first_run(connected, configured)
    work(configured)
