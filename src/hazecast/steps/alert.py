"""Alert: turn verdicts and forecasts into incidents, and send each channel its pending notifications."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from hazecast.air.tables import STATION, DayForecasts, Forecasts, Stations
from hazecast.air.verdicts import Alerts, Deliveries, Health
from hazecast.alerts import Channel, Message
from hazecast.errors import DeliveryError
from hazecast.i18n import Language, read_language
from hazecast.monitoring import (
    DayExceedance,
    Incident,
    Rules,
    Signal,
    Wording,
    day_exceedance_signals,
    exceedance_signals,
    expire,
    health_signals,
    transition,
)
from hazecast.store import Store

_FORECAST_TOO_OLD = timedelta(hours=48)
_BETWEEN_LANGUAGES = "\n"


@dataclass(frozen=True)
class AlertResult:
    """The result of one evaluation of the rules.

    Attributes:
        incidents: every incident that is pending or open, or was until now.
        messages: sent (or, in a dry run, to be sent), each with the name of its channel.
        failed: reason of a failed delivery, by channel name; it stays pending.
    """

    incidents: tuple[Incident, ...]
    messages: tuple[tuple[str, Message], ...]
    failed: dict[str, str]


def alert(
    store: Store, rules: Rules, channels: Sequence[Channel], *, now: datetime, dry_run: bool = False
) -> AlertResult:
    """Evaluate the newest verdicts and forecasts, store the incidents, and deliver pending notifications.

    Incidents and deliveries are stored, so a second run, or one after a restart, sends nothing twice. A failed channel
    is retried at the next run while a notification is pending.

    Args:
        store: Health (run `monitor` before), Forecasts, DayForecasts, Stations, and the incidents so far.
        rules: conditions for incidents.
        channels: recipients.
        now: UTC.
        dry_run: neither store nor send.

    Raises:
        StoreError: a table cannot be read or written; nothing was sent.
    """
    incidents = _transition_all(store, rules, now)
    if not dry_run:
        _keep(store, incidents)
    delivered = store.read(Deliveries, pl.col("incident_id").is_in([one.incident_id for one in incidents]))
    messages: list[tuple[str, Message]] = []
    failed: dict[str, str] = {}
    for channel, audience in ((one, audience) for one in channels for audience in one.audiences):
        due = [one for one in incidents if one.audience == audience and _is_due(one, channel, delivered)]
        if due:
            message = compose(due, read_language(rules.languages[0] if audience == "public" else "en"))
            messages.append((channel.name, message))
            failed |= {} if dry_run else _deliver(store, channel, message, due, now=now)
    return AlertResult(tuple(incidents), tuple(messages), failed)


def compose(incidents: Sequence[Incident], language: Language) -> Message:
    """One message about several incidents, newly opened and most severe first."""
    rank = {"opened": 0, "updated": 1, "resolved": 2}
    ordered = sorted(incidents, key=lambda one: (rank[one.event_word], one.severity, one.summary))
    words = [(language.t(f"alert.{one.event_word}"), language.t(f"alert.{one.severity}")) for one in ordered]
    title = f"Hazecast: {words[0][0]}: {ordered[0].summary}"
    if len(ordered) > 1:
        title += f" ({language.t('alert.more', n=len(ordered) - 1)})"
    lines = [
        f"{event} ({severity}): {one.summary}\n  {one.reason.replace(_BETWEEN_LANGUAGES, _BETWEEN_LANGUAGES + '  ')}"
        for one, (event, severity) in zip(ordered, words, strict=True)
    ]
    identity = "\n".join(f"{one.incident_id}#{one.event}" for one in ordered)
    return Message(
        message_id=hashlib.sha256(identity.encode()).hexdigest()[:24],
        audience=ordered[0].audience,
        title=title,
        body="\n".join(lines),
        is_recovery=all(one.event_word == "resolved" for one in ordered),
        events=tuple(_event(one) for one in ordered),
    )


def _event(incident: Incident) -> dict[str, object]:
    return {"event_number": incident.event, "event_word": incident.event_word, **asdict(incident)}


def _transition_all(store: Store, rules: Rules, now: datetime) -> list[Incident]:
    """Every current incident after its newest signal."""
    cool_downs = [rule.cool_down_hours for rule in (*rules.operators, *rules.public)]
    since = now - timedelta(hours=max(cool_downs, default=0.0))
    alive = store.read(Alerts, (pl.col("state") != "resolved") | (pl.col("resolved_at") >= since))
    rows = alive.sort("bad_since").iter_rows(named=True)
    known = {(row["rule"], row["subject"]): Incident(**row) for row in rows}
    for audience, signal in _signals(store, rules, now):
        key = (signal.rule.name, signal.subject)
        seen = transition(known.get(key), signal, audience=audience, now=now)
        if seen is not None:
            known[key] = seen
    return [expire(incident, now=now) for incident in known.values()]


def _signals(store: Store, rules: Rules, now: datetime) -> Iterable[tuple[str, Signal]]:
    checked_at = store.newest(Health, "checked_at", until=now)
    if checked_at is not None:
        health = store.read(Health, pl.col("checked_at") == checked_at)
        yield from (("operators", signal) for rule in rules.operators for signal in health_signals(rule, health))
    issued_at = store.newest(Forecasts, "issued_at", until=now)
    # An old forecast neither opens nor resolves an incident.
    if issued_at is not None and now - issued_at <= _FORECAST_TOO_OLD:
        yield from (("public", signal) for signal in _public_signals(store, rules, issued_at, now))


def _public_signals(store: Store, rules: Rules, issued_at: datetime, now: datetime) -> Iterable[Signal]:
    stations = store.read(Stations)
    of_days = [rule for rule in rules.public if rule.is_of_day_statistic]
    of_hours = [rule for rule in rules.public if not rule.is_of_day_statistic]
    if of_days:
        days = days_ahead(store.read(DayForecasts, pl.col("issued_at") == issued_at), stations, now)
        wording = public_wording([read_language(code) for code in rules.languages])
        for rule in of_days:
            yield from day_exceedance_signals(rule, days, stations, wording=wording)
    if of_hours:
        hours = store.read(Forecasts, (pl.col("issued_at") == issued_at) & (pl.col("valid_at") >= now))
        for rule in of_hours:
            yield from exceedance_signals(rule, hours, stations)


def days_ahead(days: pl.DataFrame, stations: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The days of single stations that are not over in their time zone."""
    today = {
        row["station_id"]: now.astimezone(ZoneInfo(row["timezone"])).date()
        for row in stations.select("station_id", "timezone").iter_rows(named=True)
    }
    of_stations = days.filter(pl.col("scope") == STATION, pl.col("station_id").is_in(list(today)))
    return of_stations.filter(pl.col("day") >= pl.col("station_id").replace_strict(today, return_dtype=pl.Date))


