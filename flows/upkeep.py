"""Upkeep of the orchestration itself: stuck runs are ended, crashed ones are told of, old ones are forgotten."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import quiet  # noqa: F401 - settings that must be there before Prefect is
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
from hazecast.store import Store
from hazecast.wiring import Wiring

# A process that has not begun its flow by then never will; longer than the time limits of all tasks of a flow together.
LONGEST = {StateType.PENDING: timedelta(minutes=15), StateType.RUNNING: timedelta(hours=9)}
# Scheduled and not begun by then: no worker is there.
LATE = timedelta(hours=1)
ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]
# Longer than a night without a worker; noting twice stores once.
NOTED = timedelta(days=1)
_PAGE = 200


@flow(name="Upkeep", flow_run_name="upkeep")
def upkeep() -> State[Any]:
    """End what is stuck, so that it blocks no queue; forget what is old; say what is late and what crashed."""
    now, settings = datetime.now(UTC), load_settings()
    with get_client(sync_client=True) as client:
        stuck = end_stuck(client, now=now)
        note(client, Wiring(settings).store, ended_after=now - NOTED)
        forgotten = forget(client, ended_before=now - timedelta(days=settings.keep_runs_days))
        late = late_runs(client, now=now)
    found = [{"run": run.name, "finding": "stuck"} for run in stuck] + [
        {"run": r.name, "finding": "late"} for r in late
    ]
    if found:
        create_table_artifact(found, key="stuck-runs", description="Runs stuck (ended now) or late (no worker?)")
    summary = f"{len(stuck)} stuck runs ended, {len(late)} late, {forgotten} old ones forgotten"
    get_run_logger().info(summary)
    return Completed(message=summary)


def end_stuck(client: SyncPrefectClient, *, now: datetime) -> list[FlowRun]:
    """Runs pending or running for longer than any can; each is marked as crashed, which frees its place."""
    stuck = []
    for kind, longest in LONGEST.items():
        for run in client.read_flow_runs(flow_run_filter=_in_state(kind)):
            since = run.state.timestamp if run.state else None
            if since is None:
                continue
            # After a clock was set back, what had been submitted waits for its time to come once more.
            of_the_future = kind is StateType.PENDING and since - now > longest
            if now - since > longest or of_the_future:
                words = f"{kind.value.lower()} since {since:%Y-%m-%d %H:%M} UTC, longer than any run can be"
                client.set_flow_run_state(run.id, Crashed(message=words), force=True)
                stuck.append(run)
    return stuck


def note(client: SyncPrefectClient, store: Store, *, ended_after: datetime) -> None:
    """Store how runs ended that crashed (killed, out of memory, stuck) or completed; monitoring tells of the crashes.

    A run that failed has told of it itself: its step stands in the table `runs`.
    """
    told = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED, StateType.COMPLETED])),
        end_time=FlowRunFilterEndTime(after_=ended_after),
    )
    rows = [_as_row(run, client.read_flow(run.flow_id).name) for run in client.read_flow_runs(flow_run_filter=told)]
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
    """Runs that should have begun more than an hour ago."""
    waiting = client.read_flow_runs(flow_run_filter=_in_state(StateType.SCHEDULED))
    return [run for run in waiting if run.expected_start_time and now - run.expected_start_time > LATE]


def forget(client: SyncPrefectClient, *, ended_before: datetime) -> int:
    """Delete runs that ended before that, their logs with them; how many."""
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
