"""The typed client and the examples, against the API itself."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
import small_store
from small_store import DONGSI, EMPTY, HARBOUR, ISSUED

from hazecast import Client
from hazecast.air.tables import Forecasts, Observations, Stations
from hazecast.api import schemas
from hazecast.client import ApiProblem, ApiUnreachable, CachedResponse
from hazecast.store import Store

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@pytest.fixture
def address(serve, filled_store):
    with serve(filled_store) as address:
        yield address


def test_every_endpoint_has_a_method(address):
    with Client(address) as api:
        assert api.status().newest_issued_at == ISSUED
        assert [station.station_id for station in api.stations(limit=1)] == [DONGSI, HARBOUR, EMPTY]  # three pages
        forecast = api.forecast(HARBOUR, "no2", index="us-epa")
        assert (forecast.pollutant, len(forecast.hours)) == ("no2", 72)
        assert forecast.hours[0].valid_at == ISSUED
        assert forecast.hours[0].index.band
        assert api.forecast(HARBOUR, issued_at=datetime(2026, 3, 28, 6, tzinfo=UTC)).status == "stale"
        assert [one.pollutant for one in api.forecasts(station_id=HARBOUR, limit=1)] == ["pm25", "no2"]
        assert api.drivers(HARBOUR, "no2").issued_at == ISSUED
        assert api.summary(DONGSI).days[0].pollutants[0].words
        assert api.observations(HARBOUR, since=datetime(2026, 3, 29, tzinfo=UTC)).hours[0].flag == "ok"
        assert api.verification(by="pollutant").groups == []
        assert api.models().registry == "none"
        assert (api.health().status, api.ready().issued_at) == ("ok", ISSUED)
        assert api.station(HARBOUR).name == "Simulated Harbour"
        assert [one.station_id for one in api.summaries(limit=1)] == [DONGSI, HARBOUR]
        assert api.background(HARBOUR).runs == []
        assert (len(api.quality().series), api.health_verdicts().verdicts) == (2, [])
        assert (list(api.alerts()), list(api.runs())) == ([], [])
        assert "us-epa" in [one.index for one in api.indices()]
        assert {"pm25", "no2"} <= {one.pollutant for one in api.limits()}
        aqi = api.aqi("us-epa", [schemas.ReadingIn(pollutant="pm25", concentration=35.9)])
        assert (aqi.value, aqi.band) == (102, "Unhealthy for Sensitive Groups")


def test_no_endpoint_lacks_a_method(client):
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    names = {path.replace("/{station_id}", "").rsplit("/", 1)[1].replace("-", "_") for path in paths}
    assert {name for name in names if not callable(getattr(Client, name, None))} == set()


def test_issues_are_followed_page_by_page(address):
    with Client(address) as api:
        issues = [ISSUED, ISSUED - timedelta(days=1)]
        assert [one.issued_at for one in api.issues(HARBOUR, "no2", limit=1)] == issues
        assert [one.issued_at for one in api.issues(HARBOUR, before=ISSUED)] == issues[1:]
        assert api.forecast(HARBOUR, issued_at=issues[1]).issued_at == issues[1]


def test_an_unchanged_response_is_taken_from_the_cache(address):
    cache = {}
    with Client(address, cache=cache) as api:
        changed = api.forecast(HARBOUR).model_copy(update={"model_version": "cached"})
        (url,) = cache
        cache[url] = CachedResponse(cache[url].etag, changed.model_dump_json())
        assert api.forecast(HARBOUR).model_version == "cached"  # 304: no body was sent
        assert api.forecast(DONGSI).model_version == "7"


def test_a_problem_is_raised_with_the_valid_values(address):
    with Client(address) as api, pytest.raises(ApiProblem, match="nowhere") as raised:
        api.forecast("nowhere")
    assert raised.value.problem.known == [DONGSI, HARBOUR, EMPTY]
    assert raised.value.problem.status == 404


def test_no_response_and_foreign_responses_are_unreachable(unused_port):
    with Client(f"http://127.0.0.1:{unused_port}") as api, pytest.raises(ApiUnreachable):
        api.status()
    foreign = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with Client(transport=foreign) as api, pytest.raises(ApiUnreachable, match="not a response of Hazecast"):
        api.status()


def test_a_key_is_sent_and_a_rate_limit_is_reported():
    def respond(request):
        assert request.headers["x-api-key"] == "hz_secret"
        problem = {
            "type": "urn:hazecast:problem:too-many",
            "title": "Too many requests",
            "status": 429,
            "detail": "later",
        }
        return httpx.Response(429, json=problem, headers={"Retry-After": "7"})

    with Client(key="hz_secret", transport=httpx.MockTransport(respond)) as api, pytest.raises(ApiProblem) as raised:
        api.stations().__next__()
    assert raised.value.retry_after_seconds == 7


@pytest.mark.parametrize(
    "station_id", ["Old Town", "a/b/c", "50 % wind", "100%2F", "Töölö – 1", "北京", "q?a=b#c", "x+y"]
)
def test_station_ids_may_have_any_character(serve, tmp_path, station_id):
    store = Store(str(tmp_path))
    store.upsert(Stations, small_store.stations().head(1).with_columns(station_id=pl.lit(station_id)))
    store.upsert(Observations, small_store.observations(station_id, "pm25", n_hours=40))
    store.append(Forecasts, small_store.forecast(station_id, "pm25"))
    with serve(store) as address, Client(address) as api:
        assert api.station(station_id).station_id == station_id
        assert [one.station_id for one in api.stations(station_id=station_id)] == [station_id]
        assert api.forecast(station_id, issued_at=ISSUED).station_id == station_id
        assert [one.issued_at for one in api.issues(station_id)] == [ISSUED]
        assert [one.station_id for one in api.forecasts(station_id=[station_id])] == [station_id]
        assert api.observations(station_id).station_id == station_id
        assert api.summary(station_id).station_id == station_id
        assert api.background(station_id).runs == api.drivers(station_id).hours == []
        with pytest.raises(ApiProblem) as raised:
            api.station(f"{station_id} ")
        assert raised.value.problem.known == [station_id]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_python_example_runs(address):
    shown = run(sys.executable, str(EXAMPLES / "forecast.py"), address, DONGSI)
    assert shown.returncode == 0, shown.stderr
    assert "by model 7: ok" in shown.stdout
    assert "PM2.5" in shown.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_example_runs(address):
    shown = run("sh", str(EXAMPLES / "curl.sh"), address, DONGSI)
    assert shown.returncode == 0, shown.stderr
    assert "Unhealthy for Sensitive Groups" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "304"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_javascript_example_runs(address):
    shown = run("node", str(EXAMPLES / "forecast.mjs"), address, DONGSI)
    assert shown.returncode == 0, shown.stderr
    assert "by model 7: ok" in shown.stdout
