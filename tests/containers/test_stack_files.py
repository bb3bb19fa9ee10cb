"""What can be checked of the container stack without an engine."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from stack import DOCKERFILES, ROOT

INFRA = ROOT / "infrastructure"
SETS = sorted((INFRA / "containers" / "requirements").glob("*.txt"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
RULES = sorted((INFRA / "prometheus" / "rules").glob("*.yml"))
DASHBOARDS = sorted((INFRA / "grafana" / "dashboards").glob("*.json"))
METRIC = re.compile(r"hazecast_[a-z0-9_]+")


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.name)
def dockerfile(request: pytest.FixtureRequest) -> str:
    return request.param.read_text()


def test_images_are_run_by_nobody_and_say_how_they_are(dockerfile: str):
    final = dockerfile.rpartition("FROM ")[2]
    assert "USER 10001:10001" in final
    assert "HEALTHCHECK" in final
    assert all(f"org.opencontainers.image.{label}" in final for label in ("licenses", "version", "revision"))
    assert re.search(r"^ENTRYPOINT \[", final, re.MULTILINE)
    assert re.search(r"^CMD \[", final, re.MULTILINE)


def test_layers_are_the_same_from_one_revision_to_the_next(dockerfile: str):
    before, _, after = dockerfile.rpartition("FROM ")[2].partition("ARG REVISION")
    assert re.findall(r"^(RUN|ADD) ", before, re.MULTILINE) == []
    assert set(re.findall(r"^COPY (\S+)", before, re.MULTILINE)) == {"--from=build"}
    assert re.findall(r"^(RUN|ADD|COPY) ", after, re.MULTILINE) == []


def test_images_install_pinned_files_only(dockerfile: str):
    installs = re.findall(r"pip (?:--python \S+ )?install(?:.|\\\n)*?(?=&&|\n(?!\s))", dockerfile)
    assert installs
    assert all("--require-hashes" in install or "--no-deps" in install for install in installs)


def test_build_arguments_name_no_place(dockerfile: str):
    given = dict(re.findall(r"^ARG (\w+)=(\S+)", dockerfile, re.MULTILINE))
    assert given.pop("PYTHON_IMAGE") == "python:3.11-slim-bookworm"
    assert set(given) == {"REVISION", "VERSION"}


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_every_requirement_has_hashes(path: Path):
    entries = re.split(r"\n(?=\S)", path.read_text().strip())
    assert all(re.match(r"[\w.-]+(\[\w+\])?==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize(
    ("requirements", "folders", "without"),
    [
        ("api.txt", ["src/hazecast"], ["dashboard"]),
        ("prefect.txt", ["src/hazecast", "flows"], ["dashboard"]),
        ("dashboard.txt", ["src/hazecast/dashboard", "src/hazecast/air"], []),
    ],
)
def test_images_hold_what_their_code_imports(requirements: str, folders: list[str], without: list[str]):
    text = (INFRA / "containers/requirements" / requirements).read_text()
    held = {_normal(name) for name in re.findall(r"^([\w.-]+)(?:\[\w+\])?==", text, re.MULTILINE)}
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if not {*path.parts} & {*without}]
    providers = _providers()
    for module in sorted(set().union(*map(_imported, files)) - sys.stdlib_module_names):
        distributions = {_normal(name) for name in providers.get(module, [])} - {"hazecast"}
        assert not distributions or distributions & held, f"{module} is not in {requirements}"


@cache
def _providers() -> Mapping[str, list[str]]:
    """Which distributions bring a module; slow to ask."""
    return packages_distributions()


@cache
def _imported(path: Path) -> set[str]:
    """Top-level modules that a file imports as soon as it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_images_agree_on_versions():
    seen: dict[tuple[str, str], set[str]] = {}
    for path in SETS:
        for name, version, marker in re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)(.*)$", path.read_text(), re.MULTILINE):
            seen.setdefault((name, marker.strip(" \\")), set()).add(version)
    # Prefect accepts no newer websockets; the others are not held back by that.
    seen.pop(("websockets", ""), None)
    assert {name for name, versions in seen.items() if len(versions) > 1} == set()


