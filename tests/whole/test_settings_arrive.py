"""From each setting to the process that needs it: a line of `.env`, a secret in a file, every service of compose."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from hazecast.settings import Service, Settings, is_secret, services_of, variable_of

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infrastructure"), str(ROOT / "infrastructure" / "containers")]
forms, make_secrets = import_module("settings"), import_module("make_secrets")

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
# Where only some values are valid; any other setting takes a value made from its type and its name.
VALID: dict[str, object] = {
    "source": "files",
    "data": "/tmp/town",
    "now": "2016-06-01T00:00:00Z",
    "horizon_hours": 96,
    "schedule_timezone": "Europe/Helsinki",
    "use_s3": True,
    "s3_uri": "s3://air/tables",
    "log_format": "json",
    "history_days": 41,
}


def another(name: str) -> object:
    """A valid value of the setting that is not its default."""
    field = Settings.model_fields[name]
    if name in VALID:
        return VALID[name]
    if isinstance(field.default, bool):
        return not field.default
    if isinstance(field.default, int | float):
        return field.default + 7
    return f"/of/{name}" if field.annotation in (Path, Path | None) else f"another-{name}"


GIVEN = {name: another(name) for name in Settings.model_fields}
LINES = {
    variable_of(name): str(value).lower() if isinstance(value, bool) else str(value) for name, value in GIVEN.items()
}
SEEN = """
import json
from hazecast.settings import is_secret, load_settings
settings = load_settings()
def plain(name):
    value = getattr(settings, name)
    return value.get_secret_value() if is_secret(name) else value
print(json.dumps({name: plain(name) for name in type(settings).model_fields}, default=str))
"""


def seen_by(command: list[str], environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Every setting as a process in this environment and folder reads it."""
    usual = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, *command, sys.executable, "-c", SEEN] if command else [sys.executable, "-c", SEEN],
        env=usual | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def missing(found: Mapping[str, Any], names: list[str]) -> dict[str, object]:
    """The settings that did not arrive, with what arrived instead."""
    expected = {"now": "2016-06-01 00:00:00+00:00"}
    return {name: found[name] for name in names if str(found[name]) != expected.get(name, str(GIVEN[name]))}


@pytest.mark.parametrize("path", forms.written(), ids=lambda path: path.name)
def test_every_form_lists_every_setting(path: Path):
    assert path.read_text() == forms.written()[path], "run `make settings`"


def test_every_line_of_env_arrives_in_a_local_process(tmp_path: Path):
    (tmp_path / ".env").write_text("".join(f"{variable}={value}\n" for variable, value in LINES.items()))
    assert missing(seen_by([], {}, tmp_path), list(GIVEN)) == {}


def test_every_secret_can_be_a_file(tmp_path: Path):
    secret = [name for name in GIVEN if is_secret(name)]
    environment = {}
    for name in secret:
        (tmp_path / name).write_text(f"{GIVEN[name]}\n")
        environment[f"{variable_of(name)}_FILE"] = str(tmp_path / name)
    assert missing(seen_by([], environment, tmp_path), secret) == {}


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
    # The entrypoint of every image, with the folder that is mounted at /run/secrets.
    entrypoint = (ROOT / "infrastructure/containers/with_secrets.py").read_text()
    script = tmp_path / "with_secrets.py"
    script.write_text(entrypoint.replace('"/run/secrets"', repr(str(distributed / service))))
    found = seen_by([str(script)], {name: text for name, text in environment.items() if text is not None}, tmp_path)
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
        seen_by([], environment, tmp_path)


def test_a_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(AssertionError, match="/nowhere cannot be read"):
        seen_by([], {"PREFECT_API_KEY_FILE": "/nowhere"}, tmp_path)
