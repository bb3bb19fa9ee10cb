"""State of forecasts, incidents and the queue as CloudWatch metrics in log lines."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

import polars as pl
import structlog

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.tables import Forecasts, Observations
from hazecast.air.verdicts import Alerts
from hazecast.cli.cloudwatch import metric_line
from hazecast.cli.queue import queue_depth
from hazecast.errors import HazecastError
from hazecast.store import Store
from hazecast.wiring import Wiring

log = structlog.get_logger()


def stored_metrics(store: Store, rules: tuple[str, ...], *, place: str, namespace: str, now: datetime) -> Iterator[str]:
    """Ages of the newest forecast and observation [h], if any, and the open incidents of each operators' rule.

    Raises:
        StoreError: a table cannot be read.
    """
    issued_at = store.newest(Forecasts, "issued_at", until=now)
    if issued_at is not None:
        age = {"forecast_age_hours": hours_between(issued_at, now)}
        yield metric_line(age, {"place": place}, namespace=namespace, now=now)
    observed_at = store.newest(Observations, "observed_at", until=now)
    if observed_at is not None:
        age = {"source_age_hours": max(hours_between(observed_at + HOUR, now), 0.0)}
        yield metric_line(age, {"place": place}, namespace=namespace, now=now)
    opened = store.read(Alerts, (pl.col("state") == "open") & (pl.col("audience") == "operators"))["rule"].to_list()
    for rule in rules:
        found = {"open_incidents": opened.count(rule)}
        yield metric_line(found, {"place": place, "rule": rule}, namespace=namespace, now=now)


def publish(parts: Wiring, every_seconds: int, *, emit: Callable[[str], None]) -> None:
    """Emit all metrics, repeatedly if `every_seconds` is not 0; unreadable metrics are logged and left out."""
    producers = [_stored, _queued] if parts.settings.prefect_api_url else [_stored]
    while True:
        for lines in producers:
            try:
                for line in lines(parts):
                    emit(line)
            except HazecastError as err:
                log.warning("metrics are missing", reason=str(err))
        if not every_seconds:
            return
        time.sleep(every_seconds)


def _stored(parts: Wiring) -> Iterator[str]:
    rules, settings = tuple(rule.name for rule in parts.alert_rules.operators), parts.settings
    return stored_metrics(
        parts.store, rules, place=settings.place_name, namespace=settings.metrics_namespace, now=parts.now()
    )


def _queued(parts: Wiring) -> Iterator[str]:
    now = parts.now()
    yield queue_depth(parts.settings, now=now).as_json(namespace=parts.settings.metrics_namespace, now=now)
