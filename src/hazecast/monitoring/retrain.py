"""Whether to train anew: forecast error and coverage first, drift second, never twice in a row for one cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hazecast.air.tables import LEAD_BLOCKS
from hazecast.monitoring.findings import Finding

COOL_DOWN_DAYS = 7


@dataclass(frozen=True)
class RetrainDecision:
    """Whether a training is justified, why (or why not), and the numbers it rests on, by check and subject."""

    justified: bool
    reasons: tuple[str, ...]
    evidence: Mapping[str, float] = field(default_factory=dict)


def decide(
    findings: Sequence[Finding], *, champion: str | None, trained_at: datetime | None, now: datetime
) -> RetrainDecision:
    """Decide by the findings of one monitoring run.

    First the champion's skill and coverage. Drift alone counts only where the forecasts of that pollutant cannot be
    judged: good forecasts of unusual air need no new model. Within 7 days of a training nothing is justified, so that
    its effect can be seen.

    Args:
        findings: "skill", "coverage" and "drift" are looked at.
        champion: its version; None while there is none, which is a reason by itself.
        trained_at: when the last training ran; None: never.
        now: UTC.
    """
    causes = ["no model has earned to be champion yet"] if champion is None else _causes(findings)
    evidence = {f"{f.check} {f.subject}": f.value for f in findings if _counts(f) and f.value is not None}
    if not causes:
        return RetrainDecision(False, ("skill, coverage and inputs are as they were",), {})
    ready_at = None if trained_at is None else trained_at + timedelta(days=COOL_DOWN_DAYS)
    if ready_at is not None and now < ready_at:
        wait = f"not yet: trained {trained_at:%Y-%m-%d %H:%M} UTC, cooling down until {ready_at:%Y-%m-%d %H:%M} UTC"
        return RetrainDecision(False, (*causes, wait), evidence)
    return RetrainDecision(True, tuple(causes), evidence)


def _counts(finding: Finding) -> bool:
    return finding.is_bad and finding.check in ("skill", "coverage", "drift")


def _causes(findings: Sequence[Finding]) -> list[str]:
    causes = [
        *_by_blocks(findings, "skill", "has lost skill"),
        *_by_blocks(findings, "coverage", "misjudges its certainty"),
    ]
    judged = {f.subject.pollutant for f in findings if f.check == "skill" and f.verdict != "unknown"}
    drifted = [f for f in findings if f.check == "drift" and f.is_bad and f.subject.pollutant not in judged]
    return causes + [f"{f.subject} has drifted and its forecasts cannot be judged yet: {f.reason}" for f in drifted]


def _by_blocks(findings: Sequence[Finding], check: str, words: str) -> list[str]:
    bad = sorted((f for f in findings if f.check == check and f.is_bad), key=_distance)
    blocks: dict[str | None, list[Finding]] = {}
    for finding in bad:
        blocks.setdefault(finding.subject.pollutant, []).append(finding)
    return [
        f"{pollutant} {words} at {len(found)} of {len(LEAD_BLOCKS)} lead blocks, most at "
        f"{found[-1].subject.lead_block} h: {found[-1].reason}"
        for pollutant, found in blocks.items()
    ]


def _distance(finding: Finding) -> float:
    return abs((finding.value or 0.0) - (finding.expected or 0.0))
