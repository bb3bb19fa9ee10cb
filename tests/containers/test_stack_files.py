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

from hazecast.registry.runs import SERVED_WITH
from hazecast.settings import Settings, is_secret, variable_of

sys.path.insert(0, str(ROOT / "infrastructure" / "containers"))
import make_secrets
import volumes

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


def test_the_worker_has_what_a_registered_model_requires():
    text = (INFRA / "containers/requirements/prefect.txt").read_text()
    installed = {_normal(name) for name in re.findall(r"^([\w.-]+)(?:\[\w+\])?==", text, re.MULTILINE)}
    assert {"mlflow-skinny" if name == "mlflow" else name for name in SERVED_WITH} <= installed


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
    assert name == "secrets" or "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if "build" not in service and not service["image"].startswith("hazecast-"):
        assert not str(service["user"]).startswith("0")
    assert name == "secrets" or service.get("user") != "0:0"
    assert service["restart"] == ("no" if name in ("backup", "secrets") else "unless-stopped")
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])


def test_published_ports_are_on_loopback_by_default():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "dashboard", "mlflow", "prefect", "grafana"}
    opened_by = {"api": "PUBLISH", "dashboard": "PUBLISH", "mlflow": "MLFLOW_HOST", "prefect": "PREFECT_HOST"}
    for name, ports in published.items():
        address = f"${{HAZECAST_{opened_by[name]}:-127.0.0.1}}" if name in opened_by else "127.0.0.1"
        assert re.fullmatch(re.escape(address) + r":\$\{HAZECAST_\w+_PORT:-(\d+)\}:\1", ports[0]), ports
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    hidden = {"postgres", "prometheus", "stack-metrics", "probes"}
    assert all(SERVICES[name]["networks"] == ["inside"] for name in hidden)


def test_monitoring_is_a_profile():
    watch = {name for name, service in SERVICES.items() if service.get("profiles") == ["watch"]}
    assert watch == {"stack-metrics", "probes", "prometheus", "alertmanager", "grafana"}


def test_images_of_others_are_pinned_by_digest():
    others = [service["image"] for service in SERVICES.values() if not service["image"].startswith("hazecast-")]
    assert len(others) == 5
    assert all(re.fullmatch(r"\$\{\w+_IMAGE:-[\w./-]+:v?[\w.-]+@sha256:[0-9a-f]{64}\}", image) for image in others)


@pytest.mark.parametrize(
    ("name", "cpus", "memory"),
    [("api", "1", "2G"), ("dashboard", "0.5", "1G"), ("mlflow", "1", "2G"), ("worker", "2", "4G")],
)
def test_limits_match_the_guide(name: str, cpus: str, memory: str):
    assert SERVICES[name]["deploy"]["resources"]["limits"] == {"cpus": cpus, "memory": memory}


