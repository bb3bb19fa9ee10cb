"""Caching, ETags, compression, CORS, metrics and access log; API keys and rate limits."""

import asyncio
import gzip
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
import small_store
import structlog
from fastapi.testclient import TestClient
from small_store import HARBOUR, HOUR, ISSUED

from hazecast.air.tables import Forecasts
from hazecast.api.app import Options, create_app
from hazecast.api.cache import CachePolicy, ResponseCache, acceptable_encodings
from hazecast.api.middleware import TokenBucket
from hazecast.api.resources import forecasts
from hazecast.api.resources.forecasts import read_series
from hazecast.errors import ContractError, NotKnown, SettingsError
from hazecast.keys import add_key, read_keys, revoke_key
from hazecast.steps.ongoing import Ongoing

FORECAST = f"/api/v1/stations/{HARBOUR}/forecast"


@pytest.fixture
def make(clock):
    def make(store, **options):
        app = create_app(store=store, clock=clock, clock_replayed=False, options=Options(**options))
        return TestClient(app, raise_server_exceptions=False)

    return make


def test_status_shows_the_training_that_is_running(make, filled_store, clock):
    assert make(filled_store).get("/api/v1/status").json()["training"] is None
    ongoing = [Ongoing("train", "recurrent network 2 of 6", 0.1, clock.now, clock.now)]
    client = make(filled_store, training=lambda: ongoing[-1])
    assert client.get("/api/v1/status").json()["training"]["share"] == 0.1
    ongoing.append(Ongoing("validate", "scoring candidate", 0.0, clock.now, clock.now))
    assert client.get("/api/v1/status").json()["training"]["step"] == "validate"


