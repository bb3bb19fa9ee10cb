"""The pipeline: how old the forecast is, whether a model made it, and which steps fail."""

from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import hours_between
from hazecast.air.tables import newest
from hazecast.monitoring.findings import Finding, Subject

_FORECAST = Subject(name="forecast")
_RUNS_WITHIN = timedelta(hours=48)
_FAILED_OFTEN = 3
_FALLBACK_SHARE = 0.2


def forecast_findings(
    latest: pl.DataFrame, *, now: datetime, stale_after_hours: float, champion: str | None
) -> list[Finding]:
    """Age of the newest forecast, and the share of it that the climatology had to give although there is a champion.

    Args:
        latest: `air.tables.Forecasts` of the newest issue.
        now: UTC.
        stale_after_hours: a forecast older than this is stale, one twice as old critical [h].
        champion: its version; None while there is none.
    """
    issued_at = newest(latest["issued_at"])
    if issued_at is None:
        return [Finding("forecast_age", _FORECAST, "critical", "no forecast was ever issued")]
    age_hours = hours_between(issued_at, now)
    verdict = (
        "ok" if age_hours <= stale_after_hours else "warning" if age_hours <= 2 * stale_after_hours else "critical"
    )
    reason = f"issued {issued_at:%Y-%m-%d %H:%M} UTC, {age_hours:.0f} h ago"
    age = Finding("forecast_age", _FORECAST, verdict, reason, value=age_hours, expected=stale_after_hours)
    return [age] if champion is None else [age, _fallback(latest)]


def _fallback(latest: pl.DataFrame) -> Finding:
    share = float((latest["status"] == "baseline").sum() / latest.height)
    verdict = "warning" if share > _FALLBACK_SHARE else "ok"
    reason = f"the climatology gave {share:.0%} of the newest forecast"
    return Finding("fallback", _FORECAST, verdict, reason, value=share, expected=_FALLBACK_SHARE)


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
        reason = (
            "latest run ended well" if n_failed == 0 else f"failed {n_failed} times in a row: {rows['summary'][-1]}"
        )
        subject = Subject(name=str(step))
        findings.append(Finding("pipeline", subject, verdict, reason, value=float(n_failed), expected=0.0))
    return findings
