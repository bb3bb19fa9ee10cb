"""Actions that the Terraform provider calls and moto lacks; each returns what was stored."""

import json
import time
from collections import defaultdict
from typing import Any
from uuid import uuid4

import moto.backup.urls as backup_urls
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Scaling
from moto.backup.responses import BackupResponse as Backup
from moto.budgets.responses import BudgetsResponse as Budgets
from moto.core.responses import BaseResponse

Answer = str | tuple[int, dict[str, str], str]
_kept: dict[tuple[str, str], dict[Any, Any]] = defaultdict(dict)
_register, _create_budget = Scaling.register_scalable_target, Budgets.create_budget


def _things(request: BaseResponse, kind: str) -> dict[Any, Any]:
    return _kept[(kind, request.current_account)]


def _refusal(kind: str, message: str) -> Answer:
    return 400, {"x-amzn-errortype": kind}, json.dumps({"message": message})


class ScalingTags:
    """Tags of scalable targets."""

    def register_scalable_target(self: Any) -> str:
        answer = json.loads(_register(self))
        _things(self, "scaling")[answer["ScalableTargetARN"]] = dict(self._get_param("Tags") or {})
        return json.dumps(answer)

    def list_tags_for_resource(self: Any) -> str:
        return json.dumps({"Tags": _things(self, "scaling").get(self._get_param("ResourceARN"), {})})

    def tag_resource(self: Any) -> str:
        _things(self, "scaling").setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags"))
        return "{}"


class BudgetDetails:
    """Subscribers and tags of a budget."""

    def create_budget(self: Any) -> Any:
        made = _create_budget(self)
        name = f"arn:aws:budgets::{self._get_param('AccountId')}:budget/{self._get_param('Budget')['BudgetName']}"
        _things(self, "budget")[name] = self._get_param("ResourceTags") or []
        return made

    def list_tags_for_resource(self: Any) -> str:
        return json.dumps({"ResourceTags": _things(self, "budget").get(self._get_param("ResourceARN"), [])})

    def describe_subscribers_for_notification(self: Any) -> str:
        budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
        wanted = self._get_param("Notification")
        found = [one.subscribers for one in budget.notifications if _is_same(one.details, wanted)]
        return json.dumps({"Subscribers": found[0] if found else []})


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one["NotificationType"] == other["NotificationType"] and float(one["Threshold"]) == float(other["Threshold"])


class BackupParts:
    """Backup selections and notifications."""

    def create_backup_selection(self: Any) -> str:
        plan, made = self.path.split("/plans/")[1].split("/")[0], {"SelectionId": str(uuid4())}
        made |= {"BackupPlanId": plan, "CreationDate": time.time()}
        _things(self, "selection")[made["SelectionId"]] = made | json.loads(self.body)
        return json.dumps(made)

    def get_backup_selection(self: Any) -> Answer:
        found = _things(self, "selection").get(self.path.strip("/").split("/")[4])
        return json.dumps(found) if found else _refusal("InvalidParameterValueException", "Cannot find Backup plan")

    def delete_backup_selection(self: Any) -> str:
        _things(self, "selection").pop(self.path.strip("/").split("/")[4], None)
        return "{}"

    def put_backup_vault_notifications(self: Any) -> str:
        _things(self, "vault")[_vault(self)] = {"BackupVaultName": _vault(self), **json.loads(self.body)}
        return "{}"

    def get_backup_vault_notifications(self: Any) -> Answer:
        found = _things(self, "vault").get(_vault(self))
        return json.dumps(found) if found else _refusal("ResourceNotFoundException", "not found")

    def delete_backup_vault_notifications(self: Any) -> str:
        _things(self, "vault").pop(_vault(self), None)
        return "{}"

    def list_recovery_points_by_backup_vault(self: Any) -> str:
        return json.dumps({"RecoveryPoints": []})


def _vault(request: Any) -> str:
    return str(request.path.split("/backup-vaults/")[1].split("/")[0])


def _add(service: type[BaseResponse], actions: type) -> None:
    for name, action in vars(actions).items():
        if not name.startswith("_"):
            setattr(service, name, action)


_add(Scaling, ScalingTags)
_add(Budgets, BudgetDetails)
_add(Backup, BackupParts)
for _path in ("notification-configuration$", "recovery-points/?$"):
    backup_urls.url_paths["{0}/backup-vaults/(?P<name>[^/]+)/" + _path] = backup_urls.response.dispatch
