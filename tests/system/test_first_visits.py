"""The dashboard of a fresh process, below a path, opened by several visitors at the same moment, and behind nginx."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARK = ROOT / "benchmarks" / "bench_first_visits.py"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
MAIN = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {server}
}}
"""

pytestmark = pytest.mark.system


@pytest.fixture
def benchmark():
    sys.path.insert(0, str(BENCHMARK.parent))
    try:
        import bench_first_visits

        yield bench_first_visits
    finally:
        sys.path.remove(str(BENCHMARK.parent))


def test_the_first_visitors_of_a_fresh_process_see_no_error():
    # The benchmark repeats this with 20 processes.
    command = [sys.executable, str(BENCHMARK), "--processes", "1", "--visitors", "5", "--path", "air"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")
def test_the_documented_proxy_serves_dashboard_and_api_below_a_path(benchmark, tmp_path):
    ports = api, dashboard, proxy = [benchmark.free_port() for _ in range(3)]
    assert len(set(ports)) == 3
    server = (ROOT / "docs" / "examples" / "nginx.conf").read_text()
    for documented, used in ((":8501", f":{dashboard}"), (":8000", f":{api}"), ("listen 80", f"listen {proxy}")):
        assert documented in server
        server = server.replace(documented, used)
    (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path, server=server))
    address = ("--server.address", "127.0.0.1", "--server.port", str(dashboard))
    environment = {"HAZECAST_API_URL": f"http://127.0.0.1:{api}", "STREAMLIT_SERVER_BASE_URL_PATH": "air"}
    processes = [
        benchmark.start(str(benchmark.STORE), str(tmp_path / "tables"), str(api), log=tmp_path / "api.log"),
        benchmark.start("-m", "hazecast.dashboard", *address, log=tmp_path / "dashboard.log", **environment),
        subprocess.Popen([NGINX, "-c", str(tmp_path / "nginx.conf")], start_new_session=True),
    ]
    url = f"http://127.0.0.1:{proxy}"
    try:
        benchmark.wait_until_healthy(f"{url}/air-api/api/v1/ready")
        benchmark.wait_until_healthy(f"{url}/air/_stcore/health")
        assert asyncio.run(benchmark.visit(proxy, "air")) == []
        assert "<!doctype html>" in httpx.get(f"{url}/air/forecast").text.lower()
        page = httpx.get(f"{url}/air-api/docs")
        for file in ("docs/swagger-ui-bundle.js", "docs/start.js", "api/v1/openapi.json"):
            assert httpx.get(str(page.url.join(file))).status_code == 200
    finally:
        for process in processes:
            benchmark.stop(process)
