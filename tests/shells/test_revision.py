"""The git revision recorded with a training: from the setting, from git, or unknown."""

from pathlib import Path

import pytest

from hazecast.settings import load_settings
from hazecast.wiring import git_revision


@pytest.fixture(autouse=True)
def without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)


def test_the_setting_wins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_REVISION", "abc123")
    assert git_revision(load_settings()) == "abc123"


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_setting_and_without_git_it_is_unknown(monkeypatch: pytest.MonkeyPatch, value: str | None):
    if value is None:
        monkeypatch.delenv("HAZECAST_REVISION", raising=False)
    else:
        monkeypatch.setenv("HAZECAST_REVISION", value)
    assert git_revision(load_settings()) == "unknown"
