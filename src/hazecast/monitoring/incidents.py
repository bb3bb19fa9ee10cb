"""Incidents: from the first bad verdict to the end, with a notification when one opens, worsens and is resolved."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hazecast.monitoring.signals import Signal

# A closed station or a removed rule gives no more signals; its incident must not stay open for ever.
EXPIRES_AFTER = timedelta(days=7)


@dataclass(frozen=True)
class Incident:
    """A row of `air.verdicts.Alerts`; `event` counts notifications: 0 none, 1 opened, …"""

    incident_id: str
    rule: str
    subject: str
    audience: str
    state: str
    severity: str
    event: int
    summary: str
    reason: str
    bad_since: datetime
    clear_since: datetime | None
    opened_at: datetime | None
    told_at: datetime | None
    resolved_at: datetime | None
    seen_at: datetime

    @property
    def event_word(self) -> str:
        """Name of its newest event: opened, updated or resolved."""
        if self.state == "resolved":
            return "resolved"
        return "opened" if self.event == 1 else "updated"


def transition(incident: Incident | None, signal: Signal, *, audience: str, now: datetime) -> Incident | None:
    """The incident of a subject after one more signal; `event` increases if a notification is due.

    A signal of the same or an earlier time changes nothing.

    Args:
        incident: the newest incident of this rule and subject; None without one.
        signal: the current one.
        audience: operators or public.
        now: UTC.

    Returns:
        The incident to store; None while the subject is clear.
    """
    if incident is not None and incident.seen_at >= now:
        return incident
    if incident is None or incident.state == "resolved":
        return _begin(incident, signal, audience, now) if signal.level == "bad" else incident
    if signal.level == "bad":
        return _continue(replace(incident, clear_since=None, seen_at=now), signal, now)
    if signal.level == "between":
        return replace(incident, clear_since=None, reason=signal.reason, seen_at=now)
    return _clear(replace(incident, clear_since=incident.clear_since or now, seen_at=now), signal, now)


def expire(incident: Incident, *, now: datetime) -> Incident:
    """Resolve an incident without a signal for a week; otherwise return it unchanged."""
    if incident.state == "resolved" or now - incident.seen_at <= EXPIRES_AFTER:
        return incident
    over = replace(incident, state="resolved", resolved_at=now, seen_at=now, reason="no signal for a week")
    return over if incident.event == 0 else replace(over, event=incident.event + 1, told_at=now)


def _begin(earlier: Incident | None, signal: Signal, audience: str, now: datetime) -> Incident:
    if earlier is not None and _has_reopened(earlier, signal, now):
        reopened = replace(earlier, state="open", clear_since=None, resolved_at=None, seen_at=now)
        return _notify(reopened, signal, now)
    begun = Incident(
        incident_id=f"{signal.rule.name}/{signal.subject}/{now:%Y%m%dT%H%M}",
        rule=signal.rule.name,
        subject=signal.subject,
        audience=audience,
        state="pending",
        severity=signal.severity,
        event=0,
        summary=signal.summary,
        reason=signal.reason,
        bad_since=now,
        clear_since=None,
        opened_at=None,
        told_at=None,
        resolved_at=None,
        seen_at=now,
    )
    return _continue(begun, signal, now)


def _has_reopened(earlier: Incident, signal: Signal, now: datetime) -> bool:
    cool_down = timedelta(hours=signal.rule.cool_down_hours)
    return earlier.event > 0 and earlier.resolved_at is not None and now - earlier.resolved_at < cool_down


def _continue(incident: Incident, signal: Signal, now: datetime) -> Incident:
    if incident.state == "pending":
        if now - incident.bad_since < timedelta(hours=signal.rule.open_after_hours):
            return incident
        return _notify(replace(incident, state="open", opened_at=now), signal, now)
    has_worsened = (incident.severity, signal.severity) == ("warning", "critical")
    has_news = incident.summary != signal.summary and _has_cooled_down(incident, signal, now)
    if has_worsened or has_news:
        return _notify(incident, signal, now)
    return replace(incident, reason=signal.reason)


def _has_cooled_down(incident: Incident, signal: Signal, now: datetime) -> bool:
    return incident.told_at is None or now - incident.told_at >= timedelta(hours=signal.rule.cool_down_hours)


def _clear(incident: Incident, signal: Signal, now: datetime) -> Incident:
    assert incident.clear_since is not None
    if incident.state == "pending":
        return replace(incident, state="resolved", resolved_at=now)
    if now - incident.clear_since < timedelta(hours=signal.rule.close_after_hours):
        return incident
    over = replace(incident, state="resolved", resolved_at=now, event=incident.event + 1, told_at=now)
    return replace(over, reason=signal.reason)


def _notify(incident: Incident, signal: Signal, now: datetime) -> Incident:
    notified = replace(incident, event=incident.event + 1, told_at=now, severity=signal.severity)
    return replace(notified, summary=signal.summary, reason=signal.reason)