def public_wording(languages: Sequence[Language]) -> Wording:
    """The text of a predicted exceedance: the summary in the first language, the reason in all."""

    def words(found: DayExceedance) -> tuple[str, str]:
        texts = [(exceedance_summary(found, language), exceedance_reason(found, language)) for language in languages]
        (summary, reason), others = texts[0], texts[1:]
        return summary, _BETWEEN_LANGUAGES.join([reason, *(f"{line}. {more}" for line, more in others)])

    return words


def exceedance_summary(found: DayExceedance, language: Language) -> str:
    """One line: rule, pollutant, station and the last day."""
    label = language.translate(found.rule.label)
    text = language.t("alert.summary", label=label, pollutant=found.pollutant.label, station=found.station)
    return text if found.until is None else text + language.t("alert.until", day=f"{found.until:%Y-%m-%d}")


def exceedance_reason(found: DayExceedance, language: Language) -> str:
    """Probability, interval and share of stations on the likeliest day."""
    return language.t(
        "alert.reason",
        day=f"{found.day:%Y-%m-%d}",
        statistic=language.t(f"statistic.{found.statistic}"),
        value=language.limit(found.above_ugm3),
        probability=language.probability(found.probability),
        median=language.number(found.q50_ugm3),
        low=language.number(found.q10_ugm3),
        high=language.number(found.q90_ugm3),
        n=found.n_stations_above,
        n_stations=found.n_stations,
        threshold=language.percent(found.rule.open_at),
        issued=f"{found.issued_at:%Y-%m-%d %H:%M} UTC",
    )


def _keep(store: Store, incidents: Sequence[Incident]) -> None:
    rows = pl.DataFrame([asdict(one) for one in incidents], schema=Alerts.create_empty().schema)
    store.upsert(Alerts, rows)


def _is_due(incident: Incident, channel: Channel, deliveries: pl.DataFrame) -> bool:
    """Whether its newest event is undelivered; a resolution is due only where the incident was delivered."""
    mine = deliveries.filter(
        pl.col("incident_id") == incident.incident_id,
        pl.col("channel") == channel.name,
        pl.col("outcome") == "delivered",
    )
    if incident.event == 0 or (incident.state == "resolved" and mine.is_empty()):
        return False
    return mine.filter(pl.col("event") == incident.event).is_empty()


def _deliver(
    store: Store, channel: Channel, message: Message, due: Sequence[Incident], *, now: datetime
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
        for one in due
    ]
    store.upsert(Deliveries, pl.DataFrame(rows, schema=Deliveries.create_empty().schema))
    return {channel.name: reason} if reason else {}
