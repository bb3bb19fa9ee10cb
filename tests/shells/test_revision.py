"""The revision of the code that trained a model: from the setting, from git, or unknown."""

import pytest

from hazecast.wiring import git_revision


def test_the_image_says_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_REVISION", "abc123")
    assert git_revision() == "abc123"


@pytest.mark.parametrize("said", [None, ""])
def test_an_image_that_says_nothing_has_no_git_to_ask_either(monkeypatch: pytest.MonkeyPatch, said: str | None):
    if said is None:
        monkeypatch.delenv("HAZECAST_REVISION", raising=False)
    else:
        monkeypatch.setenv("HAZECAST_REVISION", said)
    monkeypatch.setenv("PATH", "")
    assert git_revision() == "unknown"
