"""Model health: skill and coverage of the champion compared with its validation."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from hazecast.errors import TooLittleHistory
from hazecast.monitoring.findings import Finding, Subject
from hazecast.scoring import diebold_mariano

# Skill shows in a fortnight; coverage swings with the weather for longer.
SKILL_DAYS, COVERAGE_DAYS = 14, 28
# The skill of a healthy model differs between fortnights by this much (docs/monitoring.md).
_WORSE_BY, _MAX_P_VALUE = 1.5, 0.01
_NAIVE, _BEYOND_NAIVE = 1.0, 1.1
_COVERAGE_BAND = (0.60, 0.95)
_COVERAGE_SLACK = 0.05
_CRITICAL_COVERAGE = 0.5
_DAY = ("pollutant", "lead_block", "issued_on")


@dataclass(frozen=True)
class _Expected:
    rmae: float
    coverage_80: float
    source: str


def model_health(
    verification: pl.DataFrame, reference: pl.DataFrame, *, now: datetime, horizon_days: int
) -> list[Finding]:
    """Compare the champion's recent issues with its validation, by pollutant and lead block.

    Skill is judged over 14 days of issues whose observations are complete, coverage over 28. Skill is the error
    relative to the seasonal naive on the same hours, so that easy and hard weather weigh alike; a Diebold-Mariano test
    on days separates a worse model from chance.

    Args:
        verification: `air.verdicts.Verification` of the champion, without series of faulty sensors.
        reference: its `air.tables.Scores`; where a row is missing, the seasonal naive (1.0) and 80 % are expected.
        now: UTC.
        horizon_days: horizon of the forecasts [d]; issues this close together overlap and are correlated.

    Returns:
        Findings "skill" and "coverage" per pollutant and lead block; unknown with fewer than 7 days of issues. A
        warning needs two lead blocks of the pollutant.
    """
    recent = verification.filter(pl.col("issued_on") >= now - timedelta(days=COVERAGE_DAYS + horizon_days))
    sums = pl.col("n", "absolute_error", "seasonal_naive_error", "inside_80").sum()
    days = recent.group_by(_DAY).agg(sums).filter(pl.col("n") > 0).sort(_DAY)
    findings: list[Finding] = []
    for (pollutant,), blocks in days.group_by("pollutant", maintain_order=True):
        judged = [
            finding
            for (block,), rows in blocks.group_by("lead_block", maintain_order=True)
            for finding in _judge(Subject(None, str(pollutant), str(block)), rows, reference, now, horizon_days)
        ]
        findings.extend(finding for check in ("skill", "coverage") for finding in _without_single_blocks(judged, check))
    return findings


def _without_single_blocks(judged: list[Finding], check: str) -> Iterator[Finding]:
    """A degraded model is worse at several leads: a warning for a single block is taken as chance."""
    mine = [finding for finding in judged if finding.check == check]
    is_alone = sum(finding.is_bad for finding in mine) == 1
    for finding in mine:
        if is_alone and finding.verdict == "warning":
            reason = f"{finding.reason}; the other leads are as expected, so it is taken as chance"
            yield replace(finding, verdict="ok", reason=reason)
        else:
            yield finding


def _expected(reference: pl.DataFrame, subject: Subject) -> _Expected:
    same = (pl.col("pollutant") == subject.pollutant) & (pl.col("lead_block") == subject.lead_block)
    rows = reference.filter(same).sort("window_end").tail(1)
    rmae, coverage = (rows[name].first() if rows.height else None for name in ("rmae", "coverage_80"))
    if not isinstance(rmae, float) or not isinstance(coverage, float):
        return _Expected(1.0, 0.8, "expected, as no validation is stored")
    return _Expected(rmae, coverage, "at its validation")


def _judge(
    subject: Subject, days: pl.DataFrame, reference: pl.DataFrame, now: datetime, horizon_days: int
) -> Iterator[Finding]:
    expected = _expected(reference, subject)
    fortnight = days.filter(pl.col("issued_on") >= now - timedelta(days=SKILL_DAYS + horizon_days))
    try:
        yield _skill(subject, fortnight, expected, horizon_days)
        yield _coverage(subject, days, expected, horizon_days)
    except TooLittleHistory:
        reason = f"only {fortnight.height} days of issues are verified yet"
        yield Finding("skill", subject, "unknown", reason)
        yield Finding("coverage", subject, "unknown", reason)


def _skill(subject: Subject, days: pl.DataFrame, expected: _Expected, horizon_days: int) -> Finding:
    mine, naive = (days[name] / days["n"] for name in ("absolute_error", "seasonal_naive_error"))
    test = diebold_mariano(naive * expected.rmae, mine, horizon=horizon_days)
    rmae = float(days["absolute_error"].sum()) / max(float(days["seasonal_naive_error"].sum()), 1e-9)
    is_worse = rmae > _tolerated(expected.rmae) and test.p_value < _MAX_P_VALUE
    verdict = "ok" if not is_worse else "critical" if rmae >= _NAIVE else "warning"
    reason = f"relative MAE {rmae:.2f} over {days.height} days, {expected.rmae:.2f} {expected.source}"
    if is_worse:
        reason += "; no better than the seasonal naive" if rmae >= _NAIVE else f"; p = {test.p_value:.2g}"
    return Finding("skill", subject, verdict, reason, value=rmae, expected=expected.rmae)


def _tolerated(rmae: float) -> float:
    """1.5 times the value at validation, but not worse than the seasonal naive if the model was better than it."""
    return min(rmae * _WORSE_BY, max(_NAIVE, rmae * _BEYOND_NAIVE))


def _coverage(subject: Subject, days: pl.DataFrame, expected: _Expected, horizon_days: int) -> Finding:
    shares = days["inside_80"] / days["n"]
    coverage = float(days["inside_80"].sum()) / float(days["n"].sum())
    usual = shares * 0 + expected.coverage_80
    low, high = _COVERAGE_BAND
    pair = (shares, usual) if coverage < low else (usual, shares)
    is_off = not low <= coverage <= high and abs(coverage - expected.coverage_80) > _COVERAGE_SLACK
    is_off = is_off and diebold_mariano(*pair, horizon=horizon_days).p_value < _MAX_P_VALUE
    verdict = "ok" if not is_off else "critical" if coverage < _CRITICAL_COVERAGE else "warning"
    reason = f"{coverage:.0%} of hours in the 80 % interval over {days.height} days, {expected.coverage_80:.0%} "
    return Finding("coverage", subject, verdict, reason + expected.source, value=coverage, expected=0.8)
