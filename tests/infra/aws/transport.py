"""Ignore policy statements about requests without TLS: the emulator serves plain HTTP on loopback."""

from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}
_is_permitted = IAMPolicyStatement.is_action_permitted


def is_action_permitted(self: IAMPolicyStatement, *args: Any, **more: Any) -> PermissionResult:
    if self._statement.get("Condition") == WITHOUT_TLS:
        return PermissionResult.NEUTRAL
    return _is_permitted(self, *args, **more)


IAMPolicyStatement.is_action_permitted = is_action_permitted  # type: ignore[method-assign, assignment]
