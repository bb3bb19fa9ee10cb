"""Prometheus metrics, read from the stored tables at scrape time; a restart loses nothing.

Ages count to the scrape, so they grow while nothing runs. The other values are those of the newest monitoring, whose
own age is a metric too.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import dataframely as dy
import polars as pl
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.tables import Forecasts, Observations, Runs
from hazecast.air.verdicts import Alerts, Drift, Health, Retrains
from hazecast.monitoring import CLOSED_AFTER
from hazecast.store import Store

_RUNS_WITHIN = timedelta(days=7)
_COLUMN_OF = {"station": "station_id"}
# Gauges of the value of a check, with the labels of its subject.
_CHECKED = (
    ("skill", "hazecast_rolling_rmae", "MAE over the seasonal naive's, last 14 days", ("pollutant", "lead_block")),
    ("coverage", "hazecast_rolling_coverage_80", "Share inside the 80 % interval", ("pollutant", "lead_block")),
    ("completeness", "hazecast_completeness_ratio", "Share of hours present, last 7 days", ("station",)),
    ("fallback", "hazecast_fallback_ratio", "Share of climatology in the newest forecast", ()),
)


class StoredMetrics:
    """A collector over one store; a missing value is absent, not zero.

    Args:
        store: the place's tables.
        place: label of every sample.
        now: UTC; ages count to here.
    """

    def __init__(self, store: Store, *, place: str, now: datetime) -> None:
        self._store, self._place, self._now = store, place, now

    def collect(self) -> Iterator[Metric]:
        """All gauges; called by prometheus_client."""
        health = self._newest(Health, "checked_at")
        yield from self._age("hazecast_forecast_age_hours", "Age of the newest forecast [h]", Forecasts, "issued_at")
        yield from self._age("hazecast_monitoring_age_hours", "Age of the newest verdicts [h]", Health, "checked_at")
        yield from self._observation_ages()
        yield from (self._checked(health, *one) for one in _CHECKED)
        yield self._verdicts(health)
        yield self._drift()
        yield from self._retrains()
        yield self._runs()
        yield self._alerts()

    def _age(self, name: str, text: str, table: type[dy.Schema], column: str) -> Iterator[Metric]:
        newest = self._store.newest(table, column, until=self._now)
        if newest is not None:
            yield self._gauge(name, text, (), [((), hours_between(newest, self._now))])

    def _observation_ages(self) -> Iterator[Metric]:
        """Ages of the whole source and of each station, from the end of the newest hour to now."""
        newest = self._store.newest(Observations, "observed_at", until=self._now)
        if newest is None:
            return
        since = newest - CLOSED_AFTER
        stations = self._store.newest_by(Observations, "observed_at", "station_id", since=since, until=self._now)
        ages = [((station,), self._age_hours(last)) for station, last in stations.items()]
        text = "Age of the newest observation of all [h]"
        yield self._gauge("hazecast_source_age_hours", text, (), [((), self._age_hours(newest))])
        text = "Age of the station's newest observation [h]"
        yield self._gauge("hazecast_observation_age_hours", text, ("station",), ages)

    def _age_hours(self, observed_at: datetime) -> float:
        return max(hours_between(observed_at + HOUR, self._now), 0.0)

    def _checked(
        self, health: pl.DataFrame, check: str, name: str, text: str, labels: tuple[str, ...]
    ) -> GaugeMetricFamily:
        columns = [*(_COLUMN_OF.get(label, label) for label in labels), "value"]
        rows = health.filter(pl.col("check") == check).select(columns).drop_nulls()
        samples = [(identity, value) for *identity, value in rows.iter_rows()]
        return self._gauge(name, text, labels, samples)

    def _verdicts(self, health: pl.DataFrame) -> GaugeMetricFamily:
        counts = health.group_by("check", "verdict").len().sort("check", "verdict")
        samples = [((check, verdict), n) for check, verdict, n in counts.iter_rows()]
        return self._gauge("hazecast_verdicts", "Verdicts of the newest monitoring", ("check", "verdict"), samples)

    def _drift(self) -> GaugeMetricFamily:
        rows = self._newest(Drift, "checked_at").drop_nulls("psi").select("station_id", "variable", "psi")
        samples = [((station, variable), value) for station, variable, value in rows.iter_rows()]
        text = "Population stability index against the same season before"
        return self._gauge("hazecast_drift_psi", text, ("station", "variable"), samples)

    def _retrains(self) -> Iterator[Metric]:
        decisions = self._store.read(Retrains).sort("checked_at")
        if decisions.height:
            newest = float(decisions["justified"][-1])
            yield self._gauge("hazecast_retrain_justified", "1: the newest decision was to retrain", (), [((), newest)])
            counts = [(("yes",), int(decisions["justified"].sum())), (("no",), int((~decisions["justified"]).sum()))]
            yield self._gauge("hazecast_retrain_decisions", "Decisions so far, by outcome", ("justified",), counts)

    def _runs(self) -> GaugeMetricFamily:
        runs = self._store.read(Runs, pl.col("as_of") >= self._now - _RUNS_WITHIN)
        counts = runs.group_by("step", "outcome").len().sort("step", "outcome")
        samples = [((step, outcome), n) for step, outcome, n in counts.iter_rows()]
        return self._gauge("hazecast_runs", "Runs of the last 7 days", ("step", "outcome"), samples)

    def _alerts(self) -> GaugeMetricFamily:
        counts = self._store.read(Alerts, pl.col("state") == "open").group_by("audience", "rule").len()
        samples = [((audience, rule), n) for audience, rule, n in counts.sort("audience", "rule").iter_rows()]
        return self._gauge("hazecast_open_incidents", "Open incidents", ("audience", "rule"), samples)

    def _newest(self, table: type[dy.Schema], column: str) -> pl.DataFrame:
        newest = self._store.newest(table, column, until=self._now)
        return table.create_empty() if newest is None else self._store.read(table, pl.col(column) == newest)

    def _gauge(
        self, name: str, text: str, labels: Sequence[str], samples: Iterable[tuple[Sequence[str], float]]
    ) -> GaugeMetricFamily:
        gauge = GaugeMetricFamily(name, text, labels=["place", *labels])
        for words, value in samples:
            gauge.add_metric([self._place, *words], value)
        return gauge


def exposition(store: Store, *, place: str, now: datetime) -> str:
    """All metrics in the Prometheus text format 0.0.4.

    Raises:
        StoreError: a table cannot be read.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoredMetrics(store, place=place, now=now))
    return generate_latest(registry).decode()
