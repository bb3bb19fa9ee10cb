"""The commands: help that teaches, errors for people, one screen of status."""

from pathlib import Path

import pytest
from terminal import hazecast_says, said

from hazecast.cli.commands import app as commands
from ports import free_port


@pytest.fixture
def hazecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hazecast.cli.commands.console.width", 160, raising=False)

    return hazecast_says


def test_help_teaches_the_order_of_the_commands(hazecast):
    text = said(hazecast("--help"))
    for word in ("up", "run", "collect", "train", "forecast", "status", "doctor", "HAZECAST_HOME"):
        assert word in text


@pytest.mark.parametrize("command", [info.name or info.callback.__name__ for info in commands.registered_commands])
def test_every_command_has_help(command: str, hazecast):
    result = hazecast(command, "--help")
    assert result.exit_code == 0
    assert len(said(result)) > 100


def test_status_of_nothing_says_what_to_do(hazecast):
    result = hazecast("status", "--source", "simulated")
    assert result.exit_code == 0
    assert "SIMULATED" in said(result)
    assert "hazecast collect" in said(result)


def test_status_after_a_collection_shows_what_is_stored(hazecast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_HISTORY_DAYS", "40")
    assert hazecast("collect", "--source", "simulated", "--now", "2026-06-01T00:00Z").exit_code == 0
    text = said(hazecast("status", "--source", "simulated", "--now", "2026-06-01T00:00Z"))
    assert "5,760" in text
    assert "2026-05-31 23:00" in text
    assert "REPLAYED CLOCK" in text
    assert "champion none yet" in text


def test_doctor_finds_nothing_wrong_on_a_good_machine(hazecast, monkeypatch: pytest.MonkeyPatch):
    for name in ("API", "DASHBOARD", "MLFLOW", "PREFECT", "WORKER"):
        monkeypatch.setenv(f"HAZECAST_{name}_PORT", str(free_port()))
    result = hazecast("doctor", "--source", "simulated")
    assert "is writable" in said(result)
    assert "simulated offers 6 stations" in said(result)
    assert result.exit_code == 0, said(result)


def test_doctor_names_what_is_wrong_and_fails(hazecast, tmp_path: Path):
    result = hazecast("doctor", "--data", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "nowhere" in said(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("status", "--now", "2016-06-01"), "HAZECAST_NOW"),
        (("collect", "--source", "files"), "HAZECAST_DATA"),
        (("collect", "--source", "moon"), "HAZECAST_SOURCE"),
        (("train", "--source", "simulated"), "hazecast collect"),
    ],
)
def test_errors_are_one_line_for_people(arguments: tuple[str, ...], message: str, hazecast):
    result = hazecast(*arguments)
    assert result.exit_code == 1
    assert message in said(result)
    assert "Traceback" not in said(result)


def test_a_home_that_cannot_be_made_names_its_setting(hazecast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "file" / "home"))
    result = hazecast("status", "--source", "simulated")
    assert result.exit_code == 1
    assert "HAZECAST_HOME" in said(result)


def test_the_same_commands_work_on_s3(hazecast, monkeypatch: pytest.MonkeyPatch, s3_bucket: tuple[str, dict[str, str]]):
    root, options = s3_bucket
    monkeypatch.setenv("USE_S3", "true")
    monkeypatch.setenv("HAZECAST_S3_URI", root)
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, options[name])
    monkeypatch.setenv("HAZECAST_HISTORY_DAYS", "40")
    assert hazecast("run", "prediction", "--source", "simulated", "--now", "2026-06-01T00:00Z").exit_code == 0
    text = said(hazecast("status", "--source", "simulated", "--now", "2026-06-01T00:00Z"))
    assert f"{root}/simulated" in text
    assert "5,760" in text
    assert "baseline" in text
