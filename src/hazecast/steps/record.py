"""Records each run of a step in the table `runs`, including failures."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import polars as pl
import structlog
from structlog.contextvars import bound_contextvars

from hazecast.air.tables import Runs
from hazecast.errors import HazecastError
from hazecast.store import Store

log = structlog.get_logger()


class Notes:
    """Set by the body of a step: a summary, one line for people, and the version of the model it used or made."""

    summary = ""
    model_version: str | None = None


@contextmanager
def recorded(step: str, store: Store, *, as_of: datetime) -> Iterator[Notes]:
    """Record the step run in the body; an error is recorded and raised again.

    Log lines of the body carry the step and the id of its row in `runs`.

    Args:
        step: its name.
        store: where the row goes.
        as_of: the time the step acted at (the replayed clock, if one is set).
    """
    started_at, notes = datetime.now(UTC), Notes()  # noqa: TID251 - how long the step really takes
    run_id = uuid4().hex
    with bound_contextvars(run_id=run_id, step=step):
        try:
            yield notes
        except Exception as err:
            notes.summary = str(err) if isinstance(err, HazecastError) else f"{type(err).__name__}: {err}"
            _write(store, run_id, step, started_at, as_of, notes, outcome="failed")
            raise
        _write(store, run_id, step, started_at, as_of, notes, outcome="ok")


def _write(
    store: Store, run_id: str, step: str, started_at: datetime, as_of: datetime, notes: Notes, *, outcome: str
) -> None:
    finished_at = datetime.now(UTC)  # noqa: TID251 - how long the step really takes
    row = {
        "run_id": run_id,
        "step": step,
        "started_at": started_at,
        "finished_at": finished_at,
        "as_of": as_of,
        "outcome": outcome,
        "summary": notes.summary,
    }
    seconds = round((finished_at - started_at).total_seconds(), 1)
    log.info(step, outcome=outcome, seconds=seconds, summary=notes.summary, model_version=notes.model_version)
    try:
        store.append(Runs, pl.DataFrame([row], schema=Runs.create_empty().schema))
    except HazecastError as err:
        # A failure to record must not replace the error of the step.
        log.warning("the run could not be recorded", reason=str(err))
