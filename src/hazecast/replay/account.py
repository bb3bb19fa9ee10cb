"""The account of a replay: for each trouble when it was noticed, what was done and what users saw; and the ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import hours_between
from hazecast.air.tables import Forecasts, Observations, Runs
from hazecast.air.verdicts import Alerts, Health, Retrains, Verification
from hazecast.monitoring import incident_subject
from hazecast.registry import Change
from hazecast.replay.drive import Drive, ReplayWiring
from hazecast.replay.ledger import Entry, ledger
from hazecast.replay.scenario import Scenario, Trouble

# A trouble may be noticed after its end: by errors that are known three days later, in a window of weeks.
AFTERMATH = timedelta(days=15)
_BEFORE = timedelta(days=14)
_BAD = ("warning", "critical")
# Which checks of monitoring speak of which trouble, and which step fails of it.
_CHECKS = {
    "sensor_failing": ("silent", "freshness", "completeness"),
    "sensor_drifting": ("neighbours", "stuck"),
    "source_outage": ("source",),
    "regime_change": ("skill", "coverage", "drift"),
    "poisoned_batch": ("source",),
}
_FAILING_STEP = {"source_outage": "collect", "poisoned_batch": "check"}


@dataclass(frozen=True)
class Noticed:
    """The first sign of a trouble: when, how long after its beginning [h], and in which words."""

    at: datetime
    after_hours: float
    words: str


@dataclass(frozen=True)
class Story:
    """One trouble, from beginning to end; `told` is the first incident that operators would have been told of."""

    trouble: Trouble
    since: datetime
    until: datetime
    noticed: Noticed | None
    told: Noticed | None
    done: tuple[str, ...]
    seen: str


@dataclass(frozen=True)
class Account:
    """What a replay showed.

    Attributes:
        scenario: what it went through.
        drive: what was driven.
        stories: one per trouble.
        ledger: whether anything was lost, duplicated or altered.
        changes: of the champion.
        runs: per step: runs and failures.
        daily: one row per day of issue and model version: relative error of what was served.
        is_light: whether the models were trained lightly.
    """

    scenario: Scenario
    drive: Drive
    stories: tuple[Story, ...]
    ledger: tuple[Entry, ...]
    changes: tuple[Change, ...]
    runs: pl.DataFrame
    daily: pl.DataFrame
    is_light: bool


def account_for(parts: ReplayWiring, scenario: Scenario, driven: Drive) -> Account:
    """Read the account from the stored tables, as anybody could afterwards."""
    stories = tuple(_story(parts, trouble, driven) for trouble in scenario.troubles)
    runs = parts.store.read(Runs).group_by("step").agg(runs=pl.len(), failed=(pl.col("outcome") == "failed").sum())
    changes = tuple(parts.registry.history())
    return Account(
        scenario=scenario,
        drive=driven,
        stories=stories,
        ledger=ledger(parts, driven),
        changes=changes,
        runs=runs.sort("step"),
        daily=_daily(parts),
        is_light=parts.settings.light_training,
    )


def _story(parts: ReplayWiring, trouble: Trouble, driven: Drive) -> Story:
    since, until = trouble.span(driven.since)
    until = min(until, driven.until)
    return Story(
        trouble=trouble,
        since=since,
        until=until,
        noticed=_first([_verdicts(parts, trouble, since), _failures(parts, trouble)], since, until),
        told=_first([_incidents(parts, trouble)], since, until),
        done=(
            *_refusals(driven, since, until),
            *_doubts(parts, trouble, since, until),
            *_answers(parts, trouble, since, until),
            *_trainings(parts, since, until),
        ),
        seen=_seen(parts, trouble, since, until),
    )


def _first(signs: list[pl.DataFrame], since: datetime, until: datetime) -> Noticed | None:
    """The first of some signs (at, words) after a trouble began."""
    found = pl.concat(signs).filter(pl.col("at").is_between(since, until + AFTERMATH)).sort("at").head(1)
    if found.is_empty():
        return None
    at, words = found.row(0)
    return Noticed(at, hours_between(since, at), words)


def _verdicts(parts: ReplayWiring, trouble: Trouble, since: datetime) -> pl.DataFrame:
    health = _health(parts, trouble)
    bad = pl.col("verdict").is_in(_BAD)
    before = health.filter(pl.col("checked_at") < since).group_by("check", "subject").last().filter(bad)
    new = health.filter(bad).join(before, on=["check", "subject"], how="anti")
    return new.select(at="checked_at", words=pl.format("{} of {}: {}", "check", "subject", "reason"))


def _health(parts: ReplayWiring, trouble: Trouble) -> pl.DataFrame:
    """Verdicts of the checks that detect such a fault, on its station or sensor where it has one."""
    mine = pl.col("check").is_in(_CHECKS[trouble.kind])
    if trouble.station is not None:
        sensor = pl.col("pollutant").is_null() | (pl.col("pollutant") == trouble.pollutant)
        mine &= (pl.col("station_id") == trouble.station) & sensor
    return parts.store.read(Health, mine).sort("checked_at")


def _incidents(parts: ReplayWiring, trouble: Trouble) -> pl.DataFrame:
    """Operators' incidents about these checks, and about the step that fails because of it."""
    verdicts = _health(parts, trouble).select("check", "subject").unique().iter_rows()
    subjects = [incident_subject(check, subject) for check, subject in verdicts]
    if trouble.kind in _FAILING_STEP:
        subjects.append(incident_subject("pipeline", _FAILING_STEP[trouble.kind]))
    mine = pl.col("subject").is_in(subjects)
    told = parts.store.read(Alerts, (pl.col("audience") == "operators") & pl.col("opened_at").is_not_null() & mine)
    return told.select(at="opened_at", words="summary")


