"""The report of a replay: detection, response and served forecasts of each fault, integrity, runs and champions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import hours_between
from hazecast.air.tables import Forecasts, Observations, Runs
from hazecast.air.verdicts import Alerts, Health, Retrains, Verification
from hazecast.monitoring import incident_subject
from hazecast.registry import Change
from hazecast.replay.driver import ReplayRun, ReplayWiring
from hazecast.replay.integrity import Check, check_integrity
from hazecast.replay.scenario import PlannedFault, Scenario

# A fault may be detected after its end: errors are known three days later and averaged over weeks.
DETECTION_WINDOW = timedelta(days=15)
_BEFORE = timedelta(days=14)
_BAD = ("warning", "critical")
# The checks of monitoring that detect each kind of fault, and the step that fails because of it.
_CHECKS = {
    "sensor_failing": ("silent", "freshness", "completeness"),
    "sensor_drifting": ("neighbours", "stuck"),
    "source_outage": ("source",),
    "regime_change": ("skill", "coverage", "drift"),
    "poisoned_batch": ("source",),
}
_FAILING_STEP = {"source_outage": "collect", "poisoned_batch": "check"}


@dataclass(frozen=True)
class Detection:
    """The first detection of a fault, or the first alert about it: time, delay after its start [h], and reason."""

    at: datetime
    after_hours: float
    reason: str


@dataclass(frozen=True)
class FaultReport:
    """One planned fault and its consequences.

    Attributes:
        planned: the fault.
        since: its start.
        until: its end, exclusive.
        detected: the first verdict or failed step; None: not detected.
        alerted: the first incident that operators would have been alerted to; None: no incident.
        response: what the pipeline did, one line each.
        served: status, age and error of the forecasts issued during the fault.
    """

    planned: PlannedFault
    since: datetime
    until: datetime
    detected: Detection | None
    alerted: Detection | None
    response: tuple[str, ...]
    served: str


@dataclass(frozen=True)
class ReplayReport:
    """The report of a replay.

    Attributes:
        scenario: its faults and settings.
        run: what was run.
        faults: one report per planned fault.
        integrity: checks for lost, duplicated or altered rows.
        changes: of the champion.
        runs: per step: runs and failures.
        daily: relative error of served forecasts, one row per day of issue and model version.
        is_light: whether light training was used.
    """

    scenario: Scenario
    run: ReplayRun
    faults: tuple[FaultReport, ...]
    integrity: tuple[Check, ...]
    changes: tuple[Change, ...]
    runs: pl.DataFrame
    daily: pl.DataFrame
    is_light: bool


def report_on(parts: ReplayWiring, scenario: Scenario, replayed: ReplayRun) -> ReplayReport:
    """Compute the report from the stored tables."""
    runs = parts.store.read(Runs).group_by("step").agg(runs=pl.len(), failed=(pl.col("outcome") == "failed").sum())
    return ReplayReport(
        scenario=scenario,
        run=replayed,
        faults=tuple(_fault(parts, planned, replayed) for planned in scenario.faults),
        integrity=check_integrity(parts, replayed),
        changes=tuple(parts.registry.history()),
        runs=runs.sort("step"),
        daily=_daily(parts),
        is_light=parts.settings.light_training,
    )


def _fault(parts: ReplayWiring, planned: PlannedFault, replayed: ReplayRun) -> FaultReport:
    since, until = planned.span(replayed.since)
    until = min(until, replayed.until)
    return FaultReport(
        planned=planned,
        since=since,
        until=until,
        detected=_first([_new_verdicts(parts, planned, since), _failed_steps(parts, planned)], since, until),
        alerted=_first([_incidents(parts, planned)], since, until),
        response=(
            *_failed_runs(replayed, since, until),
            *_flagged(parts, planned, since, until),
            *_kept_going(parts, planned, since, until),
            *_trainings(parts, since, until),
        ),
        served=_served(parts, planned, since, until),
    )


def _first(signs: list[pl.DataFrame], since: datetime, until: datetime) -> Detection | None:
    """The first of some rows (at, reason) after a fault began."""
    in_window = pl.col("at").is_between(since, until + DETECTION_WINDOW)
    found = pl.concat(signs).filter(in_window).sort("at").head(1)
    if found.is_empty():
        return None
    at, reason = found.row(0)
    return Detection(at, hours_between(since, at), reason)


def _new_verdicts(parts: ReplayWiring, planned: PlannedFault, since: datetime) -> pl.DataFrame:
    """Bad verdicts of the checks for such a fault, on subjects that were not bad before it."""
    health = _health(parts, planned)
    bad = pl.col("verdict").is_in(_BAD)
    before = health.filter(pl.col("checked_at") < since).group_by("check", "subject").last().filter(bad)
    new = health.filter(bad).join(before, on=["check", "subject"], how="anti")
    return new.select(at="checked_at", reason=pl.format("{} of {}: {}", "check", "subject", "reason"))


def _health(parts: ReplayWiring, planned: PlannedFault) -> pl.DataFrame:
    """Verdicts of the checks that detect such a fault, on its station or sensor where it has one."""
    mine = pl.col("check").is_in(_CHECKS[planned.kind])
    if planned.station is not None:
        sensor = pl.col("pollutant").is_null() | (pl.col("pollutant") == planned.pollutant)
        mine &= (pl.col("station_id") == planned.station) & sensor
    return parts.store.read(Health, mine).sort("checked_at")


def _incidents(parts: ReplayWiring, planned: PlannedFault) -> pl.DataFrame:
    """Operators' incidents about these checks, and about the step that fails because of the fault."""
    verdicts = _health(parts, planned).select("check", "subject").unique().iter_rows()
    subjects = [incident_subject(check, subject) for check, subject in verdicts]
    if planned.kind in _FAILING_STEP:
        subjects.append(incident_subject("pipeline", _FAILING_STEP[planned.kind]))
    for_operators = (pl.col("audience") == "operators") & pl.col("opened_at").is_not_null()
    opened = parts.store.read(Alerts, for_operators & pl.col("subject").is_in(subjects))
    return opened.select(at="opened_at", reason="summary")


