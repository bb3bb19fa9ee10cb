"""From the Terraform variable of each setting, through the applied task definitions, to a process of the task."""

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from cloud import ROOT

from hazecast.settings import Settings, services_of

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "infrastructure")]
settings_given, forms = import_module("settings_given"), import_module("settings")

FAMILIES = {"worker": "worker", "api": "api", "metrics": "watch", "dashboard": "dashboard"}
VARIABLES = [name for name in Settings.model_fields if services_of(name) and name not in forms.OF_TERRAFORM]
# The API's keys are given as a text and arrive as a file.
KEYS = "{}"


def given() -> dict[str, str]:
    """Environment in which Terraform has a value for every variable of a setting."""
    return {f"TF_VAR_{name}": str(settings_given.GIVEN[name]) for name in VARIABLES} | {"TF_VAR_api_keys": KEYS}


def missing(client: Any, name: str) -> dict[str, dict[str, object]]:
    """What did not arrive, by service; `client` makes a client of an AWS service, `name` is the prefix of the tasks."""
    found = {}
    for service, family in FAMILIES.items():
        needed = [setting for setting in VARIABLES if service in services_of(setting)]
        seen = _seen(client, f"{name}-{family}")
        absent = settings_given.missing(seen, needed)
        if service == "api" and Path(seen["api_keys"] or "").name != "HAZECAST_API_KEYS":
            absent["api_keys"] = seen["api_keys"]
        if service in ("worker", "api") and not seen["mlflow_tracking_password"]:
            absent["mlflow_tracking_password"] = ""
        found[service] = absent
    return {service: absent for service, absent in found.items() if absent}


def _seen(client: Any, family: str) -> dict[str, Any]:
    """Every setting as a process with the environment and the secrets of the newest revision reads it."""
    described = client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]
    [container] = described["containerDefinitions"]
    environment = {one["name"]: one["value"] for one in container["environment"]}
    environment |= {one["name"]: _secret(client("secretsmanager"), one["valueFrom"]) for one in container["secrets"]}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "none").mkdir()
        return settings_given.seen_by(environment, Path(folder), secrets=Path(folder) / "none")


def _secret(manager: Any, reference: str) -> str:
    """The value of an ARN, or of one key of its JSON (ARN:key::)."""
    parts = reference.split(":")
    value = manager.get_secret_value(SecretId=":".join(parts[:7]))["SecretString"]
    return str(json.loads(value)[parts[7]]) if len(parts) > 7 else str(value)
