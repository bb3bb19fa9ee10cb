"""Monitor: check the model, check the data, store each verdict, and decide whether to retrain."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast import monitoring
from hazecast.air.spec import STALE_AFTER_HOURS, ForecastSpec
from hazecast.air.tables import WEATHER_VARIABLES, Forecasts, Observations, Runs, Scores, Stations, Weather, conform
from hazecast.air.verdicts import Drift, Health, Retrains, Verification
from hazecast.monitoring import Finding, RetrainDecision, Subject
from hazecast.steps import Progress, silent
from hazecast.store import Store

# Errors of the forecast at a faulty sensor are not the model's.
_SENSOR_FAULTS = ("stuck", "neighbours")
# `neighbours` compares the last 7 days with the baseline before them.
_SENSOR_DAYS = monitoring.BASELINE_DAYS + 7
_UTC = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class MonitoringReport:
    """The result of one monitoring run.

    Attributes:
        checked_at: the time it acted at.
        health: `air.verdicts.Health`, all verdicts.
        drift: `air.verdicts.Drift`.
        retrain: whether a training is justified, and the reasons.
    """

    checked_at: datetime
    health: pl.DataFrame
    drift: pl.DataFrame
    retrain: RetrainDecision

    @property
    def verdict(self) -> str:
        """The most severe of all verdicts."""
        return monitoring.worst(self.health["verdict"])

    @property
    def findings(self) -> pl.DataFrame:
        """The warnings and critical verdicts, most severe first."""
        bad = self.health.filter(pl.col("verdict").is_in(["warning", "critical"]))
        return bad.sort("verdict", "check", "subject")


def monitor(
    store: Store,
    champion: str | None,
    *,
    now: datetime,
    stale_after_hours: float = STALE_AFTER_HOURS,
    spec: ForecastSpec | None = None,
    cool_down: timedelta = monitoring.COOL_DOWN,
    progress: Progress = silent,
) -> MonitoringReport:
    """All checks and `decide_retraining` in one call; arguments and errors are theirs."""
    sensors = check_sensors(store, now=now)
    check_model(store, champion, sensors=sensors, now=now, stale_after_hours=stale_after_hours, spec=spec)
    progress("model checked", 0.3)
    check_data(store, sensors=sensors, now=now)
    progress("data checked", 0.9)
    report = decide_retraining(store, champion, now=now, cool_down=cool_down)
    progress(summary_of(report), 1.0)
    return report


def check_sensors(store: Store, *, now: datetime, clock_is_real: bool = False) -> list[Finding]:
    """Findings about sensors, stations and source as of `now`, for `check_model` and `check_data`; nothing is stored.

    With a real clock, rows stored with later times are a finding; as of a past hour they are the future.

    Raises:
        StoreError: a table cannot be read.
    """
    since = now - timedelta(days=_SENSOR_DAYS)
    known = store.read(Observations, pl.col("observed_at").is_between(since, now) & (pl.col("available_at") <= now))
    neighbours = monitoring.neighbour_findings(known, store.read(Stations), now=now)
    clock = _clock(store, now) if clock_is_real else []
    return [*monitoring.sensor_findings(known, now=now), *neighbours, *clock]


def rows_ahead(store: Store, *, now: datetime) -> str | None:
    """What is stored with times after `now`, because the clock was ahead, in words; None: nothing.

    Raises:
        StoreError: a table cannot be read.
    """
    times = {"observations": (Observations, "observed_at"), "forecasts": (Forecasts, "issued_at")}
    ahead = {name: store.newest(table, column) for name, (table, column) in times.items()}
    found = [f"{name} up to {at:%Y-%m-%d %H:%M} UTC" for name, at in ahead.items() if at is not None and at > now]
    if not found:
        return None
    return f"{' and '.join(found)} were stored while the clock was ahead; `hazecast repair` removes them"


def _clock(store: Store, now: datetime) -> list[Finding]:
    ahead = rows_ahead(store, now=now)
    return [] if ahead is None else [Finding("source", Subject(name="clock"), "warning", ahead)]


def check_model(
    store: Store,
    champion: str | None,
    *,
    sensors: Sequence[Finding],
    now: datetime,
    stale_after_hours: float = STALE_AFTER_HOURS,
    spec: ForecastSpec | None = None,
    outdated: str | None = None,
) -> pl.DataFrame:
    """Check skill and coverage of the champion, the newest forecast and recent runs as of `now`; store the verdicts.

    Args:
        store: forecasts, their verification (run `verify` before) and runs.
        champion: version of the champion; None without one.
        sensors: of `check_sensors`; the skill at faulty sensors is left out.
        now: UTC.
        stale_after_hours: age at which a forecast is too old [h].
        spec: the horizon of the place's forecasts; None: the default.
        outdated: why this release cannot use the champion; None: it can.

    Returns:
        The rows of `air.verdicts.Health`; the same hour again replaces them.

    Raises:
        StoreError: a table cannot be read or written.
    """
    latest, runs = _latest_forecast(store, now), store.read(Runs, pl.col("as_of") >= now - timedelta(days=2))
    findings = [
        *monitoring.forecast_findings(latest, now=now, stale_after_hours=stale_after_hours),
        *monitoring.run_findings(runs, now=now),
    ]
    if champion is not None:
        spec = spec or ForecastSpec()
        scores = store.read(Scores, pl.col("model") == f"version-{champion}")
        findings += monitoring.release_findings(outdated, champion=champion)
        findings += monitoring.fallback_findings(latest, scores, champion=champion)
        findings += monitoring.horizon_findings(latest, champion=champion, horizon_hours=spec.horizon_hours)
        findings += _skill_and_coverage(store, champion, scores, sensors, now=now, spec=spec)
    health = monitoring.as_health(findings, checked_at=now)
    store.upsert(Health, health)
    return health


def check_data(store: Store, *, sensors: Sequence[Finding], now: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Check the drift of observations and weather as of `now`; store these verdicts and those of `check_sensors`.

    Returns:
        The rows of `air.verdicts.Health` and of `air.verdicts.Drift`; the same hour again replaces them.

    Raises:
        StoreError: a table cannot be read or written.
    """
    drifts, drift_findings = _drift(store, now)
    health = monitoring.as_health([*sensors, *drift_findings], checked_at=now)
    store.upsert(Health, health)
    store.upsert(Drift, drifts)
    return health, drifts


