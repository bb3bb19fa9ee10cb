"""The Home Assistant example under Jinja, with real responses of the API in every state."""

from datetime import timedelta
from pathlib import Path

import pytest
import small_store
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from small_store import DONGSI, EMPTY, HARBOUR, ISSUED, NOW

from hazecast.air.tables import Forecasts
from hazecast.store import Store

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "home_assistant.yaml"
BAND, HIGHEST, STATUS = yaml.safe_load(EXAMPLE.read_text())["rest"][0]["sensor"]


def rendered(sensor, response):
    """Availability and value of a sensor, as Home Assistant renders them."""
    environment = ImmutableSandboxedEnvironment()

    def render(template):
        return environment.from_string(template).render(value_json=response.json()).strip()

    return render(sensor.get("availability", "True")), render(sensor["value_template"])


def summary(client, station_id):
    return client.get(f"/api/v1/stations/{station_id}/summary")


def test_a_current_forecast_is_available(client):
    found = summary(client, HARBOUR)
    assert rendered(BAND, found) == ("True", found.json()["days"][0]["index"]["band"])
    available, value = rendered(HIGHEST, found)
    assert available == "True" and float(value) == round(found.json()["days"][0]["pollutants"][0]["max_ugm3"])
    assert rendered(STATUS, found)[1] == "ok"


@pytest.mark.parametrize("hours", [40, 100])
def test_a_stale_forecast_and_one_without_a_day_ahead_are_unavailable(client, clock, hours):
    clock.now = NOW + timedelta(hours=hours)
    found = summary(client, HARBOUR)
    assert found.json()["status"] == "stale" and bool(found.json()["days"]) is (hours == 40)
    assert rendered(BAND, found)[0] == rendered(HIGHEST, found)[0] == "False"
    assert rendered(STATUS, found)[1] == "stale"


def test_a_missing_pollutant_is_unavailable(make_client, tmp_path):
    store = Store(str(tmp_path))
    store.upsert(small_store.Stations, small_store.stations())
    store.append(Forecasts, small_store.forecast(DONGSI, "no2", issued_at=ISSUED))
    found = summary(make_client(store), DONGSI)
    assert rendered(HIGHEST, found) == ("False", "None")


@pytest.mark.parametrize("station_id", ["nowhere", EMPTY])
def test_an_error_is_unavailable(client, station_id):
    found = summary(client, station_id)
    assert found.status_code == 404
    assert rendered(BAND, found) == ("False", "unknown")
    assert rendered(HIGHEST, found) == ("False", "None")
    assert rendered(STATUS, found)[1] == "unknown"


def test_an_index_without_enough_data_is_unavailable(client):
    found = client.get(f"/api/v1/stations/{DONGSI}/summary?index=fi-hsy")
    band = found.json()["days"][0]["index"]["band"]
    assert rendered(BAND, found) == (("True", band) if band else ("False", "unknown"))


def test_numbers_have_a_state_class():
    assert HIGHEST["state_class"] == "measurement"
