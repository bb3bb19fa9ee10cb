"""Maintenance: stale runs are marked as crashed, crashes recorded, old runs deleted; tables compacted every night."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import bootstrap  # noqa: F401 - settings that must be there before Prefect is
import polars as pl
from main_flows import LONGEST_RUN
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Completed, Crashed, State

from hazecast.air.tables import Runs
from hazecast.settings import load_settings
from hazecast.steps.upkeep import compact
from hazecast.store import Store
from hazecast.wiring import Wiring

# A process that has not started its flow by then never will; no flow runs longer than the limits of all its tasks.
MAX_AGE = {StateType.PENDING: timedelta(minutes=15), StateType.RUNNING: LONGEST_RUN}
# Scheduled and not started by then: no worker is running.
LATE = timedelta(hours=1)
ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]
# Longer than a night without a worker; recording twice stores once.
RECORDED = timedelta(days=1)
_PAGE = 200
COMPACTION_HOUR = 3


@flow(name="Upkeep", flow_run_name="upkeep")
def maintenance() -> State[Any]:
    """Crash stale runs, so that they block no queue; record crashes; delete old runs; report late ones; compact."""
    now, settings = datetime.now(UTC), load_settings()
    store = Wiring(settings).store
    with get_client(sync_client=True) as client:
        stale = crash_stale(client, now=now)
        record_crashes(client, store, ended_after=now - RECORDED)
        n_deleted = purge(client, ended_before=now - timedelta(days=settings.keep_runs_days))
        late = late_runs(client, now=now)
    found = [{"run": run.name, "finding": "stuck"} for run in stale] + [
        {"run": r.name, "finding": "late"} for r in late
    ]
    if found:
        create_table_artifact(found, key="stuck-runs", description="Runs stuck (now crashed) or late (no worker?)")
    summary = f"{len(stale)} stuck runs ended, {len(late)} late, {n_deleted} old ones deleted"
    get_run_logger().info(summary)
    if now.hour == COMPACTION_HOUR:
        for name, outcome in compact(store):
            get_run_logger().info(f"{name}: {outcome}")
    return Completed(message=summary)


def crash_stale(client: SyncPrefectClient, *, now: datetime) -> list[FlowRun]:
    """Mark runs as crashed that are pending or running for longer than any can, which frees their slot."""
    stale = []
    for kind, max_age in MAX_AGE.items():
        for run in client.read_flow_runs(flow_run_filter=_in_state(kind)):
            since = run.state.timestamp if run.state else None
            if since is None:
                continue
            # After the clock was set back, a submitted run waits for its time to come again.
            is_in_future = kind is StateType.PENDING and since - now > max_age
            if now - since > max_age or is_in_future:
                message = f"{kind.value.lower()} since {since:%Y-%m-%d %H:%M} UTC, longer than any run can be"
                client.set_flow_run_state(run.id, Crashed(message=message), force=True)
                stale.append(run)
    return stale


def record_crashes(client: SyncPrefectClient, store: Store, *, ended_after: datetime) -> None:
    """Store in `runs` how runs ended that crashed (killed, out of memory, stuck) or completed, for monitoring.

    A failed run has stored its failed step itself.
    """
    ended = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED, StateType.COMPLETED])),
        end_time=FlowRunFilterEndTime(after_=ended_after),
    )
    rows = [_as_row(run, client.read_flow(run.flow_id).name) for run in client.read_flow_runs(flow_run_filter=ended)]
    store.append(Runs, pl.DataFrame(rows, schema=Runs.create_empty().schema))


def _as_row(run: FlowRun, flow_name: str) -> dict[str, object]:
    assert run.state is not None
    assert run.end_time is not None
    return {
        "run_id": str(run.id),
        "step": flow_name,
        "started_at": run.start_time or run.end_time,
        "finished_at": run.end_time,
        "as_of": run.end_time,
        "outcome": "failed" if run.state.is_crashed() else "ok",
        "summary": run.state.message or run.state.name,
    }


def late_runs(client: SyncPrefectClient, *, now: datetime) -> list[FlowRun]:
    """Runs that should have started more than an hour ago."""
    waiting = client.read_flow_runs(flow_run_filter=_in_state(StateType.SCHEDULED))
    return [run for run in waiting if run.expected_start_time and now - run.expected_start_time > LATE]


def purge(client: SyncPrefectClient, *, ended_before: datetime) -> int:
    """Delete runs that ended before then, with their logs. Returns their number."""
    n_deleted = 0
    for run in _ended(client, ended_before):
        client.delete_flow_run(run.id)
        n_deleted += 1
    return n_deleted


def _ended(client: SyncPrefectClient, before: datetime) -> Iterator[FlowRun]:
    old = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=ENDED)),
        end_time=FlowRunFilterEndTime(before_=before),
    )
    while page := client.read_flow_runs(flow_run_filter=old, limit=_PAGE):
        yield from page


def _in_state(kind: StateType) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[kind])))
