"""Parameters: nothing is ignored, lists are written as people write them, every format has the same content."""

import io
import re
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import small_store
from small_store import DONGSI, HARBOUR, ISSUED, NOW

from hazecast.air.tables import STEPS, Runs, Stations
from hazecast.air.verdicts import INCIDENT_STATES
from hazecast.store import Store

FORECAST = f"/api/v1/stations/{HARBOUR}/forecast"
READERS = {"csv": pl.read_csv, "parquet": pl.read_parquet, "arrow": pl.read_ipc_stream}


@pytest.mark.parametrize(
    ("path", "name", "known"),
    [
        (f"stations/{HARBOUR}/forecast?polutant=o3", "polutant", "pollutant"),
        (f"stations/{HARBOUR}/observations?pollutant=pm25&start=2026-03-28T00:00Z", "start", "since"),
        (f"stations/{HARBOUR}?format=csv", "format", None),
        ("stations?page=2", "page", "cursor"),
        ("forecasts?Pollutant=pm25", "Pollutant", "pollutant"),
        ("summaries?format=csv", "format", "index"),
        ("limits?junk=1", "junk", None),
        ("status?x=", "x", None),
        ("verification?group=pollutant", "group", "by"),
    ],
)
def test_unknown_parameters_are_named(client, path, name, known):
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 422
    assert repr(name) in response.json()["detail"]
    assert known is None or known in response.json()["known"]


@pytest.mark.parametrize(
    "path",
    [
        f"stations/{HARBOUR}/forecast?pollutant=pm25&pollutant=no2",
        "stations?limit=1&limit=2",
        f"stations/{HARBOUR}/observations?since=2026-03-28T00:00Z&since=2026-03-29T00:00Z",
        "alerts?state=open&state=resolved",
        "forecasts?format=csv&format=json",
    ],
)
def test_repeated_single_values_are_refused(client, path):
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 422
    assert "several times" in response.json()["detail"]


@pytest.mark.parametrize("path", ["health?t=1", "ready?t=1&t=2"])
def test_probes_ignore_parameters(client, path):
    assert client.get(f"/api/v1/{path}").status_code == 200


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("alerts?state=closed", list(INCIDENT_STATES)),
        ("runs?step=training", list(STEPS)),
        ("stations?format=xml", ["json", "csv", "geojson", "parquet", "arrow"]),
    ],
)
def test_unknown_words_list_the_known_ones(client, path, known):
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 422
    assert response.json()["known"] == known


def test_every_recorded_step_is_known():
    code = (Path(__file__).parents[2] / "src" / "hazecast" / "pipeline" / "pipeline.py").read_text()
    assert set(re.findall(r'(?:_step|recorded)\("(\w+)"', code)) == set(STEPS)


def test_a_cursor_belongs_to_its_list(client, make_client, tmp_path):
    cursor = client.get("/api/v1/stations?limit=1").json()["next_cursor"]
    store = small_store.fill(tmp_path)
    rows = [(str(k), "check", NOW, NOW, NOW, "ok", "") for k in range(3)]
    store.append(Runs, pl.DataFrame(rows, schema=Runs.create_empty().schema, orient="row"))
    of_runs = make_client(store)
    assert of_runs.get("/api/v1/runs", params={"cursor": cursor}).status_code == 422
    other = of_runs.get("/api/v1/runs?limit=1").json()["next_cursor"]
    for wrong in (other, "AAAA", "", "=", "no base64 at all"):
        assert client.get("/api/v1/stations", params={"cursor": wrong}).status_code == 422


@pytest.mark.parametrize(
    "query",
    [f"station_id={DONGSI},{HARBOUR}", f"station_id={DONGSI}&station_id={HARBOUR}", f"station_id={DONGSI}, {HARBOUR}"],
)
def test_lists_are_comma_separated_or_repeated(client, query):
    found = client.get(f"/api/v1/forecasts?{query}&pollutant=pm25,no2&quantiles=q50&quantiles=q10").json()["forecasts"]
    assert [(one["station_id"], one["pollutant"]) for one in found] == [
        (DONGSI, "pm25"),
        (HARBOUR, "pm25"),
        (HARBOUR, "no2"),
    ]
    assert {name for name in found[0]["hours"][0] if name.startswith("q")} == {"q10", "q50"}
    assert len(client.get(f"/api/v1/stations?{query}").json()["stations"]) == 2
    groups = client.get("/api/v1/verification?by=pollutant&by=station_id&lead_block=1-6,7-24").json()["by"]
    assert groups == ["pollutant", "station_id"]


