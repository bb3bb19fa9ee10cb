"""Model health: is the champion still as good, and as sure of itself, as when it was judged?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from hazecast.errors import TooLittleHistory
from hazecast.monitoring.findings import Finding, Subject
from hazecast.scoring import diebold_mariano

# Skill shows in a fortnight; coverage swings with the weather for longer.
SKILL_DAYS, COVERAGE_DAYS = 14, 28
# Issues overlap by their horizon of three days; so long neighbouring days say the same.
_HORIZON_DAYS = 3
# Fortnights of a healthy model differ that much (docs/monitoring.md); a loss counts when it is larger and no chance.
_WORSE_BY, _UNLIKELY = 1.5, 0.01
_NAIVE, _BEYOND_NAIVE = 1.0, 1.1
_COVERAGE_BAND = (0.60, 0.95)
_COVERAGE_SLACK = 0.05
_FAR_TOO_SURE = 0.5
_DAY = ("pollutant", "lead_block", "issued_on")


@dataclass(frozen=True)
class _Expected:
    rmae: float
    coverage_80: float
    source: str


def model_health(verification: pl.DataFrame, reference: pl.DataFrame, *, now: datetime) -> list[Finding]:
    """Hold the champion's last issues against its validation, by pollutant and lead block.

    Skill is judged over 14 days of issues whose observations are complete, coverage over 28. Skill is the error
    relative to the seasonal naive on the same hours, so that easy and hard weather weigh alike; a Diebold-Mariano test
    on days tells bad luck from a worse model.

    Args:
        verification: `air.verdicts.Verification` of the champion; leave out series whose sensors are doubted.
        reference: its `air.tables.Scores`; where a row is missing, the seasonal naive (1.0) and 80 % are expected.
        now: UTC.

    Returns:
        Findings "skill" and "coverage" per pollutant and lead block; unknown with fewer than 7 days of issues. A
        warning needs two lead blocks of the pollutant.
    """
    recent = verification.filter(pl.col("issued_on") >= now - timedelta(days=COVERAGE_DAYS + _HORIZON_DAYS))
    sums = pl.col("n", "absolute_error", "seasonal_naive_error", "inside_80").sum()
    days = recent.group_by(_DAY).agg(sums).filter(pl.col("n") > 0).sort(_DAY)
    findings: list[Finding] = []
    for (pollutant,), blocks in days.group_by("pollutant", maintain_order=True):
        judged = [
            finding
            for (block,), rows in blocks.group_by("lead_block", maintain_order=True)
            for finding in _judge(Subject(pollutant=str(pollutant), lead_block=str(block)), rows, reference, now)
        ]
        findings.extend(finding for check in ("skill", "coverage") for finding in _in_company(judged, check))
    return findings


def _in_company(judged: list[Finding], check: str) -> Iterator[Finding]:
    """A model that has grown worse is so at several leads: a warning for one block alone is taken as chance."""
    mine = [finding for finding in judged if finding.check == check]
    is_alone = sum(finding.is_bad for finding in mine) == 1
    for finding in mine:
        if is_alone and finding.verdict == "warning":
            reason = f"{finding.reason}; the other leads are as they were, so it is taken as chance"
            yield replace(finding, verdict="ok", reason=reason)
        else:
            yield finding


def _expected(reference: pl.DataFrame, subject: Subject) -> _Expected:
    same = (pl.col("pollutant") == subject.pollutant) & (pl.col("lead_block") == subject.lead_block)
    rows = reference.filter(same).sort("window_end").tail(1)
    rmae, coverage = (rows[name].first() if rows.height else None for name in ("rmae", "coverage_80"))
    if not isinstance(rmae, float) or not isinstance(coverage, float):
        return _Expected(1.0, 0.8, "no validation of it is stored; the seasonal naive and 80 % are expected")
    return _Expected(rmae, coverage, "at its validation")


def _judge(subject: Subject, days: pl.DataFrame, reference: pl.DataFrame, now: datetime) -> Iterator[Finding]:
    expected = _expected(reference, subject)
    fortnight = days.filter(pl.col("issued_on") >= now - timedelta(days=SKILL_DAYS + _HORIZON_DAYS))
    try:
        yield _skill(subject, fortnight, expected)
        yield _coverage(subject, days, expected)
    except TooLittleHistory:
        reason = f"only {fortnight.height} days of issues are verified yet"
        yield Finding("skill", subject, "unknown", reason)
        yield Finding("coverage", subject, "unknown", reason)


def _skill(subject: Subject, days: pl.DataFrame, expected: _Expected) -> Finding:
    mine, naive = (days[name] / days["n"] for name in ("absolute_error", "seasonal_naive_error"))
    test = diebold_mariano(naive * expected.rmae, mine, horizon=_HORIZON_DAYS)
    rmae = float(days["absolute_error"].sum()) / max(float(days["seasonal_naive_error"].sum()), 1e-9)
    is_worse = rmae > _tolerated(expected.rmae) and test.p_value < _UNLIKELY
    verdict = "ok" if not is_worse else "critical" if rmae >= _NAIVE else "warning"
    reason = f"relative MAE {rmae:.2f} over {days.height} days, {expected.rmae:.2f} {expected.source}"
    if is_worse:
        reason += (
            "; no better than the seasonal naive" if rmae >= _NAIVE else f"; chance of that by luck {test.p_value:.2g}"
        )
    return Finding("skill", subject, verdict, reason, value=rmae, expected=expected.rmae)


def _tolerated(rmae: float) -> float:
    """Half as much again as at validation, but never worse than naive if it was not so then."""
    return min(rmae * _WORSE_BY, max(_NAIVE, rmae * _BEYOND_NAIVE))


def _coverage(subject: Subject, days: pl.DataFrame, expected: _Expected) -> Finding:
    shares = days["inside_80"] / days["n"]
    coverage = float(days["inside_80"].sum()) / float(days["n"].sum())
    usual = shares * 0 + expected.coverage_80
    low, high = _COVERAGE_BAND
    pair = (shares, usual) if coverage < low else (usual, shares)
    is_off = not low <= coverage <= high and abs(coverage - expected.coverage_80) > _COVERAGE_SLACK
    is_off = is_off and diebold_mariano(*pair, horizon=_HORIZON_DAYS).p_value < _UNLIKELY
    verdict = "ok" if not is_off else "critical" if coverage < _FAR_TOO_SURE else "warning"
    reason = f"{coverage:.0%} of hours in the 80 % interval over {days.height} days, {expected.coverage_80:.0%} "
    return Finding("coverage", subject, verdict, reason + expected.source, value=coverage, expected=0.8)
