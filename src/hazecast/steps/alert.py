"""Alert: turn verdicts and forecasts into incidents, and tell each channel what it has not been told yet."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.tables import Forecasts, Stations
from hazecast.air.verdicts import Alerts, Deliveries, Health
from hazecast.alerts import Channel, Message
from hazecast.errors import DeliveryError
from hazecast.monitoring import Incident, Rules, Signal, advance, exceedance_signals, forget, health_signals
from hazecast.store import Store

_FORECAST_TOO_OLD = timedelta(hours=48)


@dataclass(frozen=True)
class Alerted:
    """What one look at the rules gave.

    Attributes:
        incidents: every incident that is pending or open, or was until now.
        messages: what was sent (or, in a dry run, would be), each with the name of its channel.
        failed: why a channel did not take it, by channel name; it stays owed.
    """

    incidents: tuple[Incident, ...]
    messages: tuple[tuple[str, Message], ...]
    failed: dict[str, str]


def alert(store: Store, rules: Rules, channels: Sequence[Channel], *, now: datetime, dry_run: bool = False) -> Alerted:
    """Look at the newest verdicts and forecasts, keep the incidents, and deliver what is owed.

    Incidents and deliveries are stored: a second look, or one after a restart, tells nobody anything twice. A channel
    that fails is tried again at the next look, as long as there is something it should know.

    Args:
        store: Health (run `monitor` before), Forecasts, Stations, and the incidents so far.
        rules: what is worth telling.
        channels: whom.
        now: UTC.
        dry_run: neither store nor send.

    Raises:
        StoreError: a table cannot be read or written; nothing was sent.
    """
    incidents = _advance_all(store, rules, now)
    if not dry_run:
        _keep(store, incidents)
    delivered = store.read(Deliveries, pl.col("incident_id").is_in([one.incident_id for one in incidents]))
    messages: list[tuple[str, Message]] = []
    failed: dict[str, str] = {}
    for channel, audience in ((one, whom) for one in channels for whom in one.audiences):
        owed = [one for one in incidents if one.audience == audience and _is_owed(one, channel, delivered)]
        if owed:
            message = compose(owed)
            messages.append((channel.name, message))
            failed |= {} if dry_run else _deliver(store, channel, message, owed, now=now)
    return Alerted(tuple(incidents), tuple(messages), failed)


def compose(incidents: Sequence[Incident]) -> Message:
    """One message about several incidents, gravest and newest first."""
    rank = {"opened": 0, "updated": 1, "resolved": 2}
    ordered = sorted(incidents, key=lambda one: (rank[one.word], one.severity, one.summary))
    first = f"{ordered[0].word}: {ordered[0].summary}"
    title = f"Hazecast: {first}" + (f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else "")
    lines = [f"{one.word} ({one.severity}): {one.summary}\n  {one.reason}" for one in ordered]
    identity = "\n".join(f"{one.incident_id}#{one.event}" for one in ordered)
    return Message(
        message_id=hashlib.sha256(identity.encode()).hexdigest()[:24],
        audience=ordered[0].audience,
        title=title,
        body="\n".join(lines),
        is_good_news=all(one.word == "resolved" for one in ordered),
        events=tuple(_event(one) for one in ordered),
    )


def _event(incident: Incident) -> dict[str, object]:
    return {"event_number": incident.event, "event_word": incident.word, **asdict(incident)}


def _advance_all(store: Store, rules: Rules, now: datetime) -> list[Incident]:
    """Every incident that matters still, one look later."""
    cool_downs = [rule.cool_down_hours for rule in (*rules.operators, *rules.public)]
    since = now - timedelta(hours=max(cool_downs, default=0.0))
    alive = store.read(Alerts, (pl.col("state") != "resolved") | (pl.col("resolved_at") >= since))
    rows = alive.sort("bad_since").iter_rows(named=True)
    known = {(row["rule"], row["subject"]): Incident(**row) for row in rows}
    for audience, signal in _signals(store, rules, now):
        key = (signal.rule.name, signal.subject)
        seen = advance(known.get(key), signal, audience=audience, now=now)
        if seen is not None:
            known[key] = seen
    return [forget(incident, now=now) for incident in known.values()]


def _signals(store: Store, rules: Rules, now: datetime) -> Iterable[tuple[str, Signal]]:
    checked_at = store.newest(Health, "checked_at")
    if checked_at is not None:
        health = store.read(Health, pl.col("checked_at") == checked_at)
        yield from (("operators", signal) for rule in rules.operators for signal in health_signals(rule, health))
    issued_at = store.newest(Forecasts, "issued_at")
    # An old forecast neither warns nor gives the all-clear.
    if issued_at is not None and now - issued_at <= _FORECAST_TOO_OLD:
        forecasts = store.read(Forecasts, (pl.col("issued_at") == issued_at) & (pl.col("valid_at") >= now))
        stations = store.read(Stations)
        for rule in rules.public:
            yield from (("public", signal) for signal in exceedance_signals(rule, forecasts, stations))


def _keep(store: Store, incidents: Sequence[Incident]) -> None:
    rows = pl.DataFrame([asdict(one) for one in incidents], schema=Alerts.create_empty().schema)
    store.upsert(Alerts, rows)


def _is_owed(incident: Incident, channel: Channel, deliveries: pl.DataFrame) -> bool:
    """Its newest event has not arrived; an end is owed only to those who were told of the beginning."""
    mine = deliveries.filter(
        pl.col("incident_id") == incident.incident_id,
        pl.col("channel") == channel.name,
        pl.col("outcome") == "delivered",
    )
    if incident.event == 0 or (incident.state == "resolved" and mine.is_empty()):
        return False
    return mine.filter(pl.col("event") == incident.event).is_empty()


def _deliver(
    store: Store, channel: Channel, message: Message, owed: Sequence[Incident], *, now: datetime
) -> dict[str, str]:
    try:
        channel.send(message)
        outcome, reason = "delivered", ""
    except DeliveryError as err:
        outcome, reason = "failed", str(err)
    earlier = store.read(Deliveries, pl.col("channel") == channel.name)
    tried = {(row["incident_id"], row["event"]): row["attempts"] for row in earlier.iter_rows(named=True)}
    rows = [
        {
            "incident_id": one.incident_id,
            "event": one.event,
            "channel": channel.name,
            "outcome": outcome,
            "attempts": tried.get((one.incident_id, one.event), 0) + 1,
            "tried_at": now,
            "reason": reason,
        }
        for one in owed
    ]
    store.upsert(Deliveries, pl.DataFrame(rows, schema=Deliveries.create_empty().schema))
    return {channel.name: reason} if reason else {}
