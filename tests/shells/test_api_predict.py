"""A forecast by the champion for a site outside the network."""

import time
from datetime import timedelta
from types import SimpleNamespace

import polars as pl
import pytest
import small_store
from fastapi.testclient import TestClient
from small_store import DONGSI, HARBOUR, ISSUED, NOW

from hazecast.air.spec import QUANTILES
from hazecast.air.tables import Observations, Stations, Weather
from hazecast.api.app import Options, create_app
from hazecast.api.resources import models
from hazecast.features import FutureWeather, build_panel
from hazecast.keys import add_key
from hazecast.models import ModelConfig
from hazecast.models.stack import Stack
from hazecast.steps.forecast import forecast
from hazecast.store import Store

PREDICT = "/api/v1/predict"


@pytest.fixture
def registry():
    return small_store.OneModel()


@pytest.fixture
def client(filled_store, clock, registry):
    options = Options(registry=registry, registry_refresh_seconds=0.0)
    app = create_app(store=filled_store, clock=clock, clock_replayed=False, options=options)
    return TestClient(app, raise_server_exceptions=False)


def request_body(n_hours=48, **changed):
    hours = [ISSUED - timedelta(hours=k) for k in range(1, n_hours + 1)]
    rows = [
        {"pollutant": "pm25", "observed_at": hour.isoformat(), "concentration_ugm3": 10.0 + hour.hour} for hour in hours
    ]
    return {"latitude": 60.2, "longitude": 24.9, "timezone": "Europe/Helsinki", "observations": rows} | changed


def test_the_forecast_follows_the_newest_observation(client):
    response = client.post(PREDICT, json=request_body())
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["issued_at"] == "2026-03-29T06:00:00Z"
    assert found["model_version"] == "3"
    (only,) = found["forecasts"]
    assert (only["pollutant"], only["status"], len(only["hours"])) == ("pm25", "baseline", 72)
    assert 10 <= only["hours"][0]["q50"] <= 33
    assert 0 <= only["hours"][0]["p_exceed"]["who"] <= 1


def test_a_moved_alias_is_served_without_a_restart(client, registry):
    assert client.post(PREDICT, json=request_body()).json()["model_version"] == "3"
    registry.version = "4"
    time.sleep(0.01)
    assert client.post(PREDICT, json=request_body()).json()["model_version"] == "4"


def test_later_hours_are_ignored(client):
    body = request_body(issued_at="2026-03-28T06:00Z")
    spoiled = request_body(issued_at="2026-03-28T06:00Z")
    for row in spoiled["observations"][:24]:
        row["concentration_ugm3"] = 900.0
    assert client.post(PREDICT, json=body).json() == client.post(PREDICT, json=spoiled).json()


@pytest.mark.parametrize(
    "changed",
    [
        {"timezone": "Mars/Base"},
        {"issued_at": "2026-03-29T06:30Z"},
        {"issued_at": "2020-01-01T00:00Z"},
        {"observations": []},
        {"observations": request_body(1)["observations"] * 2},
        {"observations": [{"pollutant": "pm25", "observed_at": 7, "concentration_ugm3": 1}]},
        {"observations": [{"pollutant": "pm25", "observed_at": "2026-03-29T05:00Z", "concentration_ugm3": False}]},
        {"observations": [{"pollutant": "lead", "observed_at": "2026-03-29T05:00Z", "concentration_ugm3": 1}]},
        {"colour": "blue"},
    ],
)
def test_an_invalid_request_is_rejected(client, changed):
    assert client.post(PREDICT, json=request_body(**changed)).status_code == 422


def test_predictions_are_refused_at_once_when_all_places_are_taken(client):
    with models.slots.taken(), models.slots.taken():
        started = time.monotonic()
        response = client.post(PREDICT, json=request_body())
    assert time.monotonic() - started < 2
    assert response.status_code == 503
    assert response.json()["type"] == "urn:hazecast:problem:busy"
    assert response.headers["retry-after"] == "5"
    assert client.post(PREDICT, json=request_body()).status_code == 200


