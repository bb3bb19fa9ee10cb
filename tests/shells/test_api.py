import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import small_store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_store import DONGSI, HARBOUR, HOUR, ISSUED, NOW

from hazecast.air.tables import Forecasts, Observations
from hazecast.api.errors import PROBLEM_TYPES
from hazecast.errors import StoreError
from hazecast.store import Store

FORECAST = f"/api/v1/stations/{HARBOUR}/forecast"
OBSERVATIONS = f"/api/v1/stations/{HARBOUR}/observations"


def iso(time):
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


class BrokenStore(Store):
    """An unreachable store with secrets in its error messages."""

    def read(self, *_args, **_kwargs):
        raise StoreError("forecasts cannot be used: s3://secret-bucket/key=hunter2")

    version = read


class CountingStore(Store):
    """Counts the reads of the forecasts table."""

    n_reads = 0

    def read(self, table, *args, **kwargs):
        self.n_reads += table is Forecasts
        return super().read(table, *args, **kwargs)


def assert_problem(response, status, slug):
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    problem = response.json()
    assert problem["type"] == f"urn:hazecast:problem:{slug}"
    assert problem["status"] == status
    assert problem["title"] and problem["detail"]
    return problem


def test_health_needs_no_store(make_client):
    response = make_client(BrokenStore("nowhere")).get("/api/v1/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "version": "0.1.0", "now": iso(NOW), "clock_replayed": False}
    assert response.headers["cache-control"] == "no-store"


def test_ready_while_forecasts_are_recent(client, clock):
    response = client.get("/api/v1/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "issued_at": iso(ISSUED), "forecast_age_hours": 3.5}
    clock.now = ISSUED + 26 * HOUR
    assert client.get("/api/v1/ready").status_code == 200
    clock.advance(seconds=1)
    assert "hazecast forecast" in assert_problem(client.get("/api/v1/ready"), 503, "not-ready")["detail"]


def test_not_ready_before_the_first_forecast(make_client, tmp_path):
    detail = assert_problem(make_client(Store(str(tmp_path))).get("/api/v1/ready"), 503, "not-ready")["detail"]
    assert "no forecast yet" in detail


def test_stations_list_their_pollutants(client):
    response = client.get("/api/v1/stations").json()
    assert response["simulated"] is True
    stations = {station["station_id"]: station for station in response["stations"]}
    assert stations[HARBOUR]["pollutants"] == ["pm25", "no2"]
    assert stations[HARBOUR]["simulated"] is True
    assert stations[DONGSI]["simulated"] is False
    assert stations[DONGSI]["latitude"] is None
    assert stations[DONGSI]["attribution"] == "City of Beijing, CC BY 4.0"
    assert stations[DONGSI]["licence"] == "CC BY 4.0"
    assert stations[small_store.EMPTY]["pollutants"] == []


def test_forecast_serves_the_stored_rows_of_the_newest_issue(client):
    response = client.get(FORECAST, params={"pollutant": "no2"}).json()
    stored = small_store.forecast(HARBOUR, "no2")
    assert [hour["q90"] for hour in response["hours"]] == stored["q90"].round(2).to_list()
    assert [hour["p_exceed"]["who"] for hour in response["hours"]] == stored["p_exceed_who"].round(4).to_list()
    assert [hour["lead_hours"] for hour in response["hours"]] == list(range(1, 73))
    assert response["hours"][0]["valid_at"] == response["issued_at"] == iso(ISSUED)
    assert response["unit"] == "µg/m³"
    assert response["status"] == "ok"
    assert response["forecast_age_hours"] == 3.5
    assert response["data_age_hours"] == 4.5
    assert response["simulated"] is True
    assert [(limit["key"], limit["concentration_ugm3"]) for limit in response["limits"]] == [("who", 25), ("eu", 200)]


def test_first_pollutant_is_the_default(client):
    assert client.get(FORECAST).json()["pollutant"] == "pm25"
    assert client.get(OBSERVATIONS).json()["pollutant"] == "pm25"


def test_station_ids_may_be_encoded(client):
    assert client.get(FORECAST.replace("sim/harbour", "sim%2Fharbour")).json()["station_id"] == HARBOUR


def test_an_old_issue_comes_from_the_archive(client):
    yesterday = ISSUED - 24 * HOUR
    response = client.get(FORECAST, params={"issued_at": (yesterday + 2 * HOUR).strftime("%Y-%m-%dT%H:%M+02:00")})
    assert response.json()["issued_at"] == iso(yesterday)
    assert response.json()["status"] == "stale"


def test_an_unknown_issue_lists_the_archived_ones(client):
    response = client.get(FORECAST, params={"issued_at": iso(ISSUED + HOUR)})
    assert assert_problem(response, 404, "not-known")["known"] == [iso(ISSUED), iso(ISSUED - 24 * HOUR)]


@pytest.mark.parametrize(
    ("status", "words"), [("ok", "all inputs"), ("degraded", "larger errors"), ("baseline", "climatology")]
)
def test_an_issue_has_the_status_of_its_worst_hour(make_client, tmp_path, status, words):
    store = Store(str(tmp_path))
    store.upsert(small_store.Stations, small_store.stations())
    rows = small_store.forecast(DONGSI, "pm25")
    worse = small_store.forecast(DONGSI, "pm25", status=status)
    store.append(Forecasts, rows.head(70).vstack(worse.tail(2)))
    response = make_client(store).get("/api/v1/stations/dongsi/forecast").json()
    assert response["status"] == status
    assert words in response["status_reason"]
    assert status == "ok" or "2 of 72 hours" in response["status_reason"]


def test_a_forecast_becomes_stale_while_it_is_served(client, clock):
    clock.advance(hours=23)
    response = client.get(FORECAST).json()
    assert response["status"] == "stale"
    assert "26 h" in response["status_reason"]


def test_a_new_issue_is_picked_up_and_reads_are_not_repeated(make_client, tmp_path, monkeypatch):
    monkeypatch.setattr("hazecast.api.repository.VERSION_CHECK_SECONDS", 0.0)
    small_store.fill(tmp_path)
    store = CountingStore(str(tmp_path))
    client = make_client(store)
    assert client.get(FORECAST).json()["issued_at"] == iso(ISSUED)
    n_reads = store.n_reads
    for _ in range(5):
        client.get(FORECAST)
    assert store.n_reads == n_reads
    store.append(Forecasts, small_store.forecast(HARBOUR, "pm25", issued_at=ISSUED + HOUR))
    assert client.get(FORECAST).json()["issued_at"] == iso(ISSUED + HOUR)
    assert client.get(f"/api/v1/stations/{DONGSI}/forecast").json()["issued_at"] == iso(ISSUED)


def test_forecasts_from_after_the_clock_are_not_the_newest(make_client, filled_store, clock):
    clock.now = ISSUED - HOUR
    client = make_client(filled_store)
    assert client.get(FORECAST).json()["issued_at"] == iso(ISSUED - 24 * HOUR)
    clock.now = ISSUED
    assert client.get(FORECAST).json()["issued_at"] == iso(ISSUED)


def test_observations_of_the_last_week_with_their_flags(client):
    response = client.get(OBSERVATIONS).json()
    assert response["since"] == iso(NOW - timedelta(days=7))
    assert response["newest_observed_at"] == "2026-03-29T08:00:00Z"
    assert response["data_age_hours"] == 0.5
    flagged = [hour for hour in response["hours"] if hour["flag"] != "ok"]
    assert [hour["flag_reasons"] for hour in flagged] == [["range", "spike"], ["spike"]]
    assert len(response["hours"]) == 7 * 24 - 1 - 6  # the running hour and the gap are absent, not filled


def test_observations_span_is_half_open(client):
    span = {"since": "2026-03-28T00:00:00Z", "until": "2026-03-28T03:00:00+01:00"}
    hours = client.get(OBSERVATIONS, params=span).json()["hours"]
    assert [hour["observed_at"] for hour in hours] == ["2026-03-28T00:00:00Z", "2026-03-28T01:00:00Z"]


@pytest.mark.parametrize(
    ("path", "status", "slug", "detail"),
    [
        ("stations/nowhere/forecast", 404, "not-known", "nowhere"),
        (f"stations/{HARBOUR}/forecast?pollutant=o3", 404, "not-known", "o3"),
        (f"stations/{HARBOUR}/observations?pollutant=PM2.5", 404, "not-known", "PM2.5"),
        ("stations/unused/forecast", 404, "nothing-yet", "hazecast forecast"),
        ("stations/unused/observations", 404, "nothing-yet", "hazecast collect"),
        (f"stations/{HARBOUR}/forecast?issued_at=2026-03-29T06:00", 422, "malformed", "time zone"),
        (f"stations/{HARBOUR}/forecast?issued_at=yesterday", 422, "malformed", "issued_at"),
        (f"stations/{HARBOUR}/observations?since=0001-01-01T00:00Z", 422, "malformed", "1900"),
        (f"stations/{HARBOUR}/observations?since=2027-01-01T00:00Z", 422, "not-answerable", "before"),
        (f"stations/{HARBOUR}/observations?since=2020-01-01T00:00Z", 422, "not-answerable", "366"),
        ("nothing", 404, "http", "openapi.json"),
    ],
)
def test_problems_name_the_cause(client, path, status, slug, detail):
    assert detail in assert_problem(client.get(f"/api/v1/{path}"), status, slug)["detail"]


def test_unknown_names_list_the_valid_ones(client):
    assert client.get("/api/v1/stations/x/forecast").json()["known"] == [DONGSI, HARBOUR, small_store.EMPTY]
    assert client.get(FORECAST, params={"pollutant": "co"}).json()["known"] == ["pm25", "no2"]


@pytest.mark.parametrize("path", ["ready", "stations", "status", f"stations/{HARBOUR}/forecast"])
def test_an_unreachable_store_is_reported_without_its_address(make_client, path):
    response = make_client(BrokenStore("nowhere")).get(f"/api/v1/{path}")
    assert_problem(response, 503, "store-unavailable")
    assert "secret" not in response.text and "hunter2" not in response.text


def test_a_damaged_table_is_unavailable(make_client, tmp_path):
    small_store.fill(tmp_path)
    for log in (tmp_path / "forecasts" / "_delta_log").glob("*.json"):
        log.write_text("damaged")
    response = make_client(Store(str(tmp_path))).get(FORECAST)
    assert_problem(response, 503, "store-unavailable")
    assert str(tmp_path) not in response.text


def test_cached_forecasts_are_served_while_the_store_is_unreachable(make_client, tmp_path, clock, monkeypatch):
    store = small_store.fill(tmp_path)
    client = make_client(store)
    before = client.get(FORECAST).json()

    def gone(*_args, **_kwargs):
        raise StoreError("unreachable")

    monkeypatch.setattr(store, "read", gone)
    monkeypatch.setattr(store, "version", gone)
    clock.advance(hours=30)
    after = client.get(FORECAST)
    assert after.status_code == 200
    assert after.json()["status"] == "stale"
    assert after.json()["hours"] == before["hours"]


def test_status_summarizes_freshness_and_skill(client):
    response = client.get("/api/v1/status").json()
    assert response["newest_issued_at"] == iso(ISSUED)
    assert response["newest_observed_at"] == "2026-03-29T08:00:00Z"
    assert response["model_version"] == "7"
    assert {"table": "forecasts", "version": 2} in response["tables"]
    assert {"table": "weather", "version": None} in response["tables"]
    assert response["quality"]["share_suspicious"] == 1 / 40
    assert response["quality"]["share_invalid"] == 2 / 40
    assert response["quality"]["worst_station_id"] == DONGSI
    assert [(score["model"], score["mae"]) for score in response["scores"]] == [
        ("version-7", 4.2),
        ("seasonal_naive", 6.9),
    ]


def test_status_of_an_empty_store(make_client, tmp_path):
    response = make_client(Store(str(tmp_path))).get("/api/v1/status").json()
    assert response["quality"] is None and response["scores"] == [] and response["newest_issued_at"] is None


def test_headers_identify_the_request_and_limit_caching(client):
    response = client.get(FORECAST, headers={"X-Request-ID": "abc-1"})
    assert response.headers["x-request-id"] == "abc-1"
    assert response.headers["cache-control"] == "public, max-age=60"  # nothing is scheduled in this installation
    assert response.headers["content-encoding"] == "gzip"
    assert client.get(FORECAST, headers={"X-Request-ID": "a b\tc"}).headers["x-request-id"] != "a b\tc"


def test_openapi_describes_every_endpoint_and_its_problems(client):
    described = client.get("/api/v1/openapi.json").json()
    for path, methods in described["paths"].items():
        assert path.startswith("/api/v1/")
        for method in methods.values():
            assert method["description"]
            for status, response in method["responses"].items():
                assert status == "200" or list(response["content"]) == ["application/problem+json"]
    for name, schema in described["components"]["schemas"].items():
        assert schema.get("description") or schema.get("enum"), f"{name} is not described"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    station=st.text(max_size=20),
    pollutant=st.text(max_size=8),
    time=st.one_of(st.text(max_size=30), st.datetimes().map(lambda time: time.isoformat() + "+14:00")),
)
def test_arbitrary_parameters_cause_no_server_error(client, station, pollutant, time):
    for path in (FORECAST, f"/api/v1/stations/{quote(station, safe='')}/observations"):
        query = {"pollutant": pollutant, "issued_at": time, "since": time, "until": time}
        assert client.get(path, params=query).status_code in (200, 404, 422)


def test_late_rows_do_not_hide_the_newest(make_client, tmp_path):
    store = Store(str(tmp_path))
    store.upsert(small_store.Stations, small_store.stations())
    store.upsert(Observations, small_store.observations(DONGSI, "pm25", until=NOW - timedelta(days=400)))
    response = make_client(store).get("/api/v1/stations/dongsi/observations").json()
    assert response["hours"] == []
    assert response["data_age_hours"] == pytest.approx(400 * 24 + 0.5)


def test_the_document_lists_every_endpoint_and_problem(client):
    guide = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
    described = client.get("/api/v1/openapi.json").json()["paths"]
    assert set(re.findall(r"^\| `(/api/v1/[^`]*)`", guide, re.MULTILINE)) == set(described)
    assert all(f"`{kind.slug}`" in guide for kind in PROBLEM_TYPES.values())
