"""A real server under hostile requests: bodies without end, and tables that vanish while it serves."""

import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
import small_store
from small_store import DONGSI, HARBOUR, ISSUED

from hazecast.air.tables import Runs
from hazecast.air.verdicts import Alerts, Health, Verification
from hazecast.api.middleware import MAX_BODY_BYTES
from hazecast.store import Store

AQI, PREDICT = "/api/v1/aqi", "/api/v1/predict"
FORECAST = f"/api/v1/stations/{HARBOUR}/forecast"


@pytest.mark.parametrize("path", [AQI, PREDICT])
def test_a_declared_large_body_is_refused_before_it_is_sent(serve, filled_store, path):
    with serve(filled_store) as url, socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50000000\r\n\r\n"
        client.sendall(head.encode())
        client.settimeout(5)
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", [AQI, PREDICT])
def test_a_body_without_an_end_is_read_up_to_the_limit(serve, filled_store, path):
    chunk = b"%x\r\n" % 100_000 + b" " * 100_000 + b"\r\n"
    with serve(filled_store) as url:
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as client:
            headers = "Host: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            client.sendall(f"POST {path} HTTP/1.1\r\n{headers}".encode())
            client.settimeout(10)
            with pytest.raises(OSError, match=r"reset|pipe"):
                for _ in range(10_000):
                    client.sendall(chunk)
        assert httpx.get(f"{url}/api/v1/health").status_code == 200


