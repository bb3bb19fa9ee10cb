"""The real MLflow and Prefect servers under attack: a web page, a rebound name, and a local user without a password."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from hazecast.servers import Guard, allowed_hosts
from ports import free_port

pytestmark = pytest.mark.system

LOGIN = ("hazecast", "correct horse")
EVIL = "https://evil.example"
HEALTH = {"mlflow": "/health", "prefect": "/api/health"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of both servers."""
    home = tmp_path_factory.mktemp("servers")
    kept = {
        name: text for name, text in os.environ.items() if not name.startswith(("HAZECAST_", "MLFLOW_", "PREFECT_"))
    }
    environment = kept | {
        "HAZECAST_ALLOWED_HOSTS": "server.lan, mlflow.example.org",
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{home}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_TRACKING_PASSWORD": LOGIN[1],
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_API_AUTH_STRING": ":".join(LOGIN),
    }
    started, addresses = [], {}
    for name in HEALTH:
        port = free_port()
        addresses[name] = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "hazecast.servers", name, "--port", str(port)]
        with (home / f"{name}.log").open("wb") as log:
            started.append(subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log))
    for name, health in HEALTH.items():
        await_health(addresses[name] + health, home / f"{name}.log")
    yield addresses
    for process in started:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(30) for process in started] == [-signal.SIGTERM, -signal.SIGTERM]
    assert LOGIN[1] not in "".join(path.read_text() for path in home.glob("*.log"))


def await_health(address: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            if httpx.get(address, timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def post(
    address: str, path: str, content: object, login: tuple[str, str] | None = None, **headers: str
) -> httpx.Response:
    return httpx.post(f"{address}{path}", json=content, auth=login, headers=headers, timeout=30, trust_env=False)


WRITES = [
    ("mlflow", "/api/2.0/mlflow/experiments/create", {"name": "planted"}),
    ("prefect", "/api/flows/", {"name": "planted"}),
]
LISTS = {
    "mlflow": ("/api/2.0/mlflow/experiments/search", {"max_results": 100}),
    "prefect": ("/api/flows/filter", {}),
}


@pytest.mark.parametrize(("name", "path", "content"), WRITES)
def test_attacks_are_refused_and_change_nothing(name: str, path: str, content: object, servers: dict[str, str]):
    address = servers[name]
    assert post(address, path, content).status_code == 401
    assert post(address, path, content, ("hazecast", "guess")).status_code == 401
    assert post(address, path, content, LOGIN, Origin=EVIL).status_code == 403
    assert post(address, path, content, LOGIN, Origin="null").status_code == 403
    assert post(address, path, content, LOGIN, Origin="http://localhost:3000").status_code == 403
    for host in ("evil.example", "evil.example:4200", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", ""):
        assert post(address, path, content, LOGIN, Host=host).status_code in (400, 403), host
    listed, query = LISTS[name]
    assert "planted" not in post(address, listed, query, LOGIN).text


@pytest.mark.parametrize(("name", "path", "content"), WRITES)
def test_the_preflight_of_a_foreign_page_grants_nothing(name: str, path: str, content: object, servers: dict[str, str]):
    wanted = {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = httpx.options(servers[name] + path, headers=wanted, trust_env=False)
    assert answer.status_code == 403
    assert not [header for header in answer.headers if header.startswith("access-control")]


@pytest.mark.parametrize("name", ["mlflow", "prefect"])
@pytest.mark.parametrize(
    "host", ["localhost:5000", "192.168.1.20:5000", "[::1]:5000", "server.lan:5000", "SERVER.lan", "mlflow.example.org"]
)
def test_the_own_page_works_under_known_names(name: str, host: str, servers: dict[str, str]):
    address, (path, query) = servers[name], LISTS[name]
    assert post(address, path, query, LOGIN, Host=host, Origin=f"http://{host}").status_code == 200
    page = httpx.get(address, auth=LOGIN, headers={"Host": host}, follow_redirects=False, trust_env=False)
    assert page.status_code in (200, 307)


def test_a_proxy_may_rewrite_the_host(servers: dict[str, str]):
    path, query = LISTS["mlflow"]
    assert post(servers["mlflow"], path, query, LOGIN, Origin="https://mlflow.example.org").status_code == 200
    assert post(servers["mlflow"], path, query, LOGIN, Origin="https://mlflow.example.org:9").status_code == 403


def test_prefects_page_requests_the_host_that_it_came_from(servers: dict[str, str]):
    settings = httpx.get(f"{servers['prefect']}/ui-settings", trust_env=False).json()
    assert settings["api_url"] == "/api"
    assert settings["auth"] == "BASIC"


def test_foreign_pages_open_no_event_stream(servers: dict[str, str]):
    address = servers["prefect"].replace("http://", "ws://") + "/api/events/out"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin=EVIL, proxy=None)


@pytest.mark.parametrize(
    ("name", "variable"), [("mlflow", "MLFLOW_TRACKING_PASSWORD"), ("prefect", "PREFECT_SERVER_API_AUTH_STRING")]
)
def test_no_server_starts_without_a_password(name: str, variable: str, tmp_path: Path):
    environment = {key: text for key, text in os.environ.items() if key != variable}
    command = [sys.executable, "-m", "hazecast.servers", name]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{variable} is not set")


def test_allowed_hosts_take_ports_and_patterns():
    async def app(*_: object) -> None:
        """Never called."""

    guard = Guard(app, allowed_hosts("mlflow:5000, localhost:*, *.example.org"))
    assert all(guard._is_known(host) for host in ("mlflow", "mlflow:5000", "a.example.org:443"))
    assert not any(guard._is_known(host) for host in ("example.org", "mlflow.evil.example", "evil", ""))
