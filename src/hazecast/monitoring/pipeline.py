"""Checks of the pipeline: the age of the forecast, the share of climatology in it, and failed steps."""

from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.tables import newest
from hazecast.monitoring.findings import Finding, Subject

_FORECAST, _CHAMPION = Subject(name="forecast"), Subject(name="champion")
_HORIZON, _RELEASE = Subject(name="horizon"), Subject(name="release")
_RUNS_WITHIN = timedelta(hours=48)
_FAILED_OFTEN = 3
_FALLBACK_SHARE = 0.2
# A series without observations for longer may be forecast by climatology; a retraining would not change that.
_RECENT_HOURS = 24.0


def forecast_findings(latest: pl.DataFrame, *, now: datetime, stale_after_hours: float) -> list[Finding]:
    """The age of the newest forecast.

    Args:
        latest: `air.tables.Forecasts` of the newest issue.
        now: UTC.
        stale_after_hours: a forecast older than this is stale, one twice as old critical [h].
    """
    issued_at = newest(latest["issued_at"])
    if issued_at is None:
        return [Finding("forecast_age", _FORECAST, "critical", "no forecast has been issued")]
    age_hours = hours_between(issued_at, now)
    verdict = (
        "ok" if age_hours <= stale_after_hours else "warning" if age_hours <= 2 * stale_after_hours else "critical"
    )
    reason = f"issued {issued_at:%Y-%m-%d %H:%M} UTC, {age_hours:.0f} h ago"
    return [Finding("forecast_age", _FORECAST, verdict, reason, value=age_hours, expected=stale_after_hours)]


def fallback_findings(latest: pl.DataFrame, scores: pl.DataFrame, *, champion: str) -> list[Finding]:
    """How much of the newest forecast falls back to climatology, in all and where the champion should forecast.

    The champion should forecast each series of its pollutants that has recent observations. If climatology forecasts
    those, the model itself is at fault: it was trained for the inputs of another release, or does not load.

    Args:
        latest: `air.tables.Forecasts` of the newest issue.
        scores: `air.tables.Scores` of the champion's validation.
        champion: its version.

    Returns:
        "fallback" for the whole forecast; "champion" for the series above, unknown if the forecast is older than the
        champion's validation.
    """
    if latest.is_empty():
        return []
    trained = pl.col("pollutant").is_in(scores["pollutant"].unique().to_list())
    expected = latest.filter(trained, pl.col("data_age_hours") <= _RECENT_HOURS)
    validated_at = newest(scores["scored_at"])
    if expected.is_empty() or validated_at is None or validated_at > latest["issued_at"][0] + HOUR:
        reason = f"no forecast of recently observed series since version {champion} was validated"
        own = Finding("champion", _CHAMPION, "unknown", reason)
    else:
        share = _baseline_share(expected)
        verdict = "ok" if share <= _FALLBACK_SHARE else "critical" if share == 1 else "warning"
        reason = f"climatology forecasts {share:.0%} of the observed series that version {champion} was trained for"
        own = Finding("champion", _CHAMPION, verdict, reason, value=share, expected=_FALLBACK_SHARE)
    share = _baseline_share(latest)
    verdict = "warning" if share > _FALLBACK_SHARE else "ok"
    reason = f"climatology makes up {share:.0%} of the newest forecast"
    return [own, Finding("fallback", _FORECAST, verdict, reason, value=share, expected=_FALLBACK_SHARE)]


def release_findings(outdated: str | None, *, champion: str) -> list[Finding]:
    """Whether this release can use the champion; a retraining changes that, before climatology has to forecast.

    Args:
        outdated: why it cannot; None: it can.
        champion: its version.
    """
    if outdated is None:
        return [Finding("champion", _RELEASE, "ok", f"version {champion} can be used by this release")]
    return [Finding("champion", _RELEASE, "critical", f"version {champion} cannot forecast here: {outdated}")]


def horizon_findings(latest: pl.DataFrame, *, champion: str, horizon_hours: int) -> list[Finding]:
    """Whether the champion forecasts as far as the place's horizon; a retraining changes that.

    Args:
        latest: `air.tables.Forecasts` of the newest issue.
        champion: its version.
        horizon_hours: longest lead that the place is configured for [h].

    Returns:
        One finding; none if another model issued the newest forecast.
    """
    longest = latest.filter(pl.col("model_version") == champion)["lead_hours"].max()
    if not isinstance(longest, int):
        return []
    verdict = "ok" if longest == horizon_hours else "warning"
    reason = f"version {champion} forecasts {longest} h ahead; the horizon of the place is {horizon_hours} h"
    return [Finding("champion", _HORIZON, verdict, reason, value=longest, expected=horizon_hours)]


def _baseline_share(forecasts: pl.DataFrame) -> float:
    return float((forecasts["status"] == "baseline").sum() / forecasts.height)


def run_findings(runs: pl.DataFrame, *, now: datetime) -> list[Finding]:
    """Per step that ran in the last 48 h: how its latest run ended, and how many failed in a row.

    Args:
        runs: `air.tables.Runs`.
        now: UTC.
    """
    recent = runs.filter(pl.col("as_of").is_between(now - _RUNS_WITHIN, now)).sort("as_of", "started_at")
    findings = []
    for (step,), rows in recent.group_by("step", maintain_order=True):
        outcomes = rows["outcome"].reverse().to_list()
        n_failed = next((k for k, outcome in enumerate(outcomes) if outcome == "ok"), len(outcomes))
        verdict = "ok" if n_failed == 0 else "critical" if n_failed >= _FAILED_OFTEN else "warning"
        reason = "latest run succeeded" if n_failed == 0 else f"failed {n_failed} times in a row: {rows['summary'][-1]}"
        subject = Subject(name=str(step))
        findings.append(Finding("pipeline", subject, verdict, reason, value=float(n_failed), expected=0.0))
    return findings
