"""Verification, quality, monitoring, incidents, runs and models."""

import io
import time
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
import small_store
from fastapi.testclient import TestClient
from small_store import DONGSI, HARBOUR, HOUR, ISSUED, NOW

from hazecast.air.tables import Observations, Runs
from hazecast.air.verdicts import Alerts, Drift, Health, Retrains, Verification
from hazecast.api.app import Options, create_app
from hazecast.errors import NoChampion, RegistryError
from hazecast.registry.audit import Change
from hazecast.registry.registry import Version
from hazecast.scoring import summarize
from hazecast.steps.verify import verify

VERIFICATION = "/api/v1/verification"


def table(schema, rows):
    return pl.DataFrame(rows, schema=schema.create_empty().schema, orient="row")


@pytest.fixture(scope="module")
def verified(tmp_path_factory):
    """Yesterday's forecasts, scored by `verify`."""
    store = small_store.fill(tmp_path_factory.mktemp("verified"))
    later = [
        small_store.observations(*one, until=NOW + 30 * HOUR, n_hours=320)
        for one in [(HARBOUR, "pm25"), (HARBOUR, "no2"), (DONGSI, "pm25")]
    ]
    store.upsert(Observations, pl.concat(later).with_columns(flag=pl.lit("ok"), flag_reasons=pl.lit("")))
    verify(store)
    return store


def test_verification_matches_scoring(make_client, verified):
    response = make_client(verified).get(VERIFICATION).json()
    expected = summarize(verified.read(Verification), ("pollutant", "lead_block"))
    assert response["by"] == ["pollutant", "lead_block"]
    assert [group["mae"] for group in response["groups"]] == expected["mae"].round(4).to_list()
    assert sum(group["n"] for group in response["groups"]) == expected["n"].sum() > 0
    assert "station_id" not in response["groups"][0]


def test_verification_by_station_of_one_pollutant(make_client, verified):
    query = {"by": "station_id", "pollutant": "pm25", "since": "2026-03-28T00:00Z", "until": "2026-03-29T00:00Z"}
    groups = make_client(verified).get(VERIFICATION, params=query).json()["groups"]
    assert [group["station_id"] for group in groups] == [DONGSI, HARBOUR]
    assert groups[0]["n_forecast"] == 72
    body = make_client(verified).get(VERIFICATION, params={**query, "format": "csv"}).content
    assert pl.read_csv(io.BytesIO(body))["mae"].to_list() == pytest.approx([group["mae"] for group in groups])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"by": "weekday"}, 404),
        ({"lead_block": "1-7"}, 404),
        ({"station_id": "nowhere"}, 404),
        ({"since": "2026-03-29T00:00Z", "until": "2026-03-28T00:00Z"}, 422),
        ({"pollutant": "co2"}, 404),
    ],
)
def test_verification_rejects_invalid_parameters(make_client, verified, query, status):
    assert make_client(verified).get(VERIFICATION, params=query).status_code == status


def test_the_newest_monitoring_is_returned(make_client, tmp_path):
    store = small_store.fill(tmp_path)
    old, new = NOW - 6 * HOUR, NOW - HOUR
    store.upsert(
        Health,
        table(
            Health,
            [
                (old, "coverage", "pm25 1-6", "critical", 0.4, 0.8, "was bad", None, "pm25", "1-6"),
                (new, "coverage", "pm25 1-6", "ok", 0.79, 0.8, "is good", None, "pm25", "1-6"),
            ],
        ),
    )
    store.upsert(Drift, table(Drift, [(new, HARBOUR, "pm25", 100, 200, 0.1, 0.2, 0.05, 0.3, "ok", "as usual")]))
    store.upsert(Retrains, table(Retrains, [(old, True, "a\nb", "{}"), (new, False, "", "{}")]))
    found = make_client(store).get("/api/v1/health-verdicts").json()
    assert [one["reason"] for one in found["verdicts"]] == ["is good"]
    identity = ("station_id", "pollutant", "lead_block")
    assert [tuple(one[name] for name in identity) for one in found["verdicts"]] == [(None, "pm25", "1-6")]
    assert [one["station_id"] for one in found["drift"]] == [HARBOUR]
    assert [(one["justified"], one["reasons"]) for one in found["retrains"]] == [(False, []), (True, ["a", "b"])]


