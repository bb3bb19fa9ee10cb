"""Alerts reach real receivers once each, survive failures and restarts, and are silent when all is well."""

import hashlib
import hmac
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import stamina

from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import DayForecasts, Forecasts, Stations
from hazecast.air.verdicts import Alerts, Deliveries, Health
from hazecast.alerts import AppriseChannel, Message, WebhookChannel, addresses_in, channels
from hazecast.errors import DeliveryError, SettingsError
from hazecast.monitoring import Finding, Rules, Subject, as_health
from hazecast.steps.alert import alert
from hazecast.steps.rules import read_rules
from hazecast.store import Store

from .issued import DAY, HOUR, START, STEPS, forecasts, observed, town
from .receivers import Receiver, receiving

NOW = START + 20 * DAY
ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret"
RULES = Rules.model_validate(
    {
        "operators": [
            {
                "name": "data",
                "label": "Data quality",
                "checks": ["silent"],
                "close_after_hours": 6,
                "cool_down_hours": 48,
            }
        ],
        "public": [
            {
                "name": "pm",
                "label": "High levels",
                "above_ugm3": {"pm25": 50},
                "by": "day_maximum",
                "open_at": 1.0,
                "close_at": 0.8,
                "cool_down_hours": 20,
            }
        ],
    }
)
MESSAGE = Message("m1", "operators", "Hazecast: opened", "a body", False, ({"event_word": "opened"},))


@pytest.fixture(autouse=True)
def direct_and_without_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


@pytest.fixture
def webhook(receiver: Receiver) -> WebhookChannel:
    return WebhookChannel(f"http://127.0.0.1:{receiver.port}/hook?token=abc", secret=SECRET)


@pytest.fixture
def operators(receiver: Receiver) -> AppriseChannel:
    return AppriseChannel(f"json://127.0.0.1:{receiver.port}/ops", audiences=("operators",))


def verdict(store: Store, sensor: str, word: str, *, now) -> None:
    subject = Subject(*sensor.rsplit(" ", 1))
    found = Finding("silent", subject, word, f"{sensor} is {word}", value=20.0, expected=12.0)
    store.upsert(Health, as_health([found], checked_at=now))


def test_a_webhook_is_signed_so_that_the_receiver_can_tell(webhook, receiver):
    webhook.send(MESSAGE)
    headers, body = receiver.headers[0], receiver.bodies[0]
    timestamp = headers["X-Hazecast-Timestamp"]
    expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Hazecast-Signature"] == f"sha256={expected}"
    assert abs(time.time() - int(timestamp)) < 60
    assert headers["X-Hazecast-Delivery"] == "m1"
    assert receiver.messages[0]["events"] == [{"event_word": "opened"}]


def test_without_a_secret_nothing_pretends_to_be_signed(receiver):
    WebhookChannel(f"http://127.0.0.1:{receiver.port}", secret="").send(MESSAGE)
    assert "X-Hazecast-Signature" not in receiver.headers[0]


@pytest.mark.parametrize("passing", [500, 503, 429])
def test_a_receiver_in_trouble_is_asked_again(webhook, receiver, passing: int):
    receiver.answers = [passing, passing]
    webhook.send(MESSAGE)
    assert len(receiver.bodies) == 3
    assert len({headers["X-Hazecast-Delivery"] for headers in receiver.headers}) == 1


@pytest.mark.parametrize("refusal", [400, 401, 404, 301])
def test_a_refusal_is_final(webhook, receiver, refusal: int):
    receiver.answers = [refusal]
    with pytest.raises(DeliveryError, match=f"responded {refusal}"):
        webhook.send(MESSAGE)
    assert len(receiver.bodies) == 1


def test_an_unreachable_webhook_is_reported_without_its_address(unused_port: int):
    channel = WebhookChannel(f"http://127.0.0.1:{unused_port}/token-abc", secret=SECRET)
    with pytest.raises(DeliveryError, match="is unreachable") as refused:
        channel.send(MESSAGE)
    assert "token-abc" not in str(refused.value)


def test_apprise_delivers_and_repeats(operators, receiver):
    receiver.answers = [500]
    operators.send(MESSAGE)
    assert len(receiver.bodies) == 2
    assert receiver.messages[0]["title"] == "Hazecast: opened"
    receiver.answers = [500] * 3
    with pytest.raises(DeliveryError, match="did not accept the message"):
        operators.send(MESSAGE)


