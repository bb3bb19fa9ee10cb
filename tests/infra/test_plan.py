"""The Terraform plan of production: sizes, counts, encryption, network exposure, permissions."""

import json
import re
from datetime import UTC, datetime

import pytest
import yaml
from cloud import OIDC, ROOT, SOURCE, Resources, Terraform, of

from hazecast.cli.queue import QueueDepth

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SIZES = {"api": (1024, 2048), "dashboard": (512, 1024), "mlflow": (1024, 2048), "worker": (2048, 4096)}


@pytest.mark.parametrize("name", SIZES)
def test_task_sizes_match_the_guide(planned: Resources, name: str):
    [task] = of(planned, "aws_ecs_task_definition", f"module.{name}_task")
    assert (int(task["cpu"]), int(task["memory"])) == SIZES[name]


def test_service_counts_match_the_guide(planned: Resources):
    bounds = {
        one["resource_id"]: (one["min_capacity"], one["max_capacity"])
        for one in of(planned, "aws_appautoscaling_target")
    }
    cluster = "service/air-pollution-prediction-cluster"
    assert bounds == {f"{cluster}/air-pollution-api": (1, 10), f"{cluster}/air-pollution-worker": (1, 5)}
    assert of(planned, "aws_ecs_service", "module.dashboard")[0]["desired_count"] == 2


def test_only_interruptible_services_run_on_spot(planned: Resources):
    spot = {
        one["name"]
        for one in of(planned, "aws_ecs_service")
        if one["capacity_provider_strategy"][0]["capacity_provider"] == "FARGATE_SPOT"
    }
    assert spot == {"air-pollution-worker", "air-pollution-watch"}


def test_failed_deployments_are_rolled_back(planned: Resources):
    for service in of(planned, "aws_ecs_service"):
        assert service["deployment_circuit_breaker"] == [{"enable": True, "rollback": True}]
    assert of(planned, "aws_ecs_service", "module.api.")[0]["alarms"][0]["rollback"] is True


def test_database_is_encrypted_replicated_and_private(planned: Resources):
    [database] = of(planned, "aws_db_instance")
    on = (
        "storage_encrypted",
        "multi_az",
        "deletion_protection",
        "manage_master_user_password",
        "performance_insights_enabled",
    )
    assert [name for name in on if database[name] is not True] == []
    assert database["publicly_accessible"] is False
    assert database["engine"] == "postgres" and database["engine_version"].startswith("16")
    assert database["backup_retention_period"] == 30
    [parameters] = of(planned, "aws_db_parameter_group")
    assert {"name": "rds.force_ssl", "value": "1", "apply_method": "immediate"} in parameters["parameter"]


def test_buckets_are_encrypted_versioned_and_private(planned: Resources):
    buckets = len(of(planned, "aws_s3_bucket"))
    assert buckets == 7  # three, their replicas in another region, and the access logs
    locks = of(planned, "aws_s3_bucket_public_access_block")
    shut = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert len(locks) == buckets and all(lock[name] for lock in locks for name in shut)
    versions = of(planned, "aws_s3_bucket_versioning")
    assert len(versions) == buckets and all(
        one["versioning_configuration"][0]["status"] == "Enabled" for one in versions
    )
    ciphers = [
        one["rule"][0]["apply_server_side_encryption_by_default"][0]["sse_algorithm"]
        for one in of(planned, "aws_s3_bucket_server_side_encryption_configuration")
    ]
    assert sorted(ciphers) == ["AES256", *["aws:kms"] * 6]
    assert len(of(planned, "aws_s3_bucket_policy")) == buckets


def test_only_the_load_balancer_is_public(planned: Resources):
    """Without a domain it listens on port 80 only."""
    incoming = of(planned, "aws_vpc_security_group_ingress_rule")
    opened = [(one["description"], one["from_port"]) for one in incoming if one.get("cidr_ipv4") == "0.0.0.0/0"]
    assert opened == [("Visitors", 80)]
    public = [
        one["name"] for one in of(planned, "aws_ecs_service") if one["network_configuration"][0]["assign_public_ip"]
    ]
    assert public == []


def test_security_groups_allow_only_the_required_ports(planned: Resources):
    incoming = of(planned, "aws_vpc_security_group_ingress_rule", ".path[")
    outgoing = of(planned, "aws_vpc_security_group_egress_rule", ".path[")
    assert sorted((one["description"].removeprefix("From "), one["from_port"]) for one in incoming) == [
        ("api", 5000),
        *(("balancer", port) for port in (4200, 5000, 8000, 8501)),
        ("dashboard", 8000),
        ("mlflow", 5432),
        ("prefect", 5432),
        *(("worker", port) for port in (4200, 5000, 5432)),
    ]
    assert all(one["from_port"] == one["to_port"] for one in incoming + outgoing)
    assert len(outgoing) == len(incoming)


