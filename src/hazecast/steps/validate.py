"""Validate: judge a candidate against baselines and the champion on days none of them has seen, then register it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.tables import HORIZON_HOURS, Scores
from hazecast.errors import NoChampion, TooLittleHistory
from hazecast.models.baselines import climatology, persistence, seasonal_naive
from hazecast.models.promotion import CHAMPION, Judgement, judge
from hazecast.registry import Registry
from hazecast.scoring import pair, score
from hazecast.steps import Progress, silent
from hazecast.steps.describe import CANDIDATE, Evidence, describe
from hazecast.steps.train import Candidate
from hazecast.store import Store

Predict = Callable[..., pl.DataFrame]

BASELINES: dict[str, Predict] = {
    "persistence": persistence,
    "seasonal_naive": seasonal_naive,
    "climatology": climatology,
}
# Odd steps let every clock hour take its turn; the longest that gives enough issues for a test is taken.
_STEPS_HOURS = (29, 19, 13)
_ENOUGH_ISSUES = 20


@dataclass(frozen=True)
class Verdict:
    """How a candidate fared.

    Attributes:
        version: as registered.
        promoted: whether it is champion now.
        challenges: whether it forecasts in the champion's shadow from now on.
        reason: why, in words.
        scores: its Scores beside its rivals'.
        tests: what was compared (`models.promotion`).
    """

    version: str
    promoted: bool
    challenges: bool
    reason: str
    scores: pl.DataFrame
    tests: pl.DataFrame

    @property
    def outcome(self) -> str:
        """What became of it."""
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
) -> Verdict:
    """Score the candidate and its rivals on the same rolling-origin window and register it with the evidence.

    `models.promotion.judge` decides whether it becomes champion; short of that, one that beats the baselines becomes
    the challenger.

    Raises:
        TooLittleHistory: the window holds nothing to score.
        RegistryError: the registry is out of reach; nothing is promoted.
    """
    step_hours, origins = _origins(candidate)
    rivals = {CANDIDATE: candidate.forecaster.predict, **BASELINES, **_champion(registry)}
    forecasts = {}
    for number, (name, predict) in enumerate(rivals.items()):
        progress(f"scoring {name}", number / (len(rivals) + 1))
        forecasts[name] = predict(candidate.inputs.panel, origins)
    scores = pl.concat(_scores_of(name, rows, candidate, now) for name, rows in forecasts.items())
    paired = {name: pair(rows, candidate.inputs.observations) for name, rows in forecasts.items()}
    mine = paired.pop(CANDIDATE)
    judgement = judge(mine, paired, step_hours=step_hours)
    progress("registering", len(rivals) / (len(rivals) + 1))
    version = registry.record(describe(candidate, Evidence(scores, mine, judgement), parameters))
    challenges = _appoint(registry, version, judgement, now=now)
    named = scores.with_columns(model=pl.col("model").replace(CANDIDATE, f"version-{version}"))
    store.upsert(Scores, named)
    progress(judgement.reason, 1.0)
    return Verdict(version, judgement.promoted, challenges, judgement.reason, named, judgement.tests)


def _champion(registry: Registry) -> dict[str, Predict]:
    try:
        champion, _ = registry.champion()
    except NoChampion:
        return {}
    return {CHAMPION: champion.predict}


def _appoint(registry: Registry, version: str, judgement: Judgement, *, now: datetime) -> bool:
    """Promote, or else challenge with one that is at least better than no model; says whether it challenges."""
    if judgement.promoted:
        registry.promote(version, reason=judgement.reason, at=now)
        registry.challenge(None)
    elif judgement.beats_baselines:
        registry.challenge(version)
    return judgement.beats_baselines and not judgement.promoted


def _origins(candidate: Candidate) -> tuple[int, list[datetime]]:
    """Hours between issues, and the issues whose 72 hours lie in the window."""
    last_hours = hours_between(candidate.judged_since, candidate.judged_until) - HORIZON_HOURS
    if last_hours < 0:
        raise TooLittleHistory(f"the validation window is shorter than {HORIZON_HOURS} h; collect a longer history")
    step = next((hours for hours in _STEPS_HOURS if last_hours / hours >= _ENOUGH_ISSUES), _STEPS_HOURS[-1])
    return step, [candidate.judged_since + k * step * HOUR for k in range(int(last_hours / step) + 1)]


def _scores_of(name: str, forecasts: pl.DataFrame, candidate: Candidate, now: datetime) -> pl.DataFrame:
    found = score(forecasts, candidate.inputs.observations)
    stamps = {"window_start": candidate.judged_since, "window_end": candidate.judged_until, "scored_at": now}
    utc = pl.Datetime("us", "UTC")
    named = found.with_columns(pl.lit(name).alias("model"), *(pl.lit(v, utc).alias(k) for k, v in stamps.items()))
    return named.select(Scores.create_empty().columns)
