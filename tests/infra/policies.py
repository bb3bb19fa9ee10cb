"""Which policies of an applied state give more than anybody here needs. Before it is applied they are not known."""

import json
from collections.abc import Iterator
from typing import Any

# AWS knows no narrower resource for these: a registry's token, and the channels of ECS Exec.
_WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken"}
# An endpoint policy grants nothing, it only limits: workers read public archives through the S3 endpoint.
_BOUND = "aws_vpc_endpoint"
_ATTACHED = "arn:aws:iam::aws:policy/"


def policies(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Policy documents in a state (`terraform show -json`), by resource address."""
    return {
        f"{one['address']}.{name}": json.loads(text)
        for one in _resources(state["values"]["root_module"])
        for name in ("policy", "assume_role_policy")
        if one["mode"] == "managed"
        and one["type"] != _BOUND
        and (text := one["values"].get(name))
        and text.startswith("{")
    }


def attached(state: dict[str, Any]) -> set[str]:
    """AWS-managed policies attached to roles."""
    found = (one["values"] for one in _resources(state["values"]["root_module"]))
    return {one["policy_arn"].removeprefix(_ATTACHED) for one in found if "policy_arn" in one and "role" in one}


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)


def excesses(address: str, policy: dict[str, Any]) -> Iterator[str]:
    """Excessive permissions: all actions, all resources without need, or all principals."""
    for statement in _list(policy.get("Statement", [])):
        if statement["Effect"] != "Allow":
            continue
        actions, resources = set(_list(statement["Action"])), _list(statement.get("Resource", []))
        is_key = address.endswith("aws_kms_key.this.policy") or "aws_kms_key.this[" in address
        if any(action == "*" or action.endswith(":*") for action in actions) and not is_key:
            yield f"{address} allows {sorted(actions)}"
        if "*" in resources and not is_key and not actions <= _WITHOUT_RESOURCE:
            yield f"{address} allows {sorted(actions)} on everything"
        if statement.get("Principal") in ("*", {"AWS": "*"}) and "Condition" not in statement:
            yield f"{address} allows {sorted(actions)} to all principals"


def silences(address: str, policy: dict[str, Any]) -> Iterator[str]:
    """Statements that block EventBridge: it sends no source account, so a condition on it never matches."""
    for statement in _list(policy.get("Statement", [])):
        principal = statement.get("Principal", {})
        services = _list(principal.get("Service", [])) if isinstance(principal, dict) else []
        if statement["Effect"] == "Allow" and "events.amazonaws.com" in services and "Condition" in statement:
            yield f"{address} allows EventBridge nothing"


def _list(one_or_many: Any) -> list[Any]:
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]
