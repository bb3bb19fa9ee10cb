"""Backfill: history four weeks at a time, each stretch checked and stored before the next is fetched."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.air.tables import Backfilled
from hazecast.errors import QualityError
from hazecast.sources import Source
from hazecast.steps import Progress, silent
from hazecast.steps.check import check
from hazecast.steps.collect import REVISED_HOURS, fetch_observed, with_weather
from hazecast.store import Store

# Longer would lose more when interrupted; shorter would cost more requests for what reaches beyond a stretch.
STRETCH = timedelta(days=28)
_A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)

Stretches = list[tuple[datetime, datetime]]


def outstanding_stretches(store: Store, *, since: datetime, now: datetime) -> Stretches:
    """Stretches from `since` on that are over and final but not stored yet, as [start, end), oldest first.

    They end every fourth Monday at 00 UTC, the first begins at `since`; the hours after the last are left to `collect`.
    """
    final = floor_hour(now) - timedelta(hours=REVISED_HOURS)
    stored = set(store.read(Backfilled).select("window_start", "window_end").iter_rows())
    return [stretch for stretch in _stretches(floor_hour(since), final) if stretch not in stored]


def backfill(source: Source, store: Store, stretches: Stretches, *, now: datetime, progress: Progress = silent) -> str:
    """Fetch, check and store `stretches` one after the other; one that is not worth storing is passed over.

    Killed at any moment, it leaves readable tables, and the stretches it finished are outstanding no more.

    Returns:
        What was done, as a line for people.

    Raises:
        SourceError: the source did not deliver; the stretches before are stored.
    """
    refused: list[str] = []
    for number, (start, end) in enumerate(stretches):
        progress(f"{start:%Y-%m-%d} to {end:%Y-%m-%d}, {number + 1} of {len(stretches)}", number / len(stretches))
        try:
            _take_in(source, store, start, end, now=now)
        except QualityError as err:
            refused.append(str(err))
    stored = f"{len(stretches) - len(refused)} of {len(stretches)} stretches of four weeks stored"
    progress(stored, 1.0)
    return f"{stored}; passed over: {refused[0]}" if refused else stored


def _take_in(source: Source, store: Store, start: datetime, end: datetime, *, now: datetime) -> None:
    batch = with_weather(fetch_observed(source, store, since=start, until=end), source)
    check(batch, store, now=now)
    done = {"window_start": start, "window_end": end, "n_observations": batch.observations.height, "stored_at": now}
    store.upsert(Backfilled, pl.DataFrame([done], schema=Backfilled.create_empty().schema))


def _stretches(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while (end := since + STRETCH - (since - _A_MONDAY) % STRETCH) <= until:
        yield since, end
        since = end
