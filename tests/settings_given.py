"""A value other than the default for every setting, and what a real process sees of them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hazecast.settings import Settings, variable_of

ROOT = Path(__file__).resolve().parents[1]
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
_SEEN = """
import json
from hazecast.settings import is_secret, load_settings
settings = load_settings()
def plain(name):
    value = getattr(settings, name)
    return value.get_secret_value() if is_secret(name) else value
print(json.dumps({name: plain(name) for name in type(settings).model_fields}, default=str))
"""


def seen_by(environment: Mapping[str, str], folder: Path, *, secrets: Path | None = None) -> dict[str, Any]:
    """Every setting as a process in this environment and folder reads it.

    `secrets`: the process is started by the entrypoint of the images, with this folder mounted at /run/secrets.
    """
    command = [sys.executable, "-c", _SEEN]
    if secrets is not None:
        entrypoint = (ROOT / "infrastructure" / "containers" / "with_secrets.py").read_text()
        script = folder / "with_secrets.py"
        script.write_text(entrypoint.replace('"/run/secrets"', repr(str(secrets))))
        command = [sys.executable, str(script), *command]
    usual = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run(
        command, env=usual | environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def missing(found: Mapping[str, Any], names: list[str]) -> dict[str, object]:
    """The settings that did not arrive, with what arrived instead."""
    expected = {"now": "2016-06-01 00:00:00+00:00"}
    return {name: found[name] for name in names if str(found[name]) != expected.get(name, str(GIVEN[name]))}
