"""Plans of the other profiles: staging, minimal, and production with a domain and sign-in."""

import json

import pytest
from cloud import ISSUER, Resources, Terraform, domain, of


@pytest.fixture(scope="module")
def staging(terraform: Terraform) -> Resources:
    return terraform.plan("staging")


@pytest.fixture(scope="module")
def minimal(terraform: Terraform) -> Resources:
    return terraform.plan("minimal")


@pytest.fixture(scope="module")
def named(terraform: Terraform) -> Resources:
    """Production with a domain and an identity provider."""
    return terraform.plan("prod", *domain("Z0123456789ABCDEFGHIJ"))


def kinds(planned: Resources) -> set[str]:
    return {one["type"] for one in planned}


def names_of_target_groups(planned: Resources) -> set[str]:
    return {one["name"].removeprefix("air-pollution-") for one in of(planned, "aws_lb_target_group")}


def open_ports(planned: Resources) -> set[int]:
    """Ports open to the internet on any resource."""
    incoming = of(planned, "aws_vpc_security_group_ingress_rule")
    return {one["from_port"] for one in incoming if one["cidr_ipv4"] == "0.0.0.0/0"}


def test_staging_is_smaller_separate_and_destroyable(staging: Resources):
    [database] = of(staging, "aws_db_instance")
    assert (database["multi_az"], database["deletion_protection"]) == (False, False)
    assert database["storage_encrypted"] is True and database["publicly_accessible"] is False
    assert len(of(staging, "aws_nat_gateway")) == 1
    assert all(one["force_destroy"] for one in of(staging, "aws_s3_bucket"))
    for kind in ("aws_ecs_cluster", "aws_ecs_service", "aws_lb", "aws_iam_role"):
        assert all("staging" in (one.get("name") or "staging") for one in of(staging, kind))


def test_environments_in_one_account_use_separate_metric_namespaces(staging: Resources):
    alarms = of(staging, "aws_cloudwatch_metric_alarm", "module.watching")
    ours = {one["namespace"] for one in alarms if one["namespace"].startswith("Hazecast")}
    [filtered] = of(staging, "aws_cloudwatch_log_metric_filter")
    [scaled] = of(staging, "aws_appautoscaling_policy", ".queue[")
    assert ours == {"Hazecast/staging"} == {filtered["metric_transformation"][0]["namespace"]}
    assert '"namespace": "Hazecast/staging"' in json.dumps(scaled)


def test_minimal_has_no_redundancy_but_keeps_encryption_and_protection(minimal: Resources):
    assert kinds(minimal).isdisjoint({"aws_nat_gateway", "aws_eip", "aws_s3_bucket_replication_configuration"})
    assert [one["vpc_endpoint_type"] for one in of(minimal, "aws_vpc_endpoint")] == ["Gateway"]
    assert len(of(minimal, "aws_s3_bucket")) == 4
    [database] = of(minimal, "aws_db_instance")
    assert (database["multi_az"], database["instance_class"]) == (False, "db.t4g.micro")
    assert database["storage_encrypted"] is True and database["deletion_protection"] is True
    assert database["publicly_accessible"] is False


def test_tasks_with_public_addresses_accept_no_public_traffic(minimal: Resources):
    networks = [one["network_configuration"][0] for one in of(minimal, "aws_ecs_service")]
    assert all(one["assign_public_ip"] for one in networks)
    assert open_ports(minimal) == {80}
    assert [one["description"] for one in of(minimal, "aws_vpc_security_group_ingress_rule") if one["cidr_ipv4"]] == [
        "TLS from inside the VPC",
        "Visitors",
    ]


def test_with_a_domain_everything_is_https(named: Resources):
    listeners = {one["port"]: one for one in of(named, "aws_lb_listener")}
    assert set(listeners) == {80, 443} == open_ports(named)
    assert listeners[80]["default_action"][0]["redirect"][0]["status_code"] == "HTTP_301"
    assert listeners[443]["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    [certificate] = of(named, "aws_acm_certificate")
    assert certificate["domain_name"] == "air.example.org"
    assert "*.air.example.org" in certificate["subject_alternative_names"]
    hosts = {one["name"] for one in of(named, "aws_route53_record", "aws_route53_record.host")}
    assert hosts == {"air.example.org", *(f"{part}.air.example.org" for part in ("api", "mlflow", "prefect"))}


def test_mlflow_and_prefect_require_sign_in(named: Resources):
    guarded = of(named, "aws_lb_listener_rule", "signed_in")
    assert {one["condition"][0]["host_header"][0]["values"][0] for one in guarded} == {
        "mlflow.air.example.org",
        "prefect.air.example.org",
    }
    for rule in guarded:
        assert [action["type"] for action in rule["action"]] == ["authenticate-oidc", "forward"]
        assert rule["action"][0]["authenticate_oidc"][0]["issuer"] == ISSUER
    # The guarded rules take precedence over the /api/* rule.
    others = of(named, "aws_lb_listener_rule", "aws_lb_listener_rule.api")
    assert max(one["priority"] for one in guarded) < min(one["priority"] for one in others)
    assert names_of_target_groups(named) == {"api", "dashboard", "mlflow", "prefect"}