def test_each_client_has_a_limit(filled_store, clock, registry):
    app = create_app(
        store=filled_store,
        clock=clock,
        clock_replayed=False,
        options=Options(registry=registry, predict_per_minute=2),
    )

    def statuses(host):
        client = TestClient(app, client=(host, 50_000))
        return [client.post(PREDICT, json=request_body()).status_code for _ in range(3)]

    assert statuses("192.0.2.1") == [200, 200, 429]
    assert statuses("192.0.2.2") == [200, 200, 429]
    assert statuses("::ffff:192.0.2.2") == [429] * 3  # the same client on a socket for both families
    assert statuses("2001:db8::1") == [200, 200, 429]
    assert statuses("2001:db8::2") == [429] * 3  # one client has a whole /64 network
    limited = TestClient(app, client=("192.0.2.1", 50_000)).post(PREDICT, json=request_body())
    assert 1 <= int(limited.headers["retry-after"]) <= 31
    assert TestClient(app, client=("192.0.2.1", 50_000)).get("/api/v1/stations").status_code == 200


def test_a_key_has_its_own_limit_only(filled_store, clock, registry, tmp_path):
    key = add_key(tmp_path / "keys.json", "app", scopes=["predict"], per_minute=60)
    options = Options(registry=registry, predict_per_minute=1, keys_file=tmp_path / "keys.json")
    client = TestClient(create_app(store=filled_store, clock=clock, clock_replayed=False, options=options))
    responses = [client.post(PREDICT, json=request_body(), headers={"X-API-Key": key}) for _ in range(3)]
    assert [response.status_code for response in responses] == [200] * 3


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"", b"[" * 100_000, b"null"])
def test_a_body_that_cannot_be_read_is_rejected(client, content):
    response = client.post(PREDICT, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["type"] == "urn:hazecast:problem:malformed"


# A trained champion


@pytest.fixture(scope="module")
def trained():
    """A store with ten weeks of PM2.5 at two stations, and a model trained on the first nine."""
    observed = pl.concat([small_store.observations(one, "pm25", n_hours=70 * 24) for one in (HARBOUR, DONGSI)])
    panel = build_panel(observed, Weather.create_empty(), small_store.stations())
    until = ISSUED - timedelta(days=7)
    return observed, Stack.fit(
        panel, pollutants=("pm25",), until=until, weather=FutureWeather.NONE, config=ModelConfig.light()
    )


def test_a_trained_model_predicts_for_another_site(filled_store, clock, trained):
    observed, model = trained
    registry = SimpleNamespace(champion=lambda: (model, "5"), champion_version=lambda: "5")
    options = Options(registry=lambda: registry)
    client = TestClient(create_app(store=filled_store, clock=clock, clock_replayed=False, options=options))
    rows = observed.filter((pl.col("station_id") == DONGSI) & (pl.col("flag") == "ok")).tail(28 * 24).to_dicts()
    fields = ("pollutant", "observed_at", "concentration_ugm3")
    observations = [{name: row[name] for name in fields} | {"observed_at": str(row["observed_at"])} for row in rows]
    found = client.post(PREDICT, json=request_body(observations=observations)).json()
    (series,) = found["forecasts"]
    assert (found["model_version"], series["status"]) == ("5", "ok")
    assert [hour["lead_hours"] for hour in series["hours"]] == list(range(1, model.spec.horizon_hours + 1))
    assert all(hour["q05"] < hour["q50"] < hour["q95"] for hour in series["hours"])


def test_forecasts_of_a_trained_model_are_served(make_client, trained, tmp_path):
    observed, model = trained
    store = Store(str(tmp_path))
    store.upsert(Stations, small_store.stations())
    store.upsert(Observations, observed)
    issued = forecast(store, model, model_version="5", now=NOW).filter(station_id=DONGSI, pollutant="pm25")
    found = make_client(store).get(f"/api/v1/stations/{DONGSI}/forecast").json()
    assert (found["model_version"], found["status"], found["issued_at"]) == ("5", "ok", "2026-03-29T09:00:00Z")
    for name in QUANTILES:
        assert [hour[name] for hour in found["hours"]] == issued.sort("lead_hours")[name].round(2).to_list()