def decide_retraining(
    store: Store, champion: str | None, *, now: datetime, cool_down: timedelta = monitoring.COOL_DOWN
) -> MonitoringReport:
    """Decide from the verdicts stored for `now` whether to retrain, and store the decision.

    Args:
        store: the verdicts of `check_model` and `check_data`, and earlier decisions.
        champion: version of the champion; None without one.
        now: UTC, the same as of the checks.
        cool_down: minimum time between two justified decisions.

    Raises:
        StoreError: a table cannot be read or written.
    """
    health, drifts = (store.read(table, pl.col("checked_at") == now) for table in (Health, Drift))
    decision = _decide(store, monitoring.findings_in(health), champion, now=now, cool_down=cool_down)
    return MonitoringReport(now, health, drifts, decision)


def decide_replacement(
    store: Store, champion: str, problem: str, *, now: datetime, cool_down: timedelta = monitoring.COOL_DOWN
) -> RetrainDecision:
    """Decide whether to retrain because the champion cannot forecast, without the other checks; store the decision.

    Args:
        store: earlier decisions.
        champion: its version.
        problem: why it cannot forecast.
        now: UTC.
        cool_down: minimum time between two justified decisions.

    Raises:
        StoreError: a table cannot be read or written.
    """
    findings = monitoring.release_findings(problem, champion=champion)
    return _decide(store, findings, champion, now=now, cool_down=cool_down)


def _decide(
    store: Store, findings: Sequence[Finding], champion: str | None, *, now: datetime, cool_down: timedelta
) -> RetrainDecision:
    earlier = store.read(Retrains, pl.col("justified") & (pl.col("checked_at") < now))
    last_justified_at: datetime | None = earlier["checked_at"].max()  # type: ignore[assignment]  # a time or None
    decision = monitoring.decide(
        findings, champion=champion, last_justified_at=last_justified_at, now=now, cool_down=cool_down
    )
    row = {
        "checked_at": now,
        "justified": decision.justified,
        "reasons": "\n".join(decision.reasons),
        "evidence": json.dumps(dict(decision.evidence)),
    }
    store.upsert(Retrains, pl.DataFrame([row], schema=Retrains.create_empty().schema))
    return decision


def summary_of(report: MonitoringReport) -> str:
    """The report in one line."""
    return f"{count_verdicts(report.health)}; retraining {'justified' if report.retrain.justified else 'not justified'}"


def count_verdicts(health: pl.DataFrame) -> str:
    """Verdicts by severity in one line."""
    counts = dict(health.group_by("verdict").len().iter_rows())
    return ", ".join(f"{counts[word]} {word}" for word in ("ok", "unknown", "warning", "critical") if word in counts)


def _skill_and_coverage(
    store: Store,
    champion: str,
    scores: pl.DataFrame,
    sensors: Sequence[Finding],
    *,
    now: datetime,
    spec: ForecastSpec,
) -> list[Finding]:
    since = now - timedelta(days=monitoring.COVERAGE_DAYS + spec.lead_days + 1)
    mine = (pl.col("issued_on") >= since) & (pl.col("issued_on") <= now) & (pl.col("model_version") == champion)
    rows = store.read(Verification, mine)
    if rows.is_empty():
        return []
    rows = rows.join(_faulty(sensors), on=["station_id", "pollutant"], how="anti")
    return monitoring.model_health(rows, scores, now=now, horizon_days=spec.lead_days)


def _faulty(sensors: Sequence[Finding]) -> pl.DataFrame:
    """(station_id, pollutant) of sensors that are stuck or drift away from their neighbours."""
    faults = [finding for finding in sensors if finding.is_bad and finding.check in _SENSOR_FAULTS]
    series = [(finding.subject.station_id, finding.subject.pollutant) for finding in faults]
    return pl.DataFrame(series, schema={"station_id": pl.String, "pollutant": pl.String}, orient="row")


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


def _latest_forecast(store: Store, now: datetime) -> pl.DataFrame:
    issued_at = store.newest(Forecasts, "issued_at", until=now)
    return store.read(Forecasts, pl.col("issued_at") == issued_at) if issued_at else Forecasts.create_empty()