@pytest.mark.parametrize("name", SERVICES)
def test_services_may_do_nothing_they_need_not(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if "build" not in service and not service["image"].startswith("hazecast-"):
        assert not str(service["user"]).startswith("0")
    if name != "buckets":
        assert service["restart"] == "unless-stopped"
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])


def test_what_is_published_and_to_whom():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "dashboard", "mlflow", "prefect", "grafana"}
    assert all(
        re.match(r"(127\.0\.0\.1|\$\{HAZECAST_PUBLISH:-127\.0\.0\.1\}):", ports[0]) for ports in published.values()
    )
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    hidden = {"postgres", "s3", "prometheus", "stack-metrics", "probes", "buckets"}
    assert all(SERVICES[name]["networks"] == ["inside"] for name in hidden)


@pytest.mark.parametrize(
    ("name", "cpus", "memory"),
    [("api", "1", "2G"), ("dashboard", "0.5", "1G"), ("mlflow", "1", "2G"), ("worker", "2", "4G")],
)
def test_limits_are_those_of_the_guide(name: str, cpus: str, memory: str):
    assert SERVICES[name]["deploy"]["resources"]["limits"] == {"cpus": cpus, "memory": memory}


def test_no_secret_is_written_down():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY(_FILE)?$", name):
                assert re.fullmatch(r"/run/secrets/\w+|\$\{\w+:-\}", str(value)), name
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_secrets_are_made_once(tmp_path: Path):
    folder = tmp_path / "infrastructure" / "containers"
    folder.mkdir(parents=True)
    script = shutil.copy(INFRA / "containers" / "secrets.sh", folder)

    def made() -> dict[str, str]:
        subprocess.run(["bash", script], check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
        return {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    first = made()
    assert set(first) == set(COMPOSE["secrets"])
    passwords = [text for name, text in first.items() if name != "alertmanager"]
    assert len(set(passwords)) == len(passwords)
    assert all(re.fullmatch(r"[A-Za-z0-9]{40}", password) for password in passwords)
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    assert made() == first


@pytest.mark.parametrize("path", [*RULES, *DASHBOARDS], ids=lambda path: path.name)
def test_only_metrics_that_exist_are_asked_for(path: Path):
    code = [*(ROOT / "src").rglob("*.py"), INFRA / "containers" / "stack_metrics.py"]
    exported = set(METRIC.findall("\n".join(file.read_text() for file in code)))
    exported |= {"hazecast_queue_waiting", "hazecast_queue_running"}
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in METRIC.findall(path.read_text())}
    assert asked <= exported


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_dashboards_read_the_provisioned_source(path: Path):
    sources = yaml.safe_load((INFRA / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] in [source["uid"] for source in sources]
        assert panel["description"]
        assert all(target["expr"] for target in panel["targets"])


def test_every_rule_is_tested():
    for path in RULES:
        alerts = {rule["alert"] for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]}
        tested = set(re.findall(r"alertname: (\w+)", (INFRA / "prometheus/tests" / path.name).read_text()))
        assert alerts == tested


def test_rules_pass_their_tests():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool; `make engine-test` runs it in a container")
    files = [path.name for path in RULES]
    subprocess.run([promtool, "test", "rules", *files], cwd=INFRA / "prometheus/tests", check=True, timeout=120)


def test_compose_understands_both_files(tmp_path: Path):
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], check=False).returncode:
        pytest.skip("needs docker compose; no engine has to run")
    files = [ROOT / "docker-compose.yml", ROOT / "docker-compose.override.example.yml"]
    named = [word for path in files for word in ("--file", str(path))]
    subprocess.run(["docker", "compose", *named, "config", "--quiet"], cwd=tmp_path, check=True, timeout=60)
