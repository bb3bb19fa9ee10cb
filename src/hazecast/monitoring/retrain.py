"""The retraining decision: lost skill, bad coverage, drift that cannot be judged, or an unused champion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hazecast.monitoring.findings import Finding

COOL_DOWN = timedelta(hours=48)
_CAUSES = ("skill", "coverage", "drift", "champion")


@dataclass(frozen=True)
class RetrainDecision:
    """Whether a training is justified, the reasons, and the values behind them by check and subject."""

    justified: bool
    reasons: tuple[str, ...]
    evidence: Mapping[str, float] = field(default_factory=dict)


def decide(
    findings: Sequence[Finding],
    *,
    champion: str | None,
    last_justified_at: datetime | None,
    now: datetime,
    cool_down: timedelta = COOL_DOWN,
) -> RetrainDecision:
    """Decide from the findings of one monitoring run.

    Causes are: the champion lost skill or coverage; a pollutant drifted and its forecasts cannot be judged (accurate
    forecasts of unusual air need no new model); the champion was trained by a release with other inputs; the
    climatology forecasts series that the champion was trained for; the champion has another horizon than the place;
    there is no champion. The cool-down gives the effect of one
    justified retraining time to show; scheduled trainings do not count, because they are more frequent than any useful
    cool-down.

    Args:
        findings: the checks "skill", "coverage", "drift" and "champion" are used.
        champion: its version; None without a champion, which is a cause of its own.
        last_justified_at: time of the last justified decision; None: there was none.
        now: UTC.
        cool_down: minimum time between two justified decisions.
    """
    causes = ["there is no champion"] if champion is None else _causes(findings)
    if not causes:
        return RetrainDecision(False, ("skill, coverage and inputs are as expected",), {})
    evidence = {f"{f.check} {f.subject}": f.value for f in findings if _is_evidence(f) and f.value is not None}
    ready_at = None if last_justified_at is None else last_justified_at + cool_down
    if ready_at is not None and now < ready_at:
        since = f"not yet: retraining was justified {last_justified_at:%Y-%m-%d %H:%M} UTC"
        wait = f"{since}, cooling down until {ready_at:%Y-%m-%d %H:%M} UTC"
        return RetrainDecision(False, (*causes, wait), evidence)
    return RetrainDecision(True, tuple(causes), evidence)


def _is_evidence(finding: Finding) -> bool:
    return finding.is_bad and finding.check in _CAUSES


def _causes(findings: Sequence[Finding]) -> list[str]:
    judged = {f.subject.pollutant for f in findings if f.check == "skill" and f.verdict != "unknown"}
    drifted = [f for f in findings if f.check == "drift" and f.is_bad and f.subject.pollutant not in judged]
    return [
        *_by_pollutant(findings, "skill", "has lost skill"),
        *_by_pollutant(findings, "coverage", "has intervals of the wrong width"),
        *(f"{f.subject} has drifted and its forecasts cannot be judged yet: {f.reason}" for f in drifted),
        *(f.reason for f in findings if f.check == "champion" and f.is_bad),
    ]


def _by_pollutant(findings: Sequence[Finding], check: str, words: str) -> list[str]:
    """One line per pollutant: the number of lead blocks affected, and the block furthest from what is expected."""
    by_pollutant: dict[str | None, list[Finding]] = {}
    for finding in findings:
        if finding.check == check:
            by_pollutant.setdefault(finding.subject.pollutant, []).append(finding)
    lines = []
    for pollutant, blocks in by_pollutant.items():
        bad = [finding for finding in blocks if finding.is_bad]
        if bad:
            furthest = max(bad, key=_distance)
            where = f"{len(bad)} of {len(blocks)} lead blocks, most at {furthest.subject.lead_block} h"
            lines.append(f"{pollutant} {words} at {where}: {furthest.reason}")
    return lines


def _distance(finding: Finding) -> float:
    return abs((finding.value or 0.0) - (finding.expected or 0.0))