def test_a_station_id_may_contain_commas(make_client, tmp_path):
    store = Store(str(tmp_path))
    rows = small_store.stations().with_columns(station_id=pl.Series(["a", "b", "a,b"]))
    store.upsert(Stations, rows)
    client = make_client(store)

    def ids(query):
        return [one["station_id"] for one in client.get(f"/api/v1/stations?{query}").json()["stations"]]

    assert ids("station_id=a,b") == ["a,b"]
    assert ids("station_id=b,a") == ["a", "b"]
    assert ids("station_id=a,b&station_id=a") == ["a", "a,b"]


# The same in every format


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("path", [FORECAST, "/api/v1/forecasts"])
def test_tables_have_the_state_that_json_has(client, clock, kind, path):
    clock.now = NOW + timedelta(days=3)
    whole = client.get(FORECAST, params={"pollutant": "pm25"}).json()
    table = READERS[kind](io.BytesIO(client.get(path, params={"pollutant": "pm25", "format": kind}).content))
    mine = table.filter(pl.col("station_id") == HARBOUR)
    assert whole["status"] == "stale"
    for name in ("status", "status_reason", "data_age_hours", "forecast_age_hours", "simulated", "attribution"):
        assert mine[name].unique().to_list() == [whole[name]], name
    for name in ("mean", "q05", "q95"):
        assert mine[name].to_list() == [hour[name] for hour in whole["hours"]]


def test_geojson_has_the_state_that_json_has(client, clock):
    clock.now = NOW + timedelta(days=3)
    whole = client.get("/api/v1/forecasts").json()["forecasts"]
    features = client.get("/api/v1/forecasts?format=geojson").json()["features"]
    assert [feature["properties"] for feature in features] == whole


@pytest.mark.parametrize("kind", READERS)
def test_observation_tables_have_their_age_and_origin(client, kind):
    path = f"/api/v1/stations/{HARBOUR}/observations"
    whole = client.get(path).json()
    table = READERS[kind](io.BytesIO(client.get(path, params={"format": kind}).content))
    assert table["simulated"].unique().to_list() == [True]
    assert table["data_age_hours"].unique().to_list() == [whole["data_age_hours"]]
    assert table["concentration_ugm3"].to_list() == [hour["concentration_ugm3"] for hour in whole["hours"]]


@pytest.mark.parametrize("kind", ["json", "geojson", *READERS])
@pytest.mark.parametrize(("path", "total"), [("stations", 3), ("forecasts", 2)])
def test_pages_are_linked_in_every_format(client, kind, path, total):
    first = client.get(f"/api/v1/{path}?limit=1&format={kind}")
    assert first.headers["x-total-count"] == str(total)
    pages, response = 1, first
    while "next" in response.links:
        response = client.get(str(first.url.join(response.links["next"]["url"])))
        assert response.status_code == 200
        pages += 1
    assert pages == total
    assert f"format={kind}" in first.headers["link"]


def test_issues_are_linked(client):
    first = client.get(f"/api/v1/stations/{HARBOUR}/issues?limit=1")
    assert first.headers["x-total-count"] == "2"
    second = client.get(str(first.url.join(first.links["next"]["url"]))).json()
    assert [issue["issued_at"] for issue in second["issues"]] == [f"{ISSUED - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"]


def test_numbers_have_meaningful_digits(client):
    def decimals(value):
        if isinstance(value, dict):
            return max((decimals(one) for one in value.values()), default=0)
        if isinstance(value, list):
            return max((decimals(one) for one in value), default=0)
        return len(repr(value).partition(".")[2]) if isinstance(value, float) else 0

    for path in (FORECAST, f"{FORECAST}?index=us-epa", "/api/v1/summaries", "/api/v1/status", "/api/v1/quality"):
        response = client.get(path)
        assert decimals(response.json()) <= 4
        assert not re.search(r"\d[eE]-\d", response.text)
    csv = client.get(f"{FORECAST}?format=csv").text.splitlines()
    assert all(len(cell.partition(".")[2]) <= 4 for cell in csv[1].split(",")[4:17])
