"""Attributes that moto accepts but does not return, which would show as drift in every plan."""

import json
from typing import Any
from urllib.parse import unquote

import moto.rds.models as rds
from moto.backup.responses import BackupResponse as Backup
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.kms.responses import KmsResponse as Kms
from moto.s3.responses import S3Response as Storage

_enable_rotation, _rotation_status = Kms.enable_key_rotation, Kms.get_key_rotation_status
_make_instance, _update_parameters = rds.DBInstance.__init__, rds.DBParameterGroup.update_parameters
_read_replication, _get_replication = Storage._replication_config_from_xml, Storage.get_bucket_replication
_rotation_days: dict[str, int] = {}
_replications: dict[str, str] = {}


def enable_key_rotation(self: Kms) -> str:
    request = json.loads(self.body)
    _rotation_days[request["KeyId"]] = request.get("RotationPeriodInDays", 365)
    return _enable_rotation(self)


def get_key_rotation_status(self: Kms) -> str:
    status = json.loads(_rotation_status(self))
    if status["KeyRotationEnabled"]:
        status["RotationPeriodInDays"] = _rotation_days.get(json.loads(self.body)["KeyId"], 365)
    return json.dumps(status)


def make_instance(self: Any, *args: Any, **options: Any) -> None:
    _make_instance(self, *args, **options)
    self.monitoring_interval = options.get("monitoring_interval", 0)
    self.monitoring_role_arn = options.get("monitoring_role_arn")
    self.performance_insights_enabled = options.get("enable_performance_insights", False)
    self.performance_insights_kms_key_id = options.get("performance_insights_kms_key_id")
    if self.performance_insights_enabled:
        self.performance_insights_retention_period = options.get("performance_insights_retention_period", 7)


def update_parameters(self: Any, parameters: Any) -> None:
    _update_parameters(self, [{**one, "Source": "user"} for one in parameters])


def list_tags(self: Any) -> str:
    resource = unquote(self.path.split("/tags/", 1)[1]).rstrip("/")
    return json.dumps({"Tags": self.backup_backend.list_tags(resource_arn=resource)})


def read_replication(self: Any, xml: str) -> dict[str, Any]:
    _replications[self.bucket_name] = xml
    return _read_replication(self, xml)


def get_replication(self: Any) -> Any:
    found = _get_replication(self)
    return _replications[self.bucket_name] if self.backend.get_bucket_replication(self.bucket_name) else found


def _description(rule: Any) -> str | None:
    return rule.ip_range.get("Description") or rule.source_group.get("Description")


Kms.enable_key_rotation, Kms.get_key_rotation_status = enable_key_rotation, get_key_rotation_status
rds.DBInstance.__init__ = make_instance
rds.DBParameterGroup.update_parameters = update_parameters
Backup.list_tags = list_tags
Storage._replication_config_from_xml, Storage.get_bucket_replication = read_replication, get_replication
SecurityGroupRule.description = property(_description)  # type: ignore[attr-defined]  # moto has no such attribute