def _failures(parts: ReplayWiring, trouble: Trouble) -> pl.DataFrame:
    step = _FAILING_STEP.get(trouble.kind, "")
    failed = parts.store.read(Runs, (pl.col("step") == step) & (pl.col("outcome") == "failed"))
    return failed.select(at="as_of", words=pl.format("the step {} failed: {}", "step", "summary"))


def _refusals(driven: Drive, since: datetime, until: datetime) -> list[str]:
    missed = [missed for missed in driven.missed if since <= missed.at < until]
    kinds = sorted({missed.run for missed in missed})
    counted = [(kind, [one for one in missed if one.run == kind]) for kind in kinds]
    return [f"{len(runs)} {kind} runs stopped: {runs[0].reason}" for kind, runs in counted]


def _doubts(parts: ReplayWiring, trouble: Trouble, since: datetime, until: datetime) -> list[str]:
    """Flags that the hours of the troubled sensor earned."""
    if trouble.station is None:
        return []
    mine = (pl.col("station_id") == trouble.station) & (pl.col("pollutant") == trouble.pollutant)
    rows = parts.store.read(Observations, mine & pl.col("observed_at").is_between(since, until, closed="left"))
    doubted = rows.filter(pl.col("flag") != "ok").height
    expected = round(hours_between(since, until))
    return [f"{rows.height} of {expected} hours arrived, {doubted} of them flagged and kept out of scores and training"]


def _answers(parts: ReplayWiring, trouble: Trouble, since: datetime, until: datetime) -> list[str]:
    """What the pipelines did of themselves: forecast from what was stored, keep the champion."""
    if trouble.kind == "source_outage":
        old = (pl.col("data_age_hours") > 0) & pl.col("issued_at").is_between(since, until, closed="left")
        n_issued = parts.store.read(Forecasts, old)["issued_at"].n_unique()
        return [f"{n_issued} forecasts made from what was stored"]
    if trouble.kind == "poisoned_batch":
        changed = [change for change in parts.registry.history() if since <= change.at < until]
        return [f"the champion changed {len(changed)} times meanwhile"]
    return []


def _trainings(parts: ReplayWiring, since: datetime, until: datetime) -> list[str]:
    """Retraining that monitoring asked for, and what each training came to."""
    asked = parts.store.read(Retrains, pl.col("justified") & pl.col("checked_at").is_between(since, until))
    told = [
        (row["checked_at"], f"retraining asked for: {row['reasons'].splitlines()[0]}")
        for row in asked.iter_rows(named=True)
    ]
    validated = (pl.col("step") == "validate") & pl.col("as_of").is_between(since, until)
    judged = [(row["as_of"], row["summary"]) for row in parts.store.read(Runs, validated).iter_rows(named=True)]
    return [f"{at:%Y-%m-%d %H:%M} {words}" for at, words in sorted([*told, *judged])]


def _seen(parts: ReplayWiring, trouble: Trouble, since: datetime, until: datetime) -> str:
    """Status and error of the forecasts issued meanwhile, beside those of the two weeks before."""
    mine = pl.lit(True)
    if trouble.station is not None:
        mine = (pl.col("station_id") == trouble.station) & (pl.col("pollutant") == trouble.pollutant)
    issued = parts.store.read(Forecasts, mine & pl.col("issued_at").is_between(since, until, closed="left"))
    days = max(round(hours_between(since, until) / 24), 1)
    counted = issued.group_by("status").len().sort("len", descending=True).iter_rows()
    statuses = ", ".join(f"{n / issued.height:.0%} {status}" for status, n in counted) or "none"
    during, before = (_relative_error(parts, mine, *span) for span in ((since, until), (since - _BEFORE, since)))
    issues = f"{issued['issued_at'].n_unique()} forecasts in {days} days ({statuses})"
    oldest = max(issued["data_age_hours"].to_list(), default=0.0)
    return f"{issues}; data up to {oldest:.0f} h old; error relative to the seasonal naive {during}, before {before}"


def _relative_error(parts: ReplayWiring, mine: pl.Expr, since: datetime, until: datetime) -> str:
    rows = parts.store.read(Verification, mine & pl.col("issued_on").is_between(since, until, closed="left"))
    error, naive = (float(rows[name].sum()) for name in ("absolute_error", "seasonal_naive_error"))
    return f"{error / naive:.2f}" if naive else "not known"


def _daily(parts: ReplayWiring) -> pl.DataFrame:
    sums = pl.col("absolute_error", "seasonal_naive_error").sum()
    served = parts.store.read(Forecasts, pl.col("lead_hours") == 1).select("issued_at", "model_version").unique()
    issued = served.with_columns(issued_on=pl.col("issued_at").dt.truncate("1d")).drop("issued_at").unique()
    rows = parts.store.read(Verification).join(issued, on=["issued_on", "model_version"], how="semi")
    by_day = rows.group_by("issued_on", "model_version").agg(sums).filter(pl.col("seasonal_naive_error") > 0)
    relative = pl.col("absolute_error") / pl.col("seasonal_naive_error")
    return by_day.select("issued_on", "model_version", relative_error=relative).sort("issued_on")