def test_an_unknown_address_is_refused_without_its_password():
    with pytest.raises(SettingsError, match="nosuch://") as refused:
        AppriseChannel("nosuch://user:hunter2@host", audiences=("operators",))
    assert "hunter2" not in str(refused.value)


def test_channels_of_settings_are_named_without_secrets():
    made = channels(
        operator_urls=addresses_in("json://u:hunter2@ops, json://other"),
        public_urls=addresses_in("json://public"),
        webhooks=addresses_in("https://hook/token-abc"),
        secret="",
    )
    assert [one.audiences for one in made] == [("operators",)] * 2 + [("public",), ("operators", "public")]
    assert len({one.name for one in made}) == 4
    assert not any(word in one.name for one in made for word in ("hunter2", "token"))
    assert addresses_in(" ") == []


def test_one_incident_is_sent_once_however_often_it_is_evaluated(store: Store, operators, receiver):
    for hours in range(0, 72, 6):
        now = NOW + hours * HOUR
        verdict(store, "harbour pm25", "warning", now=now)
        # A new store and channel each time: as after a restart.
        alert(Store(store.root), RULES, [operators], now=now)
    assert [message["title"] for message in receiver.messages] == [
        "Hazecast: opened: Data quality: silent, harbour pm25"
    ]
    for hours in (72, 78):
        verdict(store, "harbour pm25", "ok", now=NOW + hours * HOUR)
        alert(store, RULES, [operators], now=NOW + hours * HOUR)
    assert receiver.messages[-1]["title"] == "Hazecast: resolved: Data quality: silent, harbour pm25"
    assert len(receiver.messages) == 2
    assert store.read(Alerts)["state"].to_list() == ["resolved"]


def test_stations_with_blanks_have_incidents_of_their_own(store: Store, operators, receiver):
    found = [Finding("silent", Subject(name, "no2"), "warning", f"{name} is late") for name in ("Old Town", "Old Port")]
    store.upsert(Health, as_health(found, checked_at=NOW))
    alert(store, RULES, [operators], now=NOW)
    assert sorted(store.read(Alerts)["subject"]) == ["silent: Old Port no2", "silent: Old Town no2"]
    assert "silent, Old Port no2" in receiver.messages[0]["message"]
    assert "silent, Old Town no2" in receiver.messages[0]["message"]


def test_what_is_never_heard_of_again_ends_after_a_week(store: Store, webhook, receiver):
    """The station was closed: no verdict names it any more."""
    verdict(store, "harbour pm25", "warning", now=NOW)
    alert(store, RULES, [webhook], now=NOW)
    for day in range(1, 9):
        verdict(store, "another pm25", "ok", now=NOW + day * DAY)
        alert(store, RULES, [webhook], now=NOW + day * DAY)
    words = [event["event_word"] for message in receiver.messages for event in message["events"]]
    assert words == ["opened", "resolved"]
    assert receiver.messages[-1]["events"][0]["reason"] == "no signal for a week"


def test_looking_twice_at_the_same_hour_changes_nothing(store: Store, webhook, receiver):
    verdict(store, "harbour pm25", "warning", now=NOW)
    alert(store, RULES, [webhook], now=NOW)
    before = store.version(Alerts), store.version(Deliveries)
    again = alert(store, RULES, [webhook], now=NOW)
    assert again.messages == ()
    assert (store.version(Alerts), store.version(Deliveries)) == before
    assert len(receiver.accepted) == 1


def test_what_did_not_arrive_stays_pending_for_that_channel_alone(store: Store, operators, receiver, unused_port: int):
    dead = WebhookChannel(f"http://127.0.0.1:{unused_port}/", secret=SECRET)
    verdict(store, "harbour pm25", "critical", now=NOW)
    first = alert(store, RULES, [operators, dead], now=NOW)
    assert list(first.failed) == [dead.name]
    second = alert(store, RULES, [operators, dead], now=NOW + HOUR)
    assert [channel for channel, _ in second.messages] == [dead.name]
    assert len(receiver.accepted) == 1
    rows = store.read(Deliveries).sort("outcome")
    assert rows["outcome"].to_list() == ["delivered", "failed"]
    assert rows["attempts"].to_list() == [1, 2]
    assert "is unreachable" in rows["reason"][1]


