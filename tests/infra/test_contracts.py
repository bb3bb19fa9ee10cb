"""What Terraform says to Hazecast and hears from it: environment variables, metrics, rules, files."""

import json
import re
from datetime import UTC, datetime

import yaml
from stack import ROOT, SOURCE, Resources, of

from hazecast.cli.queue import QueueDepth
from hazecast.settings import Settings, variable_of

SERVICES = "".join((SOURCE / name).read_text() for name in ("services.tf", "prefect.tf"))
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_every_variable_that_tasks_are_given_is_a_setting():
    given = set(re.findall(r"\bHAZECAST_\w+", SERVICES))
    assert given - {variable_of(name) for name in Settings.model_fields} == {"HAZECAST_API_URL"}  # the dashboard's own
    assert '"HAZECAST_API_URL"' in (ROOT / "src/hazecast/dashboard/app.py").read_text()


def test_every_operators_rule_has_its_alarm_and_no_alarm_waits_for_another(planned: Resources):
    rules = {rule["name"] for rule in yaml.safe_load((ROOT / "config/alerts.yaml").read_text())["operators"]}
    alarms = of(planned, "aws_cloudwatch_metric_alarm", ".incidents[")
    assert {one["dimensions"]["rule"] for one in alarms} == rules


def test_workers_are_scaled_by_metrics_that_are_published(planned: Resources):
    said = json.loads(QueueDepth("hazecast", waiting=1, running=2).as_json(now=NOW))
    [directive] = said["_aws"]["CloudWatchMetrics"]
    published = {(directive["Namespace"], metric["Name"], "pool", said["pool"]) for metric in directive["Metrics"]}
    [policy] = of(planned, "aws_appautoscaling_policy", ".queue[")
    asked = policy["target_tracking_scaling_policy_configuration"][0]["customized_metric_specification"][0]["metrics"]
    metrics = [one["metric_stat"][0]["metric"][0] for one in asked if one["metric_stat"]]
    ours = [one for one in metrics if one["namespace"] == "Hazecast"]
    keys = {(one["namespace"], one["metric_name"], *_only(one["dimensions"])) for one in ours}
    assert keys == published


def _only(dimensions: list[dict]) -> tuple[str, str]:
    [dimension] = dimensions
    return dimension["name"], dimension["value"]


def test_the_place_of_every_environment_is_there():
    for file in (SOURCE / "environments").glob("*.tfvars"):
        [place] = re.findall(r'^place += "(.+)"', file.read_text(), re.MULTILINE)
        assert (ROOT / "config" / f"{place}.yaml").exists()
