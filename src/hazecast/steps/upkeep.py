"""Upkeep of the stored tables: convert those of an earlier release, join small files, delete what is no longer kept."""

from collections.abc import Iterator
from datetime import timedelta

import dataframely as dy

from hazecast.air import tables, verdicts
from hazecast.store import Compacted, Store

TABLES: tuple[type[dy.Schema], ...] = (
    tables.Stations,
    tables.Observations,
    tables.Weather,
    tables.Background,
    tables.Backfilled,
    tables.Forecasts,
    tables.DayForecasts,
    tables.Trajectories,
    tables.ShadowForecasts,
    tables.Drivers,
    tables.Scores,
    tables.Quality,
    tables.Runs,
    verdicts.Verification,
    verdicts.ModelQuality,
    verdicts.Health,
    verdicts.Drift,
    verdicts.Retrains,
    verdicts.Alerts,
    verdicts.Deliveries,
)


def compact(store: Store, *, retention: timedelta | None = None) -> Iterator[tuple[str, Compacted]]:
    """Compact every stored table (`Store.compact`); its name and the outcome, one by one.

    Args:
        store: of one place.
        retention: replaced versions are kept for this long; None: the store's own.
    """
    for table in TABLES:
        if store.version(table) is not None:
            yield table.__name__.lower(), store.compact(table, retention=retention)


def migrate(store: Store) -> Iterator[tuple[str, bool]]:
    """Convert every table of an earlier release; its name and whether it was one. Repeat it after an interruption."""
    for table in TABLES:
        if store.version(table) is not None:
            yield table.__name__.lower(), store.migrate(table)
