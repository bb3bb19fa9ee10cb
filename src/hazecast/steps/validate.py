"""Validate: compare a candidate with the baselines and the champion on held-out days, then register it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import polars as pl

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import Scores
from hazecast.errors import NoChampion, TooLittleHistory
from hazecast.models.baselines import climatology, persistence, seasonal_naive
from hazecast.models.promotion import CHAMPION, PromotionDecision, decide_promotion
from hazecast.registry import Registry
from hazecast.scoring import pair, score
from hazecast.steps import Progress, silent
from hazecast.steps.describe import CANDIDATE, FIRST, Evidence, describe
from hazecast.steps.train import Candidate
from hazecast.store import Store

Predict = Callable[..., pl.DataFrame]

BASELINES: dict[str, Predict] = {
    "persistence": persistence,
    "seasonal_naive": seasonal_naive,
    "climatology": climatology,
}
# Steps coprime to 24 visit every clock hour; the longest that gives enough issues for a test is used.
_STEPS_HOURS = (29, 19, 13)
_MIN_ISSUES = 20
# The columns of `scoring.pair` that `decide_promotion` reads.
_ERRORS = ("absolute_error_ugm3", "seasonal_naive_ugm3", "observed_ugm3")
_DISTRIBUTION = (*QUANTILES, "coverage_80")


@dataclass(frozen=True)
class ValidationResult:
    """The outcome of a validation.

    Attributes:
        version: as registered.
        promoted: whether it is champion now.
        challenges: whether it is the challenger now.
        reason: why, in words.
        scores: its Scores and those of its rivals.
        tests: the comparisons (`models.promotion`).
    """

    version: str
    promoted: bool
    challenges: bool
    reason: str
    scores: pl.DataFrame
    tests: pl.DataFrame

    @property
    def outcome(self) -> str:
        """Promoted, challenger or neither, in words."""
        if self.promoted:
            return "promoted to champion"
        return "registered as challenger" if self.challenges else "registered, not promoted"


def validate(
    candidate: Candidate,
    registry: Registry,
    store: Store,
    *,
    now: datetime,
    parameters: Mapping[str, str | int | float],
    progress: Progress = silent,
) -> ValidationResult:
    """Score the candidate and its rivals on the same rolling-origin window and register it with the evidence.

    `models.promotion.decide_promotion` decides whether it becomes champion; if not, but it beats the baselines, it
    becomes the challenger.

    Raises:
        TooLittleHistory: there is nothing to score in the window.
        RegistryError: the registry cannot be reached; nothing is promoted.
    """
    step_hours, origins = _origins(candidate)
    horizon_hours = candidate.forecaster.spec.horizon_hours
    baselines: dict[str, Predict] = {
        name: partial(predict, horizon_hours=horizon_hours) for name, predict in BASELINES.items()
    }
    rivals: dict[str, Predict] = {CANDIDATE: candidate.forecaster.predict, **baselines, **_champion(registry)}
    scored, paired = [], {}
    for number, (name, predict) in enumerate(rivals.items()):
        progress(f"scoring {name}", number / (len(rivals) + 1))
        # One model at a time: of a rival only what it is compared by stays in memory.
        rows = predict(candidate.inputs.panel, origins)
        scored.append(_scores_of(name, rows, candidate, now))
        pairs = pair(rows, candidate.inputs.observations)
        paired[name] = pairs if name == CANDIDATE else pairs.select(_compared(pairs, name))
    scores = pl.concat(scored)
    mine = paired.pop(CANDIDATE)
    decision = decide_promotion(mine, paired, step_hours=step_hours, horizon_hours=horizon_hours)
    if candidate.is_first:
        decision = replace(decision, reason=f"{FIRST}: {decision.reason}")
    progress("registering", len(rivals) / (len(rivals) + 1))
    version = registry.record(describe(candidate, Evidence(scores, mine, decision), parameters))
    challenges = _appoint(registry, version, decision, now=now)
    named = scores.with_columns(model=pl.col("model").replace(CANDIDATE, f"version-{version}"))
    store.upsert(Scores, named)
    progress(decision.reason, 1.0)
    return ValidationResult(version, decision.promoted, challenges, decision.reason, named, decision.tests)


def _compared(pairs: pl.DataFrame, name: str) -> list[str]:
    """The columns by which a rival is compared; only the champion also by its distribution."""
    columns = ("station_id", "pollutant", "issued_at", "lead_hours", *_ERRORS)
    return [column for column in (*columns, *(_DISTRIBUTION if name == CHAMPION else ())) if column in pairs.columns]


def _champion(registry: Registry) -> dict[str, Predict]:
    try:
        champion, _ = registry.champion()
    except NoChampion:
        return {}
    return {CHAMPION: champion.predict}


def _appoint(registry: Registry, version: str, decision: PromotionDecision, *, now: datetime) -> bool:
    """Promote, or else make a candidate that beats the baselines the challenger; returns whether it is that."""
    if decision.promoted:
        registry.promote(version, reason=decision.reason, at=now)
        registry.challenge(None)
    elif decision.beats_baselines:
        registry.challenge(version)
    return decision.beats_baselines and not decision.promoted


def _origins(candidate: Candidate) -> tuple[int, list[datetime]]:
    """Hours between issues, and the issues with a whole horizon inside the window."""
    horizon_hours = candidate.forecaster.spec.horizon_hours
    last_hours = hours_between(candidate.judged_since, candidate.judged_until) - horizon_hours
    if last_hours < 0:
        raise TooLittleHistory(f"the validation window is shorter than {horizon_hours} h; collect a longer history")
    step = next((hours for hours in _STEPS_HOURS if last_hours / hours >= _MIN_ISSUES), _STEPS_HOURS[-1])
    return step, [candidate.judged_since + k * step * HOUR for k in range(int(last_hours / step) + 1)]


def _scores_of(name: str, forecasts: pl.DataFrame, candidate: Candidate, now: datetime) -> pl.DataFrame:
    found = score(forecasts, candidate.inputs.observations)
    stamps = {"window_start": candidate.judged_since, "window_end": candidate.judged_until, "scored_at": now}
    utc = pl.Datetime("us", "UTC")
    named = found.with_columns(pl.lit(name).alias("model"), *(pl.lit(v, utc).alias(k) for k, v in stamps.items()))
    return named.select(Scores.create_empty().columns)