def test_incidents_and_runs_come_newest_first_page_by_page(make_client, tmp_path):
    store = small_store.fill(tmp_path)
    began = [ISSUED - timedelta(days=k) for k in range(3)]
    incidents = [
        (f"i{k}", "silent", HARBOUR, "operators", "open", "warning", 1, "s", "r", at, None, at, at, None, at)
        for k, at in enumerate(began)
    ]
    store.upsert(Alerts, table(Alerts, incidents))
    store.upsert(Runs, table(Runs, [(f"r{k}", "forecast", at, at, at, "ok", "fine") for k, at in enumerate(began)]))
    client = make_client(store)
    first = client.get("/api/v1/alerts", params={"limit": 2}).json()
    rest = client.get("/api/v1/alerts", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["incident_id"] for one in first["alerts"] + rest["alerts"]] == ["i0", "i1", "i2"]
    assert rest["next_cursor"] is None
    assert client.get("/api/v1/alerts", params={"state": "resolved"}).json()["alerts"] == []
    assert [one["run_id"] for one in client.get("/api/v1/runs").json()["runs"]] == ["r0", "r1", "r2"]
    assert client.get("/api/v1/runs", params={"cursor": first["next_cursor"]}).status_code == 422


def test_quality_by_series(client):
    found = client.get("/api/v1/quality").json()["series"]
    assert [(one["station_id"], one["n_invalid"]) for one in found] == [(DONGSI, 2), (HARBOUR, 0)]


# The registry


class FakeRegistry:
    """A registry that can be switched off."""

    def __init__(self):
        self.champion_is, self.down = "2", False

    def __call__(self):
        if self.down:
            raise RegistryError("http://user:secret@mlflow refused")
        return self

    def champion_version(self):
        return self.champion_is

    def challenger_version(self):
        return None

    def versions(self):
        one = Version("1", (), NOW - timedelta(days=9), "run1", {"note": "first"})
        return [replace(one, version="2", aliases=("champion",)), one]

    def history(self):
        first = Change(NOW - timedelta(days=9), "promote", "1", None, "validation", "earned")
        return [first, replace(first, at=NOW, version="2", replaced="1")]

    def champion(self):
        raise NoChampion("town has no champion yet; run `hazecast run training`")


@pytest.fixture
def registry():
    return FakeRegistry()


@pytest.fixture
def with_registry(filled_store, clock, registry):
    options = Options(registry=registry, registry_refresh_seconds=0.0)
    app = create_app(store=filled_store, clock=clock, clock_replayed=False, options=options)
    return TestClient(app, raise_server_exceptions=False)


def test_models_with_their_audit_trail(with_registry):
    found = with_registry.get("/api/v1/models").json()
    assert (found["registry"], found["champion"], found["serving"]) == ("ok", "2", "7")
    assert [one["version"] for one in found["versions"]] == ["2", "1"]
    assert [(one["version"], one["replaced"]) for one in found["changes"]] == [("2", "1"), ("1", None)]


def test_models_are_cached_while_the_registry_is_down(with_registry, registry):
    with_registry.get("/api/v1/models")
    registry.down = True
    time.sleep(0.01)
    found = with_registry.get("/api/v1/models").json()
    assert (found["registry"], found["champion"]) == ("held", "2")


def test_forecasts_are_served_without_a_registry(with_registry, registry):
    registry.down = True
    found = with_registry.get("/api/v1/models").json()
    assert (found["registry"], found["champion"], found["serving"], found["versions"]) == ("unavailable", None, "7", [])
    assert with_registry.get(f"/api/v1/stations/{HARBOUR}/forecast").status_code == 200


def test_stored_forecasts_are_served_when_everything_else_is_down(with_registry, registry, clock):
    """No registry, no worker, no source for four days: the tables are all there is."""
    registry.down = True
    clock.advance(days=4)
    response = with_registry.get(f"/api/v1/stations/{HARBOUR}/forecast")
    assert response.status_code == 200
    assert (response.json()["status"], len(response.json()["hours"])) == ("stale", 72)
    assert response.json()["forecast_age_hours"] > 96
    assert "no newer forecast was made" in response.json()["status_reason"]
    for path in ("stations", "forecasts", "summaries", f"stations/{HARBOUR}/observations", "status", "models"):
        assert with_registry.get(f"/api/v1/{path}").status_code == 200, path
    assert with_registry.get("/api/v1/ready").status_code == 503
    assert with_registry.get("/api/v1/health").status_code == 200
    assert with_registry.post("/api/v1/predict", json=REQUEST).status_code == 503


REQUEST = {"observations": [{"pollutant": "pm25", "observed_at": "2026-03-01T00:00Z", "concentration_ugm3": 3}]}


def test_no_champion_no_prediction(with_registry, registry):
    response = with_registry.post("/api/v1/predict", json=REQUEST)
    assert response.status_code == 503
    assert "hazecast run training" in response.json()["detail"]
    registry.down = True
    time.sleep(0.01)
    response = with_registry.post("/api/v1/predict", json=REQUEST)
    assert response.json()["type"] == "urn:hazecast:problem:no-model"
    assert "secret" not in response.text
