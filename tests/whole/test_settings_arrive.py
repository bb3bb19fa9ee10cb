"""From each setting to the process that needs it: a line of `.env`, a secret in a file, every service of compose."""

import re
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import yaml

from hazecast.settings import Service, is_secret, services_of, variable_of
from settings_given import GIVEN, LINES, missing, seen_by

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infrastructure"), str(ROOT / "infrastructure" / "containers")]
forms, make_secrets = import_module("settings"), import_module("make_secrets")

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("path", forms.written(), ids=lambda path: path.name)
def test_every_form_lists_every_setting(path: Path):
    assert path.read_text() == forms.written()[path], "run `make settings`"


def test_every_line_of_env_arrives_in_a_local_process(tmp_path: Path):
    (tmp_path / ".env").write_text("".join(f"{variable}={value}\n" for variable, value in LINES.items()))
    assert missing(seen_by({}, tmp_path), list(GIVEN)) == {}


def test_every_secret_can_be_a_file(tmp_path: Path):
    secret = [name for name in GIVEN if is_secret(name)]
    environment = {}
    for name in secret:
        (tmp_path / name).write_text(f"{GIVEN[name]}\n")
        environment[f"{variable_of(name)}_FILE"] = str(tmp_path / name)
    assert missing(seen_by(environment, tmp_path), secret) == {}


@pytest.fixture(scope="module")
def distributed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service `secrets` gives to each service, where `.env` has every setting."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "checkout").mkdir()
    (folder / "checkout" / ".env").write_text("".join(f"{name}={value}\n" for name, value in LINES.items()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_secrets, "CHECKOUT", folder / "checkout")
        patch.setattr(make_secrets, "DISTRIBUTED", folder)
        patch.setattr(make_secrets.os, "chown", lambda *_: None)  # files may stay with this user
        make_secrets.main()
    return folder


CONTAINER: dict[Service, str] = {"metrics": "stack-metrics"}


@pytest.mark.parametrize("service", get_args(Service))
def test_every_setting_arrives_in_the_services_of_compose(service: Service, distributed: Path, tmp_path: Path):
    container = COMPOSE["services"][CONTAINER.get(service, service)]
    environment = {name: rendered(name, value, LINES) for name, value in container["environment"].items()}
    secret = {variable_of(name) for name in GIVEN if is_secret(name)}
    assert not secret & set(environment)
    given = {name: text for name, text in environment.items() if text is not None}
    found = seen_by(given, tmp_path, secrets=distributed / service)
    needed = [name for name in GIVEN if service in services_of(name)]
    assert needed
    fixed = {name for name in needed if name in forms.IN_COMPOSE and name != "aws_region"}
    assert missing(found, [name for name in needed if name not in fixed]) == {}
    for name in fixed - {"allowed_hosts"}:
        assert found[name] == forms.IN_COMPOSE[name]
    if "allowed_hosts" in needed:
        assert found["allowed_hosts"] == f"mlflow,prefect,{GIVEN['allowed_hosts']}"


def rendered(name: str, value: object, lines: Mapping[str, str]) -> str | None:
    """The value that compose gives to a variable: null passes a line on, ${NAME:-default} is replaced."""
    if value is None:
        return lines.get(name)
    text = str(value)
    while found := re.search(r"\$\{(\w+)(?::-([^${}]*))?\}", text):
        text = text[: found.start()] + (lines.get(found[1]) or found[2] or "") + text[found.end() :]
    return text


def test_a_secret_given_twice_is_refused(tmp_path: Path):
    (tmp_path / "key").write_text("one")
    environment = {"HAZECAST_OPENAQ_API_KEY": "two", "HAZECAST_OPENAQ_API_KEY_FILE": str(tmp_path / "key")}
    with pytest.raises(AssertionError, match="both HAZECAST_OPENAQ_API_KEY and HAZECAST_OPENAQ_API_KEY_FILE are set"):
        seen_by(environment, tmp_path)


def test_a_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(AssertionError, match="/nowhere cannot be read"):
        seen_by({"PREFECT_API_KEY_FILE": "/nowhere"}, tmp_path)