def test_an_etag_ignores_the_clock(client, clock):
    first = client.get(FORECAST)
    clock.advance(minutes=5)
    later = client.get(FORECAST, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert later.status_code == 304
    assert later.content == b""
    assert later.headers["etag"] == first.headers["etag"]
    assert "cache-control" in later.headers and "content-type" not in later.headers
    assert client.get(FORECAST).json()["now"] != first.json()["now"]


def test_an_etag_changes_with_the_status(client, clock):
    fresh = client.get(FORECAST).headers["etag"]
    clock.advance(hours=23)
    stale = client.get(FORECAST, headers={"If-None-Match": fresh})
    assert stale.status_code == 200
    assert stale.json()["status"] == "stale"


@pytest.mark.parametrize(
    "path", ["stations", "forecasts", "forecasts?format=csv", "forecasts?format=parquet", "summaries", "limits"]
)
def test_etags_are_stable_and_belong_to_one_representation(client, clock, path):
    first = client.get(f"/api/v1/{path}")
    clock.advance(minutes=2)
    assert client.get(f"/api/v1/{path}", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert client.get("/api/v1/forecasts?format=arrow").headers["etag"] != first.headers["etag"]


def test_a_table_restored_from_a_backup_has_another_etag(make_client, tmp_path, monkeypatch):
    monkeypatch.setattr("hazecast.api.repository.VERSION_CHECK_SECONDS", 0.0)
    client = make_client(small_store.fill(tmp_path / "one"))
    before = client.get(FORECAST).headers["etag"]
    restored = make_client(small_store.fill(tmp_path / "two"))
    assert restored.get(FORECAST).headers["etag"] != before  # same version, another commit


def test_another_forecast_has_another_etag(make_client, tmp_path, monkeypatch):
    monkeypatch.setattr("hazecast.api.repository.VERSION_CHECK_SECONDS", 0.0)
    store = small_store.fill(tmp_path)
    client = make_client(store)
    before = client.get(FORECAST).headers["etag"]
    store.append(Forecasts, small_store.forecast(HARBOUR, "pm25", issued_at=ISSUED + HOUR))
    response = client.get(FORECAST, headers={"If-None-Match": before})
    assert response.status_code == 200
    assert response.headers["etag"] != before


def test_formats_are_cached_separately(client):
    csv = client.get(FORECAST, headers={"Accept": "text/csv"})
    assert client.get(FORECAST).headers["content-type"] == "application/json"
    assert client.get(FORECAST, headers={"Accept": "text/csv"}).content == csv.content
    assert csv.headers["vary"].startswith("Accept, Accept-Encoding, Origin")


def test_only_large_text_is_compressed(client):
    with client.stream("GET", FORECAST, headers={"Accept-Encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
    assert gzip.decompress(raw) == client.get(FORECAST, headers={"Accept-Encoding": "identity"}).content
    assert "content-encoding" not in client.get(FORECAST, headers={"Accept-Encoding": "identity"}).headers
    assert "content-encoding" not in client.get(f"{FORECAST}?format=parquet").headers


@pytest.mark.parametrize(
    ("accepted", "encodings"),
    [
        ("", ("identity",)),
        ("gzip, deflate, br, zstd", ("gzip", "identity")),
        ("gzip;q=0", ("identity",)),
        ("gzip;q=0.5, identity;q=0.8", ("identity", "gzip")),
        ("gzip;q=0.8, *;q=0.1", ("gzip", "identity")),
        ("br", ("identity",)),
        ("*", ("gzip", "identity")),
        ("gzip, identity;q=0", ("gzip",)),
        ("gzip, *;q=0", ("gzip",)),
        ("br, identity;q=0", ()),
        ("*;q=0", ()),
        ("notgzip", ("identity",)),
    ],
)
def test_content_encodings_are_negotiated(client, accepted, encodings):
    assert acceptable_encodings(accepted) == encodings
    for path in (FORECAST, "/api/v1/health"):
        response = client.get(path, headers={"Accept-Encoding": accepted})
        is_large = path == FORECAST
        gzipped = bool(encodings) and encodings[0] == "gzip" and (is_large or "identity" not in encodings)
        assert response.status_code == (200 if encodings else 406)
        assert response.headers.get("content-encoding") == ("gzip" if gzipped else None)


def test_head_has_the_headers_of_get(client):
    head, whole = client.head(FORECAST), client.get(FORECAST)
    assert head.status_code == 200 and head.content == b""
    assert head.headers["etag"] == whole.headers["etag"]


def test_answers_expire_when_the_next_forecast_is_due(make, filled_store, clock):
    client = make(filled_store, schedule_zone=ZoneInfo("UTC"))
    assert client.get(FORECAST).headers["cache-control"] == "public, max-age=600"
    assert client.get(FORECAST).json()["next_issue_at"] == "2026-03-30T06:00:00Z"
    clock.now = datetime(2026, 3, 30, 5, 56, 40, tzinfo=UTC)
    assert client.get(FORECAST).headers["cache-control"] == "public, max-age=200"
    clock.now = datetime(2026, 3, 30, 5, 59, 40, tzinfo=UTC)
    assert client.get(FORECAST).headers["cache-control"] == "public, max-age=60"
    assert client.get("/api/v1/status").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("Europe/Helsinki", datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 3, 29, 3, tzinfo=UTC)),  # 06:00 EEST
        ("Asia/Kathmandu", datetime(2026, 3, 29, 6, tzinfo=UTC), datetime(2026, 3, 30, 0, 15, tzinfo=UTC)),
        (
            "UTC",
            datetime(2026, 3, 27, 12, tzinfo=UTC),
            datetime(2026, 3, 28, tzinfo=UTC),
        ),  # Saturday
    ],
)
def test_the_next_issue_follows_the_time_zone_of_the_schedule(zone, now, due):
    assert CachePolicy(ZoneInfo(zone), clock_replayed=False).next_issue(now) == due
    assert CachePolicy(ZoneInfo(zone), clock_replayed=True).next_issue(now) is None


def test_cors_allows_the_configured_origins(make, filled_store):
    open_to_all = make(filled_store).get(FORECAST, headers={"Origin": "https://example.org"})
    assert open_to_all.headers["access-control-allow-origin"] == "*"
    assert open_to_all.headers["vary"] == make(filled_store).get(FORECAST).headers["vary"]  # Origin, and once
    assert "ETag" in open_to_all.headers["access-control-expose-headers"]
    chosen = make(filled_store, cors_origins=("https://city.example",))
    assert "access-control-allow-origin" not in chosen.get(FORECAST, headers={"Origin": "https://example.org"}).headers
    headers = {"Origin": "https://city.example", "Access-Control-Request-Method": "POST"}
    assert (
        chosen.options("/api/v1/aqi", headers=headers).headers["access-control-allow-origin"] == "https://city.example"
    )


def test_metrics_hold_the_place_and_the_times_to_answer(make, filled_store):
    client = make(filled_store, place="harbour")
    client.get(FORECAST)
    client.get(FORECAST)
    client.get("/api/v1/nothing/at/all")
    text = client.get("/metrics").text
    assert 'hazecast_forecast_age_hours{place="harbour"} 3.5' in text
    route = "/api/v1/stations/{station_id:path}/forecast"
    assert f'hazecast_api_request_seconds_count{{method="GET",route="{route}",status="200"}} 2.0' in text
    assert 'route="none",status="404"} 1.0' in text


def test_every_request_is_logged(client):
    with structlog.testing.capture_logs() as lines:
        client.get(FORECAST, headers={"X-Request-ID": "mine"})
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"], line["request_id"]) == ("GET", FORECAST, 200, "mine")
    assert line["milliseconds"] > 0


def test_an_unhandled_exception_is_a_problem_with_an_id(make_client, filled_store, monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("hazecast.api.resources.stations.list_stations", fail)
    response = make_client(filled_store).get("/api/v1/stations")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:hazecast:problem:internal"
    assert response.headers["x-request-id"]
    assert "secret" not in response.text


# Keys


@pytest.fixture
def keys_file(tmp_path):
    return tmp_path / "keys.json"


def test_only_probes_are_public(make, filled_store, keys_file):
    client = make(filled_store, keys_file=keys_file)
    assert client.get("/api/v1/health").status_code == 200
    rejected = client.get(FORECAST)
    assert rejected.status_code == 401
    assert rejected.json()["type"] == "urn:hazecast:problem:refused"
    assert rejected.headers["www-authenticate"] == "Bearer"
    assert client.get(FORECAST, headers={"X-API-Key": "hz_guess"}).status_code == 401


def test_a_key_is_limited_to_its_scopes(make, filled_store, keys_file):
    key = add_key(keys_file, "app", scopes=["read"], per_minute=60)
    client = make(filled_store, keys_file=keys_file)
    response = client.get(FORECAST, headers={"X-API-Key": key})
    assert response.status_code == 200
    assert response.headers["cache-control"].startswith("private")
    assert client.get(FORECAST, headers={"Authorization": f"Bearer {key}"}).status_code == 200
    rejected = client.get("/metrics", headers={"X-API-Key": key})
    assert rejected.status_code == 403
    assert "metrics" in rejected.json()["detail"]


def test_cached_answers_need_a_key_too(make, filled_store, keys_file):
    key = add_key(keys_file, "app", scopes=["read"], per_minute=60)
    client = make(filled_store, keys_file=keys_file)
    assert client.get(FORECAST, headers={"X-API-Key": key}).status_code == 200
    assert client.get(FORECAST).status_code == 401


def test_a_rate_limit_sets_retry_after(make, filled_store, keys_file):
    key, other = (add_key(keys_file, name, scopes=["read"], per_minute=3) for name in ("one", "other"))
    client = make(filled_store, keys_file=keys_file)
    statuses = [client.get(FORECAST, headers={"X-API-Key": key}).status_code for _ in range(3)]
    rejected = client.get(FORECAST, headers={"X-API-Key": key})
    assert statuses == [200, 200, 200]
    assert rejected.status_code == 429
    assert 1 <= int(rejected.headers["retry-after"]) <= 20
    assert client.get(FORECAST, headers={"X-API-Key": other}).status_code == 200


def test_a_token_bucket_refills_evenly():
    bucket = TokenBucket(per_minute=60, tokens=1, refilled_at=0)
    assert bucket.take(0) == 0
    assert bucket.take(0.25) == pytest.approx(0.75)
    assert bucket.take(1.0) == 0
    assert [bucket.take(3600) for _ in range(61)].count(0) == 60


def test_a_revoked_key_stops_working(make, filled_store, keys_file, monkeypatch):
    monkeypatch.setattr("hazecast.api.middleware.RELOAD_SECONDS", 0.0)
    key = add_key(keys_file, "app", scopes=["read"], per_minute=60)
    client = make(filled_store, keys_file=keys_file)
    assert client.get(FORECAST, headers={"X-API-Key": key}).status_code == 200
    keys_file.write_text("damaged")
    assert client.get(FORECAST, headers={"X-API-Key": key}).status_code == 200  # an unreadable file keeps the last keys
    keys_file.unlink()
    add_key(keys_file, "new", scopes=["read"], per_minute=60)
    assert client.get(FORECAST, headers={"X-API-Key": key}).status_code == 401


def test_only_hashes_are_stored_and_only_the_owner_reads_them(keys_file):
    key = add_key(keys_file, "app", scopes=["read", "predict"], per_minute=60)
    assert key not in keys_file.read_text()
    assert keys_file.stat().st_mode & 0o077 == 0
    (kept,) = read_keys(keys_file).values()
    assert (kept.name, kept.scopes, kept.per_minute) == ("app", ("read", "predict"), 60)
    with pytest.raises(ContractError, match="already"):
        add_key(keys_file, "app", scopes=["read"], per_minute=1)
    with pytest.raises(NotKnown, match="everything"):
        add_key(keys_file, "b", scopes=["everything"], per_minute=1)
    with pytest.raises(NotKnown, match="app"):
        revoke_key(keys_file, "unknown")
    revoke_key(keys_file, "app")
    assert read_keys(keys_file) == {}
    keys_file.write_text("[{}]")
    with pytest.raises(SettingsError, match="HAZECAST_API_KEYS"):
        read_keys(keys_file)


def test_cached_bytes_are_bounded(filled_store, clock, monkeypatch):
    monkeypatch.setattr("hazecast.api.cache.MAX_CACHED_BYTES", 60_000)
    app = create_app(store=filled_store, clock=clock, clock_replayed=False)
    client = TestClient(app)
    client.get("/api/v1/health")  # builds the middleware
    cache = response_cache(app)
    for k in range(1, 30):
        assert (
            client.get(FORECAST, params={"issued_at": ISSUED.isoformat(), "quantiles": ["q10"] * k}).status_code == 200
        )
        held = [len(one.body) + len(one.compressed) + len(str(one.key)) for one in cache._responses.values()]
        assert sum(held) <= cache._responses.currsize <= 60_000
    assert len(held) > 1


def test_long_requests_are_answered_and_not_kept(filled_store, clock):
    app = create_app(store=filled_store, clock=clock, clock_replayed=False)
    client = TestClient(app)
    assert client.get(FORECAST, params={"quantiles": ",".join(["q50"] * 2000)}).status_code == 200
    assert not response_cache(app)._responses


def test_one_request_computes_and_the_others_wait(filled_store, clock):
    app = create_app(store=filled_store, clock=clock, clock_replayed=False)
    n_computed = 0

    async def request_at_once():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
            return await asyncio.gather(*(http.get("/api/v1/forecasts") for _ in range(20)))

    def count(*args, **kwargs):
        nonlocal n_computed
        n_computed += 1
        return read_series(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecasts, "read_series", count)
        responses = asyncio.run(request_at_once())
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert n_computed == 2  # one for each station with a forecast


def response_cache(app):
    """The cache of a running application."""
    layer = app.middleware_stack
    while not isinstance(layer, ResponseCache):
        layer = layer.app
    return layer


def test_ages_advance_with_the_minute(client, clock):
    before = client.get(FORECAST).json()["forecast_age_hours"]
    clock.advance(minutes=6)
    assert client.get(FORECAST).json()["forecast_age_hours"] == pytest.approx(before + 0.1)
    assert timedelta(hours=before) == small_store.NOW - ISSUED


def test_the_server_starts_without_model_and_report_libraries():
    heavy = ("lightgbm", "mlflow", "matplotlib", "apprise", "pandas")
    code = f"import sys, hazecast.api.server; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
