"""Validate: judge a candidate against baselines and the champion on days none of them has seen, then register it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.tables import HORIZON_HOURS, Scores
from hazecast.errors import NoChampion, TooLittleHistory
from hazecast.models.baselines import climatology, persistence, seasonal_naive
from hazecast.registry import Registry, Training
from hazecast.scoring import score
from hazecast.steps import Progress, silent
from hazecast.steps.plots import skill_figures
from hazecast.steps.train import Candidate
from hazecast.store import Store

CANDIDATE, CHAMPION = "candidate", "champion"
BASELINES = {"persistence": persistence, "seasonal_naive": seasonal_naive, "climatology": climatology}
# 29 h between origins: every clock hour gets its turn without scoring 24 origins a day.
ORIGIN_STEP_HOURS = 29


@dataclass(frozen=True)
class Verdict:
    """How a candidate fared: its version, its Scores beside its rivals', whether it became champion and why."""

    version: str
    promoted: bool
    reason: str
    scores: pl.DataFrame


def validate(
    candidate: Candidate,
    registry: Registry,
    store: Store,
    *,
    now: datetime,
    parameters: Mapping[str, str | int | float],
    progress: Progress = silent,
) -> Verdict:
    """Score the candidate and its rivals on the same rolling-origin window, register it, promote it if it earned it.

    It earns the alias `champion` by a smaller mean absolute error than every baseline and the present champion,
    relative to the seasonal naive and averaged over pollutants.

    Raises:
        TooLittleHistory: the window holds nothing to score.
        RegistryError: the registry is out of reach; nothing is promoted.
    """
    origins = _origins(candidate)
    rivals: dict[str, object] = {CANDIDATE: candidate.forecaster.predict, **_rivals(registry)}
    frames = []
    for number, (name, predict) in enumerate(rivals.items()):
        progress(f"scoring {name}", number / (len(rivals) + 1))
        forecasts = predict(candidate.inputs.panel, origins)  # type: ignore[operator]
        frames.append(_scores_of(name, forecasts, candidate, now))
    scores = pl.concat(frames)
    progress("registering", len(rivals) / (len(rivals) + 1))
    promoted, reason = judge(scores)
    version = registry.record(_training(candidate, scores, parameters))
    if promoted:
        registry.promote(version, reason=reason)
    named = scores.with_columns(model=pl.col("model").replace(CANDIDATE, f"version-{version}"))
    store.upsert(Scores, named)
    progress(reason, 1.0)
    return Verdict(version, promoted, reason, named)


def judge(scores: pl.DataFrame) -> tuple[bool, str]:
    """Whether the candidate earned the alias, and why, in words.

    Args:
        scores: Scores of all rivals on one window, the candidate under the name "candidate".
    """
    overall = scores.filter(pl.col("lead_block") == "all", pl.col("rmae").is_not_null())
    means = dict(overall.group_by("model").agg(pl.col("rmae").mean()).iter_rows())
    mine = means.pop(CANDIDATE, None)
    if mine is None or not means:
        raise TooLittleHistory("nothing in the validation window can be scored; collect a longer history")
    best, its_rmae = min(means.items(), key=lambda rival: rival[1])
    verb = "beats" if mine < its_rmae else "does not beat"
    return mine < its_rmae, f"relative MAE {mine:.3f} {verb} the best rival, {best} ({its_rmae:.3f})"


def _rivals(registry: Registry) -> dict[str, object]:
    try:
        champion, _ = registry.champion()
    except NoChampion:
        return dict(BASELINES)
    return {**BASELINES, CHAMPION: champion.predict}


def _origins(candidate: Candidate) -> list[datetime]:
    last = candidate.judged_until - timedelta(hours=HORIZON_HOURS)
    count = int((last - candidate.judged_since) / (ORIGIN_STEP_HOURS * HOUR)) + 1
    if count < 1:
        raise TooLittleHistory(f"the validation window is shorter than {HORIZON_HOURS} h; collect a longer history")
    return [candidate.judged_since + k * ORIGIN_STEP_HOURS * HOUR for k in range(count)]


def _scores_of(name: str, forecasts: pl.DataFrame, candidate: Candidate, now: datetime) -> pl.DataFrame:
    found = score(forecasts, candidate.inputs.observations)
    stamps = {"window_start": candidate.judged_since, "window_end": candidate.judged_until, "scored_at": now}
    utc = pl.Datetime("us", "UTC")
    named = found.with_columns(pl.lit(name).alias("model"), *(pl.lit(v, utc).alias(k) for k, v in stamps.items()))
    return named.select(Scores.create_empty().columns)


def _training(candidate: Candidate, scores: pl.DataFrame, parameters: Mapping[str, str | int | float]) -> Training:
    mine = scores.filter(pl.col("model") == CANDIDATE)
    metrics = {
        f"{measure}.{row['pollutant']}.{row['lead_block']}": row[measure]
        for row in mine.iter_rows(named=True)
        for measure in ("mae", "rmae", "crps", "coverage_80")
        if row[measure] is not None
    }
    forecaster = candidate.forecaster
    known = {
        **parameters,
        **forecaster.metadata,
        "observations_version": candidate.inputs.observations_version,
        "trained_until": forecaster.trained_until.isoformat(),
        "judged_until": candidate.judged_until.isoformat(),
        "future_weather": forecaster.weather.value,
        "pollutants": ",".join(forecaster.pollutants),
    }
    tables = {"scores": scores, "feature_importance": forecaster.feature_importance()}
    return Training(forecaster, known, metrics, skill_figures(scores), tables)