def _failed_steps(parts: ReplayWiring, planned: PlannedFault) -> pl.DataFrame:
    step = _FAILING_STEP.get(planned.kind, "")
    failed = parts.store.read(Runs, (pl.col("step") == step) & (pl.col("outcome") == "failed"))
    return failed.select(at="as_of", reason=pl.format("the step {} failed: {}", "step", "summary"))


def _failed_runs(replayed: ReplayRun, since: datetime, until: datetime) -> list[str]:
    failed = [run for run in replayed.failed if since <= run.at < until]
    by_sequence = {name: [run for run in failed if run.run == name] for name in sorted({run.run for run in failed})}
    return [f"{len(runs)} {name} runs failed: {runs[0].reason}" for name, runs in by_sequence.items()]


def _flagged(parts: ReplayWiring, planned: PlannedFault, since: datetime, until: datetime) -> list[str]:
    """Hours of the faulty sensor that arrived, and those that were flagged."""
    if planned.station is None:
        return []
    rows = parts.store.read(
        Observations, _sensor(planned) & pl.col("observed_at").is_between(since, until, closed="left")
    )
    flagged = rows.filter(pl.col("flag") != "ok").height
    expected = round(hours_between(since, until))
    return [f"{rows.height} of {expected} hours arrived, {flagged} of them flagged and kept out of scores and training"]


def _kept_going(parts: ReplayWiring, planned: PlannedFault, since: datetime, until: datetime) -> list[str]:
    """Forecasts from stored data during an outage; changes of the champion during a poisoned batch."""
    if planned.kind == "source_outage":
        old = (pl.col("data_age_hours") > 0) & pl.col("issued_at").is_between(since, until, closed="left")
        n_issued = parts.store.read(Forecasts, old)["issued_at"].n_unique()
        return [f"{n_issued} forecasts made from stored data"]
    if planned.kind == "poisoned_batch":
        changed = [change for change in parts.registry.history() if since <= change.at < until]
        return [f"the champion changed {len(changed)} times during the fault"]
    return []


def _trainings(parts: ReplayWiring, since: datetime, until: datetime) -> list[str]:
    """Justified retrainings, and the outcome of each training."""
    justified = parts.store.read(Retrains, pl.col("justified") & pl.col("checked_at").is_between(since, until))
    causes = [
        (row["checked_at"], f"retraining justified: {row['reasons'].splitlines()[0]}")
        for row in justified.iter_rows(named=True)
    ]
    validated = (pl.col("step") == "validate") & pl.col("as_of").is_between(since, until)
    outcomes = [(row["as_of"], row["summary"]) for row in parts.store.read(Runs, validated).iter_rows(named=True)]
    return [f"{at:%Y-%m-%d %H:%M} {line}" for at, line in sorted([*causes, *outcomes])]


def _served(parts: ReplayWiring, planned: PlannedFault, since: datetime, until: datetime) -> str:
    """Status and error of the forecasts issued during a fault, with the error of the two weeks before."""
    mine = pl.lit(True) if planned.station is None else _sensor(planned)
    issued = parts.store.read(Forecasts, mine & pl.col("issued_at").is_between(since, until, closed="left"))
    days = max(round(hours_between(since, until) / 24), 1)
    counted = issued.group_by("status").len().sort("len", descending=True).iter_rows()
    statuses = ", ".join(f"{n / issued.height:.0%} {status}" for status, n in counted) or "none"
    during, before = (_relative_error(parts, mine, *span) for span in ((since, until), (since - _BEFORE, since)))
    issues = f"{issued['issued_at'].n_unique()} forecasts in {days} days ({statuses})"
    oldest = max(issued["data_age_hours"].to_list(), default=0.0)
    return f"{issues}; data up to {oldest:.0f} h old; error relative to the seasonal naive {during}, before {before}"


def _sensor(planned: PlannedFault) -> pl.Expr:
    return (pl.col("station_id") == planned.station) & (pl.col("pollutant") == planned.pollutant)


def _relative_error(parts: ReplayWiring, mine: pl.Expr, since: datetime, until: datetime) -> str:
    rows = parts.store.read(Verification, mine & pl.col("issued_on").is_between(since, until, closed="left"))
    error, naive = (float(rows[name].sum()) for name in ("absolute_error", "seasonal_naive_error"))
    return f"{error / naive:.2f}" if naive else "unknown"


def _daily(parts: ReplayWiring) -> pl.DataFrame:
    sums = pl.col("absolute_error", "seasonal_naive_error").sum()
    served = parts.store.read(Forecasts, pl.col("lead_hours") == 1).select("issued_at", "model_version").unique()
    issued = served.with_columns(issued_on=pl.col("issued_at").dt.truncate("1d")).drop("issued_at").unique()
    rows = parts.store.read(Verification).join(issued, on=["issued_on", "model_version"], how="semi")
    by_day = rows.group_by("issued_on", "model_version").agg(sums).filter(pl.col("seasonal_naive_error") > 0)
    relative = pl.col("absolute_error") / pl.col("seasonal_naive_error")
    return by_day.select("issued_on", "model_version", relative_error=relative).sort("issued_on")
