"""The worker is dead: nothing writes any more, and the shipped alert rules on the metrics of the API fire."""

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from hazecast.metrics import exposition
from hazecast.pipeline import PREDICTION, Pipeline, Runner
from hazecast.settings import Settings
from hazecast.wiring import Wiring

DIED_AT = datetime(2026, 3, 1, 6, tzinfo=UTC)
RULES = Path(__file__).parents[2] / "infrastructure/prometheus/rules/forecasts.yml"
HOURS = 48
# Rules that must fire within two days of the death of the worker, and the age [h] up to which they must not.
FIRES_AFTER = {"ForecastOld": 26, "ObservationsOld": 30, "MonitoringOld": 13}


@pytest.fixture(scope="module")
def ages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """By metric: its value at each hour after the last run, as the API would expose it."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), source="simulated", history_days=40)
    parts = Wiring(settings)
    pipeline = Pipeline(parts, now=DIED_AT)
    Runner(pipeline).run(PREDICTION)
    pipeline.monitor()
    found: dict[str, list[float]] = {}
    for hour in range(HOURS):
        text = exposition(parts.store, place="town", now=DIED_AT + timedelta(hours=hour))
        for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
            if set(sample.labels) == {"place"}:
                found.setdefault(sample.name, []).append(sample.value)
    return found


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@pytest.mark.parametrize(("alert", "after_hours"), FIRES_AFTER.items())
def test_an_age_crosses_the_limit_of_its_rule(ages: dict[str, list[float]], alert: str, after_hours: int):
    metric, limit = re.fullmatch(r"(\w+) > (\d+)", rules()[alert]["expr"]).groups()
    values = ages[metric]
    assert len(values) == HOURS
    assert values[0] < int(limit)
    fired = [hour for hour, value in enumerate(values) if value > int(limit)]
    assert fired[0] in (after_hours, after_hours + 1)
    assert fired == list(range(fired[0], HOURS))


def test_prometheus_raises_the_alerts(ages: dict[str, list[float]], tmp_path: Path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool; the test above evaluates the same expressions")
    # Prometheus takes a series without a sample for five minutes as ended.
    series = [
        {"series": f'{name}{{place="town"}}', "values": " ".join(f"{value:.3f}x11" for value in values)}
        for name, values in ages.items()
    ]
    checks = [{"eval_time": f"{after - 1}h", "alertname": alert} for alert, after in FIRES_AFTER.items()]
    checks += [
        {"eval_time": f"{after + 3}h", "alertname": alert, "exp_alerts": [expected(alert, ages, after + 3)]}
        for alert, after in FIRES_AFTER.items()
    ]
    file = tmp_path / "dead_worker.yml"
    tests = [{"interval": "5m", "input_series": series, "alert_rule_test": checks}]
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def expected(alert: str, ages: dict[str, list[float]], hour: int) -> dict[str, dict[str, str]]:
    rule = rules()[alert]
    value = ages[rule["expr"].split(" > ")[0]][hour]
    filled = {
        name: text.replace("{{ $labels.place }}", "town").replace("{{ $value | humanize }}", f"{value:.4g}")
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": {"place": "town", **rule["labels"]}, "exp_annotations": filled}