def test_a_resolution_is_not_sent_where_the_opening_was_not_delivered(store: Store, webhook, receiver):
    verdict(store, "harbour pm25", "warning", now=NOW)
    alert(store, RULES, [], now=NOW)
    for hours in (6, 12):
        verdict(store, "harbour pm25", "ok", now=NOW + hours * HOUR)
        alert(store, RULES, [], now=NOW + hours * HOUR)
    assert store.read(Alerts)["state"].item() == "resolved"
    assert alert(store, RULES, [webhook], now=NOW + 13 * HOUR).messages == ()
    assert receiver.bodies == []


def test_many_incidents_at_once_are_one_message(store: Store, webhook, receiver):
    for number in range(30):
        verdict(store, f"station-{number} pm25", "warning", now=NOW)
    result = alert(store, RULES, [webhook], now=NOW)
    assert len(receiver.accepted) == 1
    assert len(receiver.messages[0]["events"]) == 30
    assert result.messages[0][1].title.endswith("(and 29 more)")


def test_a_dry_run_shows_and_leaves_no_trace(store: Store, webhook, receiver):
    verdict(store, "harbour pm25", "warning", now=NOW)
    shown = alert(store, RULES, [webhook], now=NOW, dry_run=True)
    assert "opened" in shown.messages[0][1].body
    assert receiver.bodies == []
    assert store.version(Alerts) is None
    assert store.version(Deliveries) is None


def predicted(store: Store, peak_ugm3: float, *, issued_at) -> None:
    """A forecast for the town whose highest hour of PM2.5 at every station is `peak_ugm3`."""
    source = town(n_stations=2)
    store.upsert(Stations, source.fetch_stations())
    truth = observed(source, since=issued_at - DAY, until=issued_at + 4 * DAY)
    rows = forecasts(truth, [issued_at])
    scale = peak_ugm3 / pl.col("q50").max().over("station_id", "pollutant")
    store.append(Forecasts, rows.with_columns(pl.col("^q[0-9]+$", "mean") * scale))


def predicted_days(store: Store, median_ugm3: float, *, issued_at, stations: Sequence[str]) -> None:
    """Day forecasts of PM2.5 whose median is `median_ugm3` on each of three days."""
    rows = [
        {
            "scope": "station",
            "station_id": station_id,
            "pollutant": "pm25",
            "statistic": "mean_24h",
            "day": issued_at.date() + day * DAY,
            "issued_at": issued_at,
            "day_ahead": day,
            "n_hours": 24,
            "n_observed": 0,
            "mean": median_ugm3,
            **{name: median_ugm3 * factor for name, factor in zip(QUANTILES, np.exp(0.4 * STEPS), strict=True)},
            **{f"p_exceed_{key}": None for key in LIMIT_KEYS},
            "status": "ok",
            "model_version": "1",
        }
        for station_id in stations
        for day in range(3)
    ]
    store.append(DayForecasts, pl.DataFrame(rows, schema=DayForecasts.create_empty().schema))


def shipped_rules(config: Path, *, languages: str) -> Rules:
    """The rules shipped, with messages to the public in some languages."""
    text = (ROOT / "config" / "alerts.yaml").read_text().replace("languages: [en]", f"languages: [{languages}]")
    (config / "alerts.yaml").write_text(text)
    return read_rules([config])


def test_the_public_reads_probability_interval_and_share_of_stations_in_its_languages(
    tmp_path: Path, store: Store, webhook, receiver
):
    rules = shipped_rules(tmp_path, languages="sv, fi, en")
    predicted(store, 30, issued_at=NOW)
    first, second = store.read(Stations)["station_id"].sort()
    predicted_days(store, 60, issued_at=NOW, stations=[first])
    predicted_days(store, 10, issued_at=NOW, stations=[second])
    alert(store, rules, [webhook], now=NOW)
    message = receiver.messages[0]
    assert message["title"].startswith("Hazecast: öppnad: Höga partikelhalter: PM2.5 vid ")
    reason = message["events"][0]["reason"]
    assert "dygnsmedelvärde överskrider 50 µg/m³ med sannolikheten 68 %" in reason
    assert "vuorokausikeskiarvo ylittää arvon 50 µg/m³" in reason
    assert "the 24-hour mean is above 50 µg/m³ with a probability of 68 %; median 60, 80 % interval 36 to 100" in reason
    assert "1 of 2 stations reach the threshold of 40 %" in reason


