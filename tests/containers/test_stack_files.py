"""Checks of the container stack that need no engine."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from stack import DOCKERFILES, ROOT

from hazecast.settings import Settings, variable_of

sys.path.insert(0, str(ROOT / "infrastructure" / "containers"))
import volumes

INFRA = ROOT / "infrastructure"
SETS = sorted((INFRA / "containers" / "requirements").glob("*.txt"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
RULES = sorted((INFRA / "prometheus" / "rules").glob("*.yml"))
DASHBOARDS = sorted((INFRA / "grafana" / "dashboards").glob("*.json"))
METRIC = re.compile(r"hazecast_[a-z0-9_]+")
PORTS = ("API", "DASHBOARD", "MLFLOW", "PREFECT", "WORKER")


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.name)
def dockerfile(request: pytest.FixtureRequest) -> str:
    return request.param.read_text()


def test_images_are_unprivileged_and_have_health_checks(dockerfile: str):
    final = dockerfile.rpartition("FROM ")[2]
    assert "USER 10001:10001" in final
    assert "HEALTHCHECK" in final
    assert all(f"org.opencontainers.image.{label}" in final for label in ("licenses", "version", "revision"))
    assert re.search(r"^ENTRYPOINT \[", final, re.MULTILINE)
    assert re.search(r"^CMD \[", final, re.MULTILINE)


def test_layers_do_not_depend_on_the_revision(dockerfile: str):
    before, _, after = dockerfile.rpartition("FROM ")[2].partition("ARG REVISION")
    assert re.findall(r"^(RUN|ADD) ", before, re.MULTILINE) == []
    assert "REVISION" not in before  # it is empty before its ARG
    assert set(re.findall(r"^COPY (\S+)", before, re.MULTILINE)) == {"--from=build"}
    assert re.findall(r"^(RUN|ADD|COPY) ", after, re.MULTILINE) == []


def test_images_install_pinned_files_only(dockerfile: str):
    installs = re.findall(r"pip (?:--python \S+ )?install(?:.|\\\n)*?(?=&&|\n(?!\s))", dockerfile)
    assert installs
    assert all("--require-hashes" in install or "--no-deps" in install for install in installs)


def test_build_arguments_name_no_mirror(dockerfile: str):
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
def test_images_have_what_their_code_imports(requirements: str, folders: list[str], without: list[str]):
    text = (INFRA / "containers/requirements" / requirements).read_text()
    installed = {_normal(name) for name in re.findall(r"^([\w.-]+)(?:\[\w+\])?==", text, re.MULTILINE)}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]  # not in images
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if not {*path.parts} & {*without}]
    files = [path for path in files if path.stem not in extras]
    providers = _providers()
    for module in sorted(set().union(*map(_imported, files)) - sys.stdlib_module_names):
        distributions = {_normal(name) for name in providers.get(module, [])} - {"hazecast"}
        assert not distributions or distributions & installed, f"{module} is not in {requirements}"


@cache
def _providers() -> Mapping[str, list[str]]:
    """Distributions by module; slow to compute."""
    return packages_distributions()


@cache
def _imported(path: Path) -> set[str]:
    """Top-level modules that a file imports at import time."""
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
    # Prefect requires an older websockets than the others.
    seen.pop(("websockets", ""), None)
    assert {name for name, versions in seen.items() if len(versions) > 1} == set()


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_minimal_permissions(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if "build" not in service and not service["image"].startswith("hazecast-"):
        assert not str(service["user"]).startswith("0")
    assert service["restart"] == ("no" if name == "backup" else "unless-stopped")
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])


def test_published_ports_are_on_loopback_by_default():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "dashboard", "mlflow", "prefect", "grafana"}
    assert all(
        re.match(r"(127\.0\.0\.1|\$\{HAZECAST_PUBLISH:-127\.0\.0\.1\}):\$\{HAZECAST_\w+_PORT:-\d+\}:\d+$", ports[0])
        for ports in published.values()
    )
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    hidden = {"postgres", "prometheus", "stack-metrics", "probes"}
    assert all(SERVICES[name]["networks"] == ["inside"] for name in hidden)


@pytest.mark.parametrize(
    ("name", "cpus", "memory"),
    [("api", "1", "2G"), ("dashboard", "0.5", "1G"), ("mlflow", "1", "2G"), ("worker", "2", "4G")],
)
def test_limits_match_the_guide(name: str, cpus: str, memory: str):
    assert SERVICES[name]["deploy"]["resources"]["limits"] == {"cpus": cpus, "memory": memory}


def test_secrets_are_not_literals():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY(_FILE)?$", name):
                assert value is None or re.fullmatch(r"/run/secrets/\w+", value), name
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_existing_secrets_are_kept(tmp_path: Path):
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
def test_queries_use_existing_metrics(path: Path):
    code = [*(ROOT / "src").rglob("*.py"), INFRA / "containers" / "stack_metrics.py"]
    exported = set(METRIC.findall("\n".join(file.read_text() for file in code)))
    exported |= {"hazecast_queue_waiting", "hazecast_queue_running"}
    queried = {re.sub(r"_(bucket|count|sum)$", "", name) for name in METRIC.findall(path.read_text())}
    assert queried <= exported


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_dashboards_use_the_provisioned_data_source(path: Path):
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


def test_compose_accepts_both_files(tmp_path: Path):
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], check=False).returncode:
        pytest.skip("needs docker compose; no engine has to run")
    files = [ROOT / "docker-compose.yml", ROOT / "docker-compose.override.example.yml"]
    named = [word for path in files for word in ("--file", str(path))]
    subprocess.run(["docker", "compose", *named, "config", "--quiet"], cwd=tmp_path, check=True, timeout=60)


def test_every_setting_reaches_the_services():
    fixed_by_images = {"HAZECAST_HOST", "HAZECAST_REVISION", *(f"HAZECAST_{part}_PORT" for part in PORTS)}
    on_the_host = {
        "HAZECAST_SOURCE",
        "HAZECAST_DATA",
        "HAZECAST_IGNORE_COLUMNS",
        "HAZECAST_AGGREGATE",
    }  # a dataset folder has to be mounted too
    of_the_dashboard = {"HAZECAST_API_URL", "HAZECAST_MLFLOW_PAGE", "HAZECAST_PREFECT_PAGE"}
    variables = {variable_of(setting) for setting in Settings.model_fields} - fixed_by_images - on_the_host
    assert of_the_dashboard == set(SERVICES["dashboard"]["environment"])
    for name in ("worker", "api"):
        assert variables - of_the_dashboard <= set(SERVICES[name]["environment"])


def test_volumes_are_saved_and_replaced(tmp_path: Path):
    saved, target = tmp_path / "saved", tmp_path / "target"
    for path in ("tables/town/_delta_log/0.json", "tables/town/part-0.parquet", "artifacts/1/model.txt"):
        (saved / path).parent.mkdir(parents=True, exist_ok=True)
        (saved / path).write_text(path)
    (target / "tables" / "old").mkdir(parents=True)
    (target / "artifacts").mkdir()
    archive = BytesIO()
    volumes.save(saved, archive)
    archive.seek(0)
    volumes.load(target, archive)
    restored = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert restored == {path: path for path in restored} and len(restored) == 3
    assert not (target / "tables" / "old").exists()
