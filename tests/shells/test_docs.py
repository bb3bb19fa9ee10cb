"""The documents promise only what is there."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from hazecast.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GROUP = get_command(app)
COMMANDS = set(GROUP.list_commands(None))
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_links_lead_somewhere(document: Path):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    absent = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not absent


def test_commands_exist(document: Path):
    text = document.read_text()
    assert set(re.findall(r"\bhazecast ([a-z]+)\b(?=[`\s])", _code(text))) <= COMMANDS
    assert set(re.findall(r"\bmake ([a-z-]+)\b", _code(text))) <= TARGETS


def test_options_exist(document: Path):
    asked = [line.split() for line in re.findall(r"\bhazecast (\w[^\n|#]*)", _code(document.read_text()))]
    asked += [["up", *words.split()] for words in re.findall(r'make run ARGS="([^"]*)"', document.read_text())]
    assert [" ".join(words) for words in asked if not _options(words) <= _known_options(words)] == []


def test_the_readme_shows_every_command():
    text = (ROOT / "README.md").read_text()
    assert [command for command in COMMANDS - {"serve", "version"} if f"`{command}" not in text] == []


def _code(text: str) -> str:
    """What stands in code: blocks and backticks."""
    parts = re.findall(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    return "\n".join(block or inline for block, inline in parts)


def _options(words: list[str]) -> set[str]:
    """The long options among the words of a command line."""
    return {found for word in words for found in re.findall(r"^\[?(--[a-z][a-z-]*)", word)}


def _known_options(words: list[str]) -> set[str]:
    """The options of the command the words begin with, or of a group and its commands together."""
    command = GROUP.commands[words[0]]
    commands = [command, *getattr(command, "commands", {}).values()]
    options = {name for one in commands for param in one.params for name in [*param.opts, *param.secondary_opts]}
    return options | {"--help"}