def test_two_zones_have_public_private_and_database_subnets_and_nat(planned: Resources):
    for kind in ("public", "private", "database"):
        assert len({one["availability_zone"] for one in of(planned, "aws_subnet", f"aws_subnet.{kind}[")}) == 2
    assert len(of(planned, "aws_nat_gateway")) == 2
    assert len(of(planned, "aws_flow_log")) == 1
    services = {one["service_name"].removeprefix("com.amazonaws.us-east-1.") for one in of(planned, "aws_vpc_endpoint")}
    assert services == {"s3", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "kms"}


def test_target_groups_use_the_health_paths_of_the_guide(planned: Resources):
    groups = {one["name"].removeprefix("air-pollution-"): one for one in of(planned, "aws_lb_target_group")}
    assert {name: one["health_check"][0]["path"] for name, one in groups.items()} == {
        "api": "/api/v1/health",
        "dashboard": "/_stcore/health",
    }
    assert groups["dashboard"]["stickiness"][0]["type"] == "lb_cookie"


def test_load_balancer_has_a_firewall(planned: Resources):
    [firewall] = of(planned, "aws_wafv2_web_acl")
    [rate] = [rule for rule in firewall["rule"] if rule["name"] == "rate"]
    assert rate["statement"][0]["rate_based_statement"][0]["limit"] == 2000
    assert len(firewall["rule"]) == 6
    assert len(of(planned, "aws_wafv2_web_acl_association")) == 1


def test_firewall_passes_the_bodies_of_predictions(planned: Resources):
    """AWSManagedRulesCommonRuleSet blocks bodies above 8 KiB; four weeks of hours are more."""
    rules = {rule["name"]: rule for rule in of(planned, "aws_wafv2_web_acl")[0]["rule"]}
    [managed] = rules["AWSManagedRulesCommonRuleSet"]["statement"][0]["managed_rule_group_statement"]
    [override] = managed["rule_action_override"]
    assert (override["name"], len(override["action_to_use"][0]["count"])) == ("SizeRestrictions_BODY", 1)
    labelled, elsewhere = rules["large-bodies"]["statement"][0]["and_statement"][0]["statement"]
    assert labelled["label_match_statement"][0]["key"] == "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"
    [path] = elsewhere["not_statement"][0]["statement"][0]["byte_match_statement"]
    assert path["search_string"] == "/api/v1/predict"
    assert rules["large-bodies"]["priority"] > rules["AWSManagedRulesCommonRuleSet"]["priority"]
    [limited] = rules["predictions"]["statement"][0]["rate_based_statement"]
    assert limited["limit"] == 100


def test_cluster_name_and_container_insights_match_the_guide(planned: Resources):
    [cluster] = of(planned, "aws_ecs_cluster")
    assert cluster["name"] == "air-pollution-prediction-cluster"
    assert cluster["setting"] == [{"name": "containerInsights", "value": "enabled"}]
    assert not any(one["enable_execute_command"] for one in of(planned, "aws_ecs_service"))


def test_backups_are_copied_to_another_region(planned: Resources):
    [rule] = of(planned, "aws_backup_plan")[0]["rule"]
    assert rule["lifecycle"][0]["delete_after"] == 30 and len(rule["copy_action"]) == 1
    assert len(of(planned, "aws_backup_vault")) == 2


def test_old_objects_and_images_expire(planned: Resources):
    rules = [one["rule"][0] for one in of(planned, "aws_s3_bucket_lifecycle_configuration")]
    assert all(rule["noncurrent_version_expiration"][0]["noncurrent_days"] <= 30 for rule in rules)
    assert len(of(planned, "aws_ecr_lifecycle_policy")) == 4


def test_images_are_immutable_scanned_and_encrypted(planned: Resources):
    repositories = of(planned, "aws_ecr_repository")
    assert {one["name"] for one in repositories} == {
        f"air-pollution/{name}" for name in ("api", "dashboard", "mlflow", "prefect")
    }
    for one in repositories:
        assert one["image_tag_mutability"] == "IMMUTABLE"
        assert one["image_scanning_configuration"] == [{"scan_on_push": True}]
        assert one["encryption_configuration"][0]["encryption_type"] == "KMS"


def test_log_groups_match_the_guide_and_have_a_retention(planned: Resources):
    groups = {one["name"]: one["retention_in_days"] for one in of(planned, "aws_cloudwatch_log_group")}
    assert "/ecs/air-pollution-api" in groups
    assert set(groups.values()) == {365}


def test_no_password_is_in_the_plan(planned: Resources, password: str):
    assert password not in json.dumps(planned)