def test_a_chunked_body_above_the_limit_is_refused(serve, filled_store):
    chunks = (b" " * 100_000 for _ in range(MAX_BODY_BYTES // 100_000 + 1))
    with serve(filled_store) as url:
        response = httpx.post(url + AQI, content=chunks, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert response.json()["type"] == "urn:hazecast:problem:too-large"


def test_the_largest_body_is_accepted(client):
    padded = b"{}" + b" " * (MAX_BODY_BYTES - 2)
    assert client.post(AQI, content=padded, headers={"Content-Type": "application/json"}).status_code == 422
    assert client.post(AQI, content=padded + b" ", headers={"Content-Type": "application/json"}).status_code == 413


@pytest.mark.system
def test_probes_answer_while_predictions_are_flooded(tmp_path, unused_port):
    # benchmarks/bench_flood.py measures the same with 60 clients.
    hours = [ISSUED - k * small_store.HOUR for k in range(1, 500)]
    rows = [{"pollutant": "pm25", "observed_at": hour.isoformat(), "concentration_ugm3": 10.0} for hour in hours]
    url, statuses, durations = f"http://127.0.0.1:{unused_port}", set(), []
    server = subprocess.Popen([sys.executable, small_store.__file__, str(tmp_path), str(unused_port)])
    try:
        wait_until_ready(url)
        until = time.monotonic() + 4
        with ThreadPoolExecutor(8) as pool, httpx.Client(timeout=30) as probes:

            def flood():
                with httpx.Client(timeout=30) as http:
                    while time.monotonic() < until:
                        statuses.add(http.post(url + PREDICT, json={"observations": rows}).status_code)

            flooding = [pool.submit(flood) for _ in range(8)]
            while time.monotonic() < until:
                for path in ("health", "ready", "status"):
                    started = time.monotonic()
                    assert probes.get(f"{url}/api/v1/{path}").status_code == 200
                    durations.append(time.monotonic() - started)
            for one in flooding:
                one.result()
    finally:
        server.terminate()
        server.wait()
    assert statuses == {200, 503}
    assert sorted(durations)[len(durations) // 2] < 0.25


def wait_until_ready(url):
    for _ in range(300):
        try:
            if httpx.get(f"{url}/api/v1/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(url)


# Tables that vanish


@pytest.fixture
def served(make_client, tmp_path, monkeypatch):
    monkeypatch.setattr("hazecast.api.repository.VERSION_CHECK_SECONDS", 0.0)
    small_store.fill(tmp_path / "tables")
    return make_client(Store(str(tmp_path / "tables"))), tmp_path / "tables"


def test_rows_read_last_are_served_and_marked_while_the_store_is_gone(served, clock):
    client, tables = served
    before = {path: client.get(path).json() for path in (FORECAST, "/api/v1/stations", "/api/v1/summaries")}
    assert client.get("/api/v1/status").json()["store"] == "ok"
    tables.rename(tables.with_name("away"))
    clock.advance(minutes=1)
    for path in before:
        response = client.get(path)
        assert response.status_code == 200
        assert response.headers["warning"].startswith("110 hazecast")
        assert response.headers["cache-control"] == "no-store"
    assert client.get("/api/v1/stations").json() == before["/api/v1/stations"]
    assert store_state_becomes(client, "held")
    clock.advance(hours=30)
    assert client.get(FORECAST).json()["status"] == "stale"
    assert client.get("/api/v1/ready").status_code == 503
    tables.with_name("away").rename(tables)
    clock.advance(hours=-30)
    response = client.get(FORECAST)
    assert "warning" not in response.headers
    assert response.json()["hours"] == before[FORECAST]["hours"]
    assert store_state_becomes(client, "ok")


def store_state_becomes(client, state):
    """The status follows in the background."""
    for _ in range(100):
        if client.get("/api/v1/status").json()["store"] == state:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    "path", [f"stations/{HARBOUR}/observations", "verification", "alerts", "runs", "health-verdicts", "quality"]
)
def test_what_is_not_held_is_unavailable_while_the_store_is_gone(served, clock, path):
    client, tables = served
    for table in (Verification, Alerts, Runs, Health):
        Store(str(tables)).upsert(table, table.create_empty())
    assert client.get(f"/api/v1/{path}").status_code == 200
    shutil.rmtree(tables)
    clock.advance(minutes=1)
    response = client.get(f"/api/v1/{path}")
    if path != "quality":  # the latest check is held
        assert response.status_code == 503
        assert response.json()["type"] == "urn:hazecast:problem:store-unavailable"
        assert int(response.headers["retry-after"]) > 0


def test_an_empty_store_is_no_empty_list(make_client, tmp_path):
    client = make_client(Store(str(tmp_path / "nowhere")))
    for path in ("stations", "forecasts", "summaries", f"stations/{DONGSI}", f"stations/{DONGSI}/forecast"):
        response = client.get(f"/api/v1/{path}")
        assert response.status_code == 503
        assert "hazecast collect" in response.json()["detail"]
        assert int(response.headers["retry-after"]) > 0
    status = client.get("/api/v1/status").json()
    assert (status["store"], status["n_stations"]) == ("empty", 0)


def test_one_missing_table_is_not_empty(served, clock):
    client, tables = served
    client.get(FORECAST)
    shutil.rmtree(tables / "forecasts")
    clock.advance(minutes=1)
    held = client.get(FORECAST)
    assert held.status_code == 200 and held.headers["warning"]
    archived = client.get(FORECAST, params={"issued_at": (ISSUED - 24 * small_store.HOUR).isoformat()})
    assert archived.status_code == 503


@pytest.mark.parametrize("damage", ["deleted", "truncated"])
def test_what_needs_a_damaged_file_is_unavailable(served, clock, damage):
    client, tables = served
    client.get(FORECAST)
    for file in (tables / "forecasts").rglob("*.parquet"):
        file.unlink() if damage == "deleted" else file.write_bytes(file.read_bytes()[:100])
    clock.advance(minutes=1)
    assert client.get(FORECAST).status_code == 200
    assert client.get(f"{FORECAST.rsplit('/', 1)[0]}/issues").status_code == 503


def test_probes_do_not_wait_for_slow_tables(make_client, filled_store, clock, monkeypatch):
    client = make_client(filled_store)
    assert client.get("/api/v1/status").status_code == 200
    read = Store.version

    def slow(*args):
        time.sleep(3)
        return read(*args)

    monkeypatch.setattr("hazecast.api.repository.VERSION_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(Store, "version", slow)
    time.sleep(1.1)
    started = time.monotonic()
    for path in ("health", "ready", "status"):
        assert client.get(f"/api/v1/{path}").status_code == 200
    assert time.monotonic() - started < 2
