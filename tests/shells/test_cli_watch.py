"""`hazecast verify`, `monitor` and `alerts` on a terminal."""

import re
from pathlib import Path

import pytest
import small_store
from terminal import invoke, output_of

from hazecast.air.verdicts import Alerts, Health, Verification
from hazecast.store import Store

CLOCK = ("--source", "simulated", "--now", small_store.NOW.isoformat())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("hazecast.cli.commands.console.width", 200, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Store:
    return small_store.fill(home / "tables" / "simulated")


def test_verify_scores_what_was_observed_and_shows_it(store: Store):
    result = invoke("verify", *CLOCK)
    assert result.exit_code == 0, output_of(result)
    rows = store.read(Verification)
    assert rows["n"].sum() > 0
    for word in ("pm25", "rMAE", "1-6", "in 80 %", "FAIRMODE indicator of no2, day 1"):
        assert word in output_of(result)
    before = store.version(Verification)
    invoke("verify", *CLOCK)
    assert store.version(Verification) == before


def test_monitor_shows_the_verdicts_and_the_decision(store: Store):
    invoke("verify", *CLOCK)
    result = invoke("monitor", *CLOCK)
    assert result.exit_code == 0, output_of(result)
    text = output_of(result)
    assert "completeness" in text
    assert "retrain: there is no champion" in text
    assert store.read(Health).height > 10


def test_a_dry_run_shows_the_messages_and_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_ALERT_URLS", "json://127.0.0.1:9/never-called")
    invoke("monitor", *CLOCK)
    later = ("--source", "simulated", "--now", "2026-04-02T00:00Z")
    invoke("monitor", *later)
    text = output_of(invoke("alerts", *later, "--dry-run"))
    assert re.search(r"json-[0-9a-f]{8} would be sent: Hazecast: opened: Infrastructure", text)
    assert "never-called" not in text
    assert store.version(Alerts) is None


def test_a_replayed_clock_tells_nobody(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_ALERT_WEBHOOKS", "http://127.0.0.1:9/never-called")
    later = ("--source", "simulated", "--now", "2026-04-02T00:00Z")
    invoke("monitor", *later)
    result = invoke("alerts", *later)
    assert result.exit_code == 0, output_of(result)
    assert "no notifications: the clock is replayed" in output_of(result)
    assert "open operators: Infrastructure" in output_of(result)
    assert "open" in set(store.read(Alerts)["state"])


def test_a_trial_without_channels_says_which_settings_are_meant(home: Path):
    result = invoke("alerts", "--source", "simulated", "--trial")
    assert result.exit_code == 1
    assert "HAZECAST_ALERT_URLS" in output_of(result)


def test_a_trial_that_fails_names_the_channel(home: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int):
    import stamina

    monkeypatch.setenv("HAZECAST_ALERT_WEBHOOKS", f"http://127.0.0.1:{unused_port}/token")
    with stamina.set_testing(True):
        result = invoke("alerts", "--source", "simulated", "--trial")
    assert result.exit_code == 1
    assert "is unreachable" in output_of(result)
    assert "token" not in output_of(result)


def test_wrong_rules_are_one_line_for_people(store: Store, home: Path, monkeypatch: pytest.MonkeyPatch):
    folder = home.parent / "mine"
    folder.mkdir()
    (folder / "alerts.yaml").write_text("operators:\n  - {name: a, label: A, checks: [sklil]}\n")
    monkeypatch.setenv("HAZECAST_CONFIG", str(folder))
    result = invoke("alerts", *CLOCK)
    assert result.exit_code == 1
    assert "unknown check sklil" in output_of(result)
    assert "Traceback" not in output_of(result)
