"""Monitor: look at model, inputs, sensors and pipeline, store every verdict, and decide whether to train anew."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast import monitoring
from hazecast.air.tables import WEATHER_VARIABLES, Forecasts, Observations, Runs, Scores, Weather, conform, newest
from hazecast.air.verdicts import Drift, Health, Retrains, Verification
from hazecast.monitoring import Finding, RetrainDecision
from hazecast.steps import Progress, silent
from hazecast.store import Store

STALE_AFTER_HOURS = 26.0
# Sensors that cannot be trusted say nothing about the model.
_DOUBTING = ("stuck", "neighbours")
_UTC = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Report:
    """What one monitoring run found.

    Attributes:
        checked_at: the time it acted at.
        health: `air.verdicts.Health`, all verdicts.
        drift: `air.verdicts.Drift`.
        retrain: whether a training is justified, and why.
    """

    checked_at: datetime
    health: pl.DataFrame
    drift: pl.DataFrame
    retrain: RetrainDecision

    @property
    def verdict(self) -> str:
        """The gravest verdict of all."""
        return monitoring.worst(self.health["verdict"])

    @property
    def findings(self) -> pl.DataFrame:
        """The verdicts somebody should act on, gravest first."""
        bad = self.health.filter(pl.col("verdict").is_in(["warning", "critical"]))
        return bad.sort("verdict", "check", "subject")


def monitor(
    store: Store,
    champion: str | None,
    *,
    now: datetime,
    stale_after_hours: float = STALE_AFTER_HOURS,
    progress: Progress = silent,
) -> Report:
    """Judge everything stored as of `now` and store the verdicts; the same hour again replaces them.

    Args:
        store: observations, forecasts, their verification (run `verify` before) and runs.
        champion: version of the champion, None while there is none.
        now: UTC.
        stale_after_hours: age at which a forecast is too old [h].
        progress: told what is looked at.

    Raises:
        StoreError: a table cannot be read or written.
    """
    progress("sensors", 0.0)
    since = now - timedelta(days=monitoring.BASELINE_DAYS + 7)
    known = store.read(Observations, pl.col("observed_at").is_between(since, now) & (pl.col("available_at") <= now))
    sensors = [*monitoring.sensor_findings(known, now=now), *monitoring.neighbour_findings(known, now=now)]
    progress("drift", 0.3)
    drifts, drifted = _drift(store, now)
    progress("model", 0.7)
    model = _model(store, champion, now, doubted=_doubted(sensors))
    latest = _latest_forecast(store)
    pipeline = [
        *monitoring.forecast_findings(latest, now=now, stale_after_hours=stale_after_hours, champion=champion),
        *monitoring.run_findings(store.read(Runs, pl.col("as_of") >= now - timedelta(days=2)), now=now),
    ]
    findings = [*model, *drifted, *sensors, *pipeline]
    retrain = monitoring.decide(findings, champion=champion, trained_at=_trained_at(store, now), now=now)
    report = Report(now, monitoring.as_health(findings, checked_at=now), drifts, retrain)
    _keep(store, report)
    progress(in_words(report), 1.0)
    return report


def in_words(report: Report) -> str:
    """The report in one line."""
    counts = dict(report.health.group_by("verdict").len().iter_rows())
    told = ", ".join(f"{counts[word]} {word}" for word in ("ok", "unknown", "warning", "critical") if word in counts)
    return f"{told}; retraining {'justified' if report.retrain.justified else 'not justified'}"


def _doubted(sensors: Sequence[Finding]) -> pl.DataFrame:
    series = [(f.subject.station_id, f.subject.pollutant) for f in sensors if f.is_bad and f.check in _DOUBTING]
    return pl.DataFrame(series, schema={"station_id": pl.String, "pollutant": pl.String}, orient="row")


def _model(store: Store, champion: str | None, now: datetime, *, doubted: pl.DataFrame) -> list[Finding]:
    if champion is None:
        return []
    since = now - timedelta(days=monitoring.COVERAGE_DAYS + 4)
    mine = (pl.col("issued_on") >= since) & (pl.col("issued_on") <= now) & (pl.col("model_version") == champion)
    rows = store.read(Verification, mine).join(doubted, on=["station_id", "pollutant"], how="anti")
    reference = store.read(Scores, pl.col("model") == f"version-{champion}")
    return monitoring.model_health(rows, reference, now=now)


def _drift(store: Store, now: datetime) -> tuple[pl.DataFrame, list[Finding]]:
    spans = [*monitoring.reference_windows(now), (now - timedelta(days=35), now)]
    observations = store.read(Observations, _within("observed_at", spans) & (pl.col("flag") == "ok"))
    weather = store.read(Weather, _within("valid_at", spans) & pl.col("issued_at").is_null())
    levels = pl.concat(
        [
            observations.select("station_id", variable="pollutant", at="observed_at", value="concentration_ugm3"),
            weather.unpivot(WEATHER_VARIABLES, index=["station_id", "valid_at"])
            .drop_nulls("value")
            .select("station_id", "variable", at="valid_at", value="value"),
        ]
    )
    found = monitoring.drift(levels, now=now)
    rows = conform(Drift, found.with_columns(checked_at=pl.lit(now).cast(_UTC)))
    pollutants = sorted(set(found["variable"]) - set(WEATHER_VARIABLES))
    return rows, monitoring.drift_findings(found, pollutants)


def _within(column: str, spans: Sequence[tuple[datetime, datetime]]) -> pl.Expr:
    return pl.any_horizontal(pl.col(column).is_between(*span, closed="left") for span in spans)


def _latest_forecast(store: Store) -> pl.DataFrame:
    issued_at = store.newest(Forecasts, "issued_at")
    return store.read(Forecasts, pl.col("issued_at") == issued_at) if issued_at else Forecasts.create_empty()


def _trained_at(store: Store, now: datetime) -> datetime | None:
    trained = (pl.col("step") == "train") & (pl.col("outcome") == "ok") & (pl.col("as_of") <= now)
    return newest(store.read(Runs, trained)["as_of"])


def _keep(store: Store, report: Report) -> None:
    store.upsert(Health, report.health)
    store.upsert(Drift, report.drift)
    decision = {
        "checked_at": report.checked_at,
        "justified": report.retrain.justified,
        "reasons": "\n".join(report.retrain.reasons),
        "evidence": json.dumps(dict(report.retrain.evidence)),
    }
    store.upsert(Retrains, pl.DataFrame([decision], schema=Retrains.create_empty().schema))