def test_an_episode_of_day_means_opens_before_the_median_reaches_the_value_and_ends(store: Store, webhook, receiver):
    rules = read_rules([ROOT / "config"])
    for day, median in enumerate([20, 47, 45, 30, 20]):
        issued_at = NOW + day * DAY
        predicted(store, 20, issued_at=issued_at)
        stations = store.read(Stations)["station_id"].to_list()
        predicted_days(store, median, issued_at=issued_at, stations=stations)
        alert(store, rules, [webhook], now=issued_at)
        alert(store, rules, [webhook], now=issued_at + 7 * HOUR)
    words = [message["events"][0]["event_word"] for message in receiver.messages]
    assert (words[0], words[-1]) == ("opened", "resolved")


def test_an_unknown_language_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="languages: unknown xx; known: en, fi, sv"):
        shipped_rules(tmp_path, languages="en, xx")


def test_the_public_hears_of_an_episode_once_and_of_its_end(store: Store, webhook, receiver):
    peaks = [30, 60, 55, 45, 60, 30]  # 45 lies between closing and opening: nothing changes
    for day, peak in enumerate(peaks):
        issued_at = NOW + day * DAY
        predicted(store, peak, issued_at=issued_at)
        alert(store, RULES, [webhook], now=issued_at)
    words = [[event["event_word"] for event in message["events"]] for message in receiver.messages]
    assert words[0] == ["opened", "opened"]
    assert words[-1] == ["resolved", "resolved"]
    assert all(word == "updated" for events in words[1:-1] for word in events)
    assert store.read(Alerts).height == 2
    event = receiver.messages[0]["events"][0]
    assert event["audience"] == "public"
    assert "highest hour 60 µg/m³, above 50" in event["reason"]


def test_an_old_forecast_neither_warns_nor_gives_the_all_clear(store: Store, webhook, receiver):
    predicted(store, 60, issued_at=NOW)
    alert(store, RULES, [webhook], now=NOW + 3 * DAY)
    assert receiver.bodies == []


def test_operators_and_public_never_read_each_other_s_mail(store: Store, receiver):
    verdict(store, "harbour pm25", "warning", now=NOW)
    predicted(store, 60, issued_at=NOW)
    base = f"json://127.0.0.1:{receiver.port}"
    made = channels(operator_urls=[f"{base}/ops"], public_urls=[f"{base}/public"], webhooks=[], secret="")
    alert(store, RULES, made, now=NOW)
    ops, public = receiver.messages
    assert "Data quality" in ops["message"] and "High levels" not in ops["message"]
    assert "High levels" in public["message"] and "Data quality" not in public["message"]


def test_quiet_weeks_are_silent(store: Store, webhook, receiver):
    """Three weeks of healthy verdicts and clean forecasts by the rules that are shipped: not one message."""
    rules = read_rules([ROOT / "config"])
    for day in range(21):
        now = NOW + day * DAY
        verdict(store, "harbour pm25", "ok", now=now)
        if day % 7 == 0:
            predicted(store, 30, issued_at=now)
        alert(store, rules, [webhook], now=now)
    assert receiver.bodies == []


def test_the_shipped_rules_cover_every_check_and_are_documented():
    rules = read_rules([ROOT / "config"])
    checks = {check for rule in rules.operators for check in rule.checks}
    assert {"skill", "coverage", "drift", "freshness", "silent", "source", "forecast_age", "pipeline"} <= checks
    assert {p.value for rule in rules.public for p in rule.above_ugm3} == {"pm25", "pm10", "no2", "o3", "so2"}
    text = (ROOT / "docs" / "alerts.md").read_text()
    assert all(f"`{rule.name}`" in text for rule in (*rules.operators, *rules.public))


def test_rules_of_one_s_own_come_first_and_errors_name_the_key(tmp_path: Path):
    mine = tmp_path / "alerts.yaml"
    mine.write_text("operators: []\n")
    assert read_rules([tmp_path, ROOT / "config"]) == Rules()
    assert read_rules([tmp_path / "nowhere"]) == Rules()
    mine.write_text("operators:\n  - {name: a, label: A, checks: [sklil]}\n")
    with pytest.raises(SettingsError, match=r"operators\.0\.checks.*unknown check sklil"):
        read_rules([tmp_path])
    mine.write_text("operators: [")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_rules([tmp_path])