def test_secrets_are_in_no_environment():
    names = {variable_of(name) for name in Settings.model_fields if is_secret(name)}
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name in names or re.search(r"PASSWORD|SECRET_|AUTH_STRING", name):
                assert value in (f"${{{name}:+set}}", "/run/secrets/grafana", "/run/secrets/postgres"), name
    mounted = {
        name: volume["volume"]["subpath"]
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if isinstance(volume, dict)
    }
    assert mounted == {name: "metrics" if name == "stack-metrics" else name for name in mounted}
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_service_waits_for_its_secrets():
    def waits(name: str) -> bool:
        before = SERVICES[name].get("depends_on", {})
        return before.get("secrets") == {"condition": "service_completed_successfully"} or any(map(waits, before))

    alone = {"secrets", "probes", "prometheus", "backup"}  # they use none
    assert {name for name in SERVICES if not waits(name)} == alone


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout for the script of the service `secrets`; files may stay with this user."""
    monkeypatch.setattr(make_secrets, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(make_secrets, "DISTRIBUTED", tmp_path / "distributed")
    monkeypatch.setattr(make_secrets.os, "chown", lambda *_: None)
    for variable in SECRETS:
        monkeypatch.delenv(variable, raising=False)
    for folder in ("checkout", "distributed"):
        (tmp_path / folder).mkdir()
    return tmp_path / "checkout"


SECRETS = [variable_of(name) for name in Settings.model_fields if is_secret(name)]


def distributed(checkout: Path) -> dict[str, dict[str, str]]:
    make_secrets.main()
    folders = (checkout.parent / "distributed").iterdir()
    return {folder.name: {path.name: path.read_text() for path in folder.iterdir()} for folder in folders}


def test_passwords_are_created_once_and_each_service_gets_its_own(checkout: Path):
    first = distributed(checkout)
    folder = checkout / "secrets"
    kept = {path.name: path.read_text().strip() for path in folder.iterdir()}
    assert set(kept) == {"postgres", "mlflow_db", "prefect_db", "grafana", "mlflow", "prefect", "alertmanager"}
    passwords = [text for name, text in kept.items() if name != "alertmanager"]
    assert len(set(passwords)) == len(passwords)
    assert all(re.fullmatch(r"(hazecast:)?[0-9a-f]{40}", password) for password in passwords)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert distributed(checkout) == first
    assert first["prefect"]["PREFECT_SERVER_API_AUTH_STRING"] == first["worker"]["PREFECT_API_AUTH_STRING"]
    assert first["api"] == {"MLFLOW_TRACKING_PASSWORD": kept["mlflow"]}
    assert first["dashboard"] == {}
    services = {path.stat().st_mode & 0o777 for path in (checkout.parent / "distributed").glob("*/*")}
    assert services == {0o400}


def test_secrets_of_the_user_reach_the_services_that_need_them(checkout: Path):
    (checkout / ".env").write_text("HAZECAST_OPENAQ_API_KEY='from a line'\nHAZECAST_PLACE=delhi\n")
    distributed(checkout)
    (checkout / "secrets" / "HAZECAST_ALERT_URLS").write_text("mailto://from-a-file\n")
    (checkout / "secrets" / "api_keys.json").write_text("{}")
    found = distributed(checkout)
    assert found["worker"]["HAZECAST_OPENAQ_API_KEY"] == "from a line"
    assert found["worker"]["HAZECAST_ALERT_URLS"] == "mailto://from-a-file"
    assert found["api"]["api_keys.json"] == "{}"
    assert "HAZECAST_ALERT_URLS" not in found["api"]
    (checkout / ".env").write_text("")
    assert "HAZECAST_OPENAQ_API_KEY" not in distributed(checkout)["worker"]


@pytest.mark.parametrize(
    ("line", "file", "shell", "remedy"),
    [
        ("HAZECAST_OPENAQ_API_KEY_FILE=/x", None, None, "copy the file to secrets/HAZECAST_OPENAQ_API_KEY"),
        ("HAZECAST_OPENAQ_API_KEY=a", ("HAZECAST_OPENAQ_API_KEY", "b"), None, "remove one"),
        ("", None, "HAZECAST_OPENAQ_API_KEY", "write it to .env"),
        ("", ("HAZECAST_OPENAK_API_KEY", "b"), None, "secrets/HAZECAST_OPENAK_API_KEY is no secret setting"),
    ],
)
def test_a_secret_that_would_not_arrive_is_refused(
    line: str,
    file: tuple[str, str] | None,
    shell: str | None,
    remedy: str,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    (checkout / ".env").write_text(line)
    (checkout / "secrets").mkdir()
    if file:
        (checkout / "secrets" / file[0]).write_text(file[1])
    if shell:
        monkeypatch.setenv(shell, "set")
    with pytest.raises(make_secrets.SecretsError, match=remedy):
        make_secrets.main()


def test_an_alert_receiver_is_configured(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    assert yaml.safe_load(distributed(checkout)["alertmanager"]["alertmanager"])["receivers"] == [{"name": "operators"}]
    monkeypatch.setenv("ALERT_WEBHOOK", "https://example.org/hook")
    config = yaml.safe_load(distributed(checkout)["alertmanager"]["alertmanager"])
    assert config["receivers"][0]["webhook_configs"] == [{"url": "https://example.org/hook", "send_resolved": True}]


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