def test_every_alarm_links_to_a_runbook(planned: Resources):
    text = (SOURCE.parents[1] / "docs" / "aws" / "runbooks.md").read_text()
    headings = {
        re.sub(r"[^a-z -]", "", line[3:].lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("## ")
    }
    alarms = of(planned, "aws_cloudwatch_metric_alarm")
    named = {
        match.group(1) for one in alarms if (match := re.search(r"runbooks\.md#([a-z-]+)$", one["alarm_description"]))
    }
    assert named and named <= headings
    assert all("runbooks.md#" in one["alarm_description"] for one in alarms)


def test_every_alarm_has_an_action(planned: Resources):
    """The topic is unknown at plan time: a set action is absent from the plan, an unset one is None."""
    silent = [
        one["alarm_name"] for one in of(planned, "aws_cloudwatch_metric_alarm") if not one.get("alarm_actions", 1)
    ]
    assert silent == []


def test_alarms_of_the_guide_exist(planned: Resources):
    names = {one["alarm_name"].removeprefix("air-pollution-") for one in of(planned, "aws_cloudwatch_metric_alarm")}
    assert {"model", "data", "infrastructure", "pipeline", "forecast-age", "failed-steps"} <= names


def test_without_a_domain_dashboard_and_api_use_plain_http(planned: Resources):
    [listener] = of(planned, "aws_lb_listener")
    assert (listener["port"], listener["protocol"]) == (80, "HTTP")
    assert [action["type"] for action in listener["default_action"]] == ["forward"]
    assert of(planned, "aws_lb")[0]["internal"] is False
    [rule] = of(planned, "aws_lb_listener_rule")
    assert rule["condition"][0]["path_pattern"][0]["values"] == ["/api/*", "/docs", "/openapi.json", "/redoc"]
    assert {one["type"] for one in planned}.isdisjoint({"aws_acm_certificate", "aws_route53_record"})


def test_without_sign_in_mlflow_and_prefect_are_private(planned: Resources):
    assert {one["name"] for one in of(planned, "aws_lb_target_group")} == {
        "air-pollution-api",
        "air-pollution-dashboard",
    }
    for part in ("mlflow", "prefect"):
        assert of(planned, "aws_ecs_service", f"module.{part}")[0]["load_balancer"] == []


def test_operator_rules_and_incident_alarms_correspond(planned: Resources):
    rules = {rule["name"] for rule in yaml.safe_load((ROOT / "config/alerts.yaml").read_text())["operators"]}
    alarms = of(planned, "aws_cloudwatch_metric_alarm", ".incidents[")
    assert {one["dimensions"]["rule"] for one in alarms} == rules


def test_worker_scaling_uses_published_metrics(planned: Resources):
    record = json.loads(QueueDepth("hazecast", waiting=1, running=2).as_json(namespace="Hazecast", now=NOW))
    [directive] = record["_aws"]["CloudWatchMetrics"]
    published = {(directive["Namespace"], metric["Name"], "pool", record["pool"]) for metric in directive["Metrics"]}
    [policy] = of(planned, "aws_appautoscaling_policy", ".queue[")
    queries = policy["target_tracking_scaling_policy_configuration"][0]["customized_metric_specification"][0]["metrics"]
    metrics = [one["metric_stat"][0]["metric"][0] for one in queries if one["metric_stat"]]
    ours = [one for one in metrics if one["namespace"] == "Hazecast"]
    keys = {(one["namespace"], one["metric_name"], *_only(one["dimensions"])) for one in ours}
    assert keys == published


def _only(dimensions: list[dict]) -> tuple[str, str]:
    [dimension] = dimensions
    return dimension["name"], dimension["value"]


WRONG = {
    "environment=dev": "staging and prod",
    "place=simulated": "Simulated data are never deployed",
    "domain=air.example.org": "given together",
    "api_tasks={min=3,max=2}": "max must not be below min",
    "db_password=short": "at least 16 characters",
    "image_tag=a b": "a tag such as latest",
    "schedule_timezone=EET DST": "a name such as Europe/Helsinki",
    "secret_version=0": "counts 1, 2, 3",
    "prefect_api_url=https://api.prefect.cloud/api": "requires a key",
    f"oidc={json.dumps(OIDC | {'issuer': 'http://sign-in.example.org'})}": "begin with https://",
}


def test_invalid_variables_are_rejected_with_a_remedy(terraform: Terraform):
    refused = terraform.run("plan", "-refresh=false", *(f"-var={wrong}" for wrong in WRONG))
    assert refused.returncode == 1
    message = " ".join(refused.stderr.replace("│", " ").split())
    assert [wrong for wrong, reason in WRONG.items() if reason not in message] == []


def test_terraform_module_tests_pass(terraform: Terraform):
    done = terraform.run("test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed, 0 failed" in done.stdout


def test_no_policy_allows_all_actions():
    """No action `*`. Resource `*` only where AWS has no narrower one, with a comment."""
    wide = []
    for file in SOURCE.rglob("*.tf"):
        if ".terraform" in file.parts:
            continue
        text = file.read_text()
        assert not re.search(r'actions\s*=\s*\["\*"\]', text), file
        wide += [str(file.relative_to(SOURCE))] * len(re.findall(r'resources\s*=\s*\["\*"\]', text))
    assert sorted(set(wide)) == ["modules/key/main.tf", "modules/task/roles.tf"]
