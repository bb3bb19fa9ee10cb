"""Forecasts of many stations, in every format, with an index, day by day."""

import io
from datetime import datetime, timedelta

import polars as pl
import pytest
import small_store
from small_store import DONGSI, EMPTY, HARBOUR, HOUR, ISSUED, NOW

from hazecast.air.distance import distance_km
from hazecast.air.indices import INDICES
from hazecast.air.spec import MAX_HORIZON_HOURS, ForecastSpec
from hazecast.air.tables import (
    DRIVERS,
    Background,
    DayForecasts,
    Drivers,
    Forecasts,
    Observations,
    Stations,
    Trajectories,
    Weather,
)
from hazecast.api.resources.summaries import Windows, trend, worst_and_best
from hazecast.features import build_panel
from hazecast.models.config import TrajectoriesConfig
from hazecast.models.days import DayModel
from hazecast.models.trajectories import save_dependence
from hazecast.store import Store

FORECASTS = "/api/v1/forecasts"


def iso(time):
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def get_json(client, path, **query):
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_all_series_by_default(client):
    found = get_json(client, FORECASTS)["forecasts"]
    assert [(one["station_id"], one["pollutant"]) for one in found] == [
        (DONGSI, "pm25"),
        (HARBOUR, "pm25"),
        (HARBOUR, "no2"),
    ]


def test_pollutants_quantiles_and_hours_are_chosen(client):
    found = get_json(
        client,
        FORECASTS,
        station_id=HARBOUR,
        pollutant="no2",
        quantiles="q10,q90",
        since=iso(NOW.replace(minute=0)),
        until=iso(NOW.replace(minute=0) + 3 * HOUR),
    )["forecasts"]
    assert len(found) == 1
    assert [hour["lead_hours"] for hour in found[0]["hours"]] == [4, 5, 6]
    assert {"q10", "q90"} < set(found[0]["hours"][0]) and "q50" not in found[0]["hours"][0]


def test_the_nearest_stations_come_first_with_their_distance(client):
    found = get_json(client, "/api/v1/stations", latitude=0.0, longitude=0.0, nearest=2)["stations"]
    assert [one["station_id"] for one in found] == [EMPTY, HARBOUR]  # Dongsi has no coordinates
    assert found[0]["distance_km"] == pytest.approx(248.6, abs=0.2)
    assert get_json(client, "/api/v1/stations", latitude=0, longitude=0, within_km=300)["stations"] == found[:1]
    assert get_json(client, FORECASTS, latitude=60, longitude=25)["forecasts"][0]["distance_km"] > 0


def test_distance_over_a_quarter_of_the_earth():
    assert distance_km((0, 0), (90, 0)) == pytest.approx(10_007.5, abs=0.2)
    assert distance_km((60.16, 24.95), (60.16, 24.95)) == 0


@pytest.mark.parametrize(
    ("bbox", "inside"),
    [
        ("24,60,26,61", [HARBOUR]),
        ("-180,-90,180,90", [HARBOUR, EMPTY]),
        ("170,-10,10,10", [EMPTY]),  # across the date line
        ("30,60,40,61", []),
    ],
)
def test_a_box_selects_the_stations_inside(client, bbox, inside):
    assert [one["station_id"] for one in get_json(client, "/api/v1/stations", bbox=bbox)["stations"]] == inside


def test_pages_follow_each_other_and_end(client):
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = get_json(client, "/api/v1/stations", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += [one["station_id"] for one in page["stations"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert seen == [DONGSI, HARBOUR, EMPTY]
    assert pages == 3


@pytest.mark.parametrize(
    "query",
    [
        {"latitude": 1},
        {"bbox": "1,2,3"},
        {"bbox": "1,9,2,3"},
        {"bbox": "a,b,c,d"},
        {"cursor": "%%%"},
        {"latitude": 91, "longitude": 0},
        {"format": "xml"},
        {"limit": 0},
    ],
)
def test_invalid_parameters_are_rejected(client, query):
    assert client.get("/api/v1/stations", params=query).status_code == 422


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"station_id": "nowhere"}, "station"),
        ({"pollutant": "co2"}, "pollutant"),
        ({"quantiles": "q99"}, "quantile"),
        ({"index": "none"}, "index"),
        ({"issued_at": iso(ISSUED + HOUR)}, "issue time"),
    ],
)
def test_unknown_names_list_the_valid_ones(client, query, kind):
    response = client.get(FORECASTS, params=query)
    assert response.status_code == 404
    assert kind in response.json()["detail"]
    assert response.json()["known"]


def test_an_archived_issue_of_all_stations(client):
    yesterday = ISSUED - timedelta(days=1)
    found = get_json(client, FORECASTS, issued_at=iso(yesterday))["forecasts"]
    assert {one["issued_at"] for one in found} == {iso(yesterday)}
    assert len(found) == 3


def test_the_horizon_is_that_of_the_stored_forecast(make_client, tmp_path):
    store = Store(str(tmp_path))
    store.upsert(Stations, small_store.stations())
    store.append(Forecasts, small_store.forecast(DONGSI, "pm25", horizon_hours=MAX_HORIZON_HOURS))
    client = make_client(store)
    hours = get_json(client, f"/api/v1/stations/{DONGSI}/forecast", index="us-epa")["hours"]
    assert [hour["lead_hours"] for hour in hours] == list(range(1, MAX_HORIZON_HOURS + 1))
    assert hours[-1]["index"]["band"]
    ahead = MAX_HORIZON_HOURS - (NOW - ISSUED) // HOUR
    assert sum(day["n_hours"] for day in get_json(client, f"/api/v1/stations/{DONGSI}/summary")["days"]) == ahead


def test_issues_of_a_series_are_listed_newest_first(make_client, tmp_path, clock):
    store = small_store.fill(tmp_path)
    issued = [ISSUED - timedelta(hours=k) for k in range(1, 120)]
    store.append(Forecasts, pl.concat([small_store.forecast(DONGSI, "pm25", issued_at=t).head(1) for t in issued]))
    client, path = make_client(store), f"/api/v1/stations/{DONGSI}/issues"
    first = get_json(client, path)
    assert (first["pollutant"], len(first["issues"])) == ("pm25", 100)
    assert first["issues"][0] == {"issued_at": iso(ISSUED), "model_version": "7"}
    rest = get_json(client, path, before=first["next_before"], limit=1000)
    assert rest["next_before"] is None
    times = [one["issued_at"] for one in first["issues"] + rest["issues"]]
    assert times == [iso(one) for one in sorted({ISSUED, *issued}, reverse=True)]
    clock.now = ISSUED - timedelta(minutes=1)
    assert get_json(client, path, limit=1)["issues"][0]["issued_at"] == iso(ISSUED - HOUR)
    assert client.get(f"/api/v1/stations/{EMPTY}/issues").status_code == 404
    assert client.get(path, params={"limit": 0}).status_code == 422


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
def test_tables_contain_the_stored_numbers(client, kind):
    body = client.get(FORECASTS, params={"format": kind, "pollutant": "pm25"}).content
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "arrow": pl.read_ipc_stream}[kind]
    table = read(io.BytesIO(body))
    mine = table.filter(pl.col("station_id") == HARBOUR)
    assert mine["q90"].to_list() == small_store.forecast(HARBOUR, "pm25")["q90"].round(2).to_list()
    assert mine["latitude"].unique().to_list() == [60.16]
    assert table.height == 144


def test_csv_writes_times_as_json_does(client):
    head, first, *_ = client.get(f"/api/v1/stations/{DONGSI}/forecast?format=csv").text.splitlines()
    assert head.startswith("station_id,pollutant,issued_at,valid_at,lead_hours,mean,q05")
    assert first.startswith(f"dongsi,pm25,{iso(ISSUED)},{iso(ISSUED)},1,")


def test_geojson_has_a_point_for_known_coordinates(client):
    response = client.get("/api/v1/stations", headers={"Accept": "application/geo+json"})
    assert response.headers["content-type"] == "application/geo+json"
    points = {one["properties"]["station_id"]: one["geometry"] for one in response.json()["features"]}
    assert points == {
        DONGSI: None,
        HARBOUR: {"type": "Point", "coordinates": [24.95, 60.16]},
        EMPTY: {"type": "Point", "coordinates": [2.0, 1.0]},
    }


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/csv;q=0.2, application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/*", "text/csv; charset=utf-8"),
    ],
)
def test_accept_selects_the_format(client, accept, content_type):
    assert client.get("/api/v1/stations", headers={"Accept": accept}).headers["content-type"] == content_type


def test_an_unknown_format_is_not_acceptable(client):
    response = client.get("/api/v1/stations", headers={"Accept": "application/pdf"})
    assert response.status_code == 406
    assert "text/csv" in response.json()["detail"]
    assert client.get(f"/api/v1/stations/{DONGSI}/observations?format=geojson").status_code == 406


def test_the_index_of_an_hour_averages_the_hours_before(client):
    found = get_json(client, f"/api/v1/stations/{HARBOUR}/forecast", pollutant="pm25", index="us-epa")
    assert found["index"]["index"] == "us-epa"
    hour = found["hours"][20]
    # The same by the index engine itself, from observations before the issue and medians after it.
    kept = ["pollutant", "observed_at", "concentration_ugm3"]
    parts = []
    for pollutant in ("pm25", "no2"):
        observed = small_store.observations(HARBOUR, pollutant, until=NOW)
        parts.append(observed.filter((pl.col("flag") == "ok") & (pl.col("observed_at") < ISSUED)).select(kept))
        ahead = small_store.forecast(HARBOUR, pollutant)
        parts.append(ahead.rename({"valid_at": "observed_at", "q50": "concentration_ugm3"}).select(kept))
    expected = INDICES["us-epa"].from_hourly(pl.concat(parts), ISSUED + 20 * HOUR)
    assert (hour["index"]["value"], hour["index"]["band"]) == (expected.value, expected.band)
    assert hour["index"]["dominant_pollutant"] == expected.dominant_pollutant
    assert "index" not in get_json(client, f"/api/v1/stations/{HARBOUR}/forecast")["hours"][0]


def test_an_index_without_its_pollutants_is_insufficient(client):
    hour = get_json(client, f"/api/v1/stations/{HARBOUR}/forecast", index="in-naqi")["hours"][0]["index"]
    assert (hour["status"], hour["value"], hour["band"], hour["level"]) == ("insufficient data", None, None, None)


def test_days_are_local_and_ahead(client):
    found = get_json(client, f"/api/v1/stations/{DONGSI}/summary")
    assert found["timezone"] == "Asia/Shanghai"
    # 09:30 UTC is 17:30 in Beijing: hours from 17:00 to midnight are left of the first day.
    assert [(day["day"], day["n_hours"]) for day in found["days"]] == [
        ("2026-03-29", 7),
        ("2026-03-30", 24),
        ("2026-03-31", 24),
        ("2026-04-01", 14),
    ]
    first = found["days"][0]
    ahead = small_store.forecast(DONGSI, "pm25").filter(pl.col("valid_at") >= NOW.replace(minute=0)).head(7)
    assert first["pollutants"][0]["max_ugm3"] == round(ahead["q50"].max(), 2)
    assert first["pollutants"][0]["mean_ugm3"] == round(ahead["mean"].mean(), 2)
    assert "PM2.5" in first["pollutants"][0]["words"]
    assert first["advice"] and first["index"]["band"]
    for day in found["days"]:
        assert (day["worst_at"] is None) == day["hours_alike"]
        if day["worst_at"]:
            assert iso(NOW.replace(minute=0)) <= day["worst_at"] < day["worst_until"]
            assert day["worst_at"] != day["best_at"]


def hourly(*severities: float) -> dict[datetime, float]:
    return {NOW.replace(minute=0) + k * timedelta(hours=1): value for k, value in enumerate(severities)}


def window(first: int, last: int) -> tuple[datetime, datetime]:
    start = NOW.replace(minute=0)
    return start + first * timedelta(hours=1), start + last * timedelta(hours=1)


def test_the_worst_and_best_hours_are_windows_of_three_hours():
    found = worst_and_best(hourly(1, 1, 5, 4, 4, 1, 0.5, 0.5, 0.5, 2))
    assert (found.worst, found.best, found.alike) == (window(2, 5), window(6, 9), False)


def test_a_single_spike_does_not_make_the_worst_window_of_an_even_evening():
    found = worst_and_best(hourly(3.2, 0, 0, 3, 3, 3))
    assert found.worst == window(3, 6)


@pytest.mark.parametrize("severities", [(2, 2, 2, 2, 2), (2.0, 2.1, 2.0, 2.1, 2.05), (3,), (0, 0, 0, 0)])
def test_hours_that_differ_little_are_alike(severities):
    """A tie once named the same hour as the worst and the best."""
    assert worst_and_best(hourly(*severities)) == Windows(None, None, alike=True)


def test_without_an_index_no_hour_is_worst():
    assert worst_and_best({}) == Windows(None, None, alike=False)
    assert worst_and_best(hourly(float("nan"), float("nan"))) == Windows(None, None, alike=False)


def test_summaries_use_the_requested_index(client):
    found = get_json(client, "/api/v1/summaries", index="uk-daqi")["summaries"]
    assert [one["station_id"] for one in found] == [DONGSI, HARBOUR]
    assert {one["index"]["index"] for one in found} == {"uk-daqi"}


def test_a_summary_of_the_past_has_no_days(client, clock):
    clock.advance(days=5)
    found = get_json(client, f"/api/v1/stations/{DONGSI}/summary")
    assert (found["days"], found["status"]) == ([], "stale")


@pytest.mark.parametrize(
    ("mean", "before", "expected"),
    [(23, 20, "rising"), (20, 23, "falling"), (21, 20, "steady"), (5, None, None), (5, 0, None)],
)
def test_a_trend_is_more_than_fifteen_percent(mean, before, expected):
    assert trend(mean, before) == expected


def test_background_returns_the_newest_available_run_of_each_model(make_client, tmp_path):
    store = Store(str(tmp_path))
    small_store.fill(tmp_path)
    runs = [("cams", 18, 0.0), ("cams", 6, 1.0), ("silam", 6, 2.0), ("silam", -5, 9.0)]  # the last is not out yet
    rows = [
        (DONGSI, "pm25", source, ISSUED - age * HOUR, ISSUED + k * HOUR, value + k, ISSUED - (age - 3) * HOUR)
        for source, age, value in runs
        for k in range(-2, 3)
    ]
    store.upsert(Background, pl.DataFrame(rows, schema=Background.create_empty().schema, orient="row"))
    found = get_json(make_client(store), f"/api/v1/stations/{DONGSI}/background")["runs"]
    assert [(run["source"], run["issued_at"]) for run in found] == [
        ("cams", iso(ISSUED - 6 * HOUR)),
        ("silam", iso(ISSUED - 6 * HOUR)),
    ]
    assert [hour["concentration_ugm3"] for hour in found[0]["hours"]] == [1.0, 2.0, 3.0]


def test_drivers_belong_to_an_issue(make_client, tmp_path):
    store = small_store.fill(tmp_path)
    at = f"/api/v1/stations/{DONGSI}/drivers"
    rows = [
        (DONGSI, "pm25", issued_at, issued_at + lead * HOUR, driver, effect, "7")
        for issued_at, effect in ((ISSUED, 1.5), (ISSUED - 24 * HOUR, -0.5))
        for lead in (2, 14)
        for driver in DRIVERS
    ]
    store.append(Drivers, pl.DataFrame(rows, schema=Drivers.create_empty().schema, orient="row"))
    client = make_client(store)
    newest = get_json(client, at)
    assert (newest["issued_at"], newest["model_version"], newest["unit"]) == (iso(ISSUED), "7", "µg/m³")
    assert [hour["valid_at"] for hour in newest["hours"]] == [iso(ISSUED + 2 * HOUR), iso(ISSUED + 14 * HOUR)]
    assert newest["hours"][0]["drivers"] == [{"driver": name, "effect_ugm3": 1.5} for name in sorted(DRIVERS)]
    old = get_json(client, at, issued_at=iso(ISSUED - 24 * HOUR))
    assert {one["effect_ugm3"] for hour in old["hours"] for one in hour["drivers"]} == {-0.5}
    assert get_json(client, f"/api/v1/stations/{HARBOUR}/drivers")["hours"] == []
    assert client.get(at, params={"issued_at": iso(ISSUED - HOUR)}).status_code == 404


def test_days_and_members_follow_from_what_was_issued(make_client, tmp_path):
    store = small_store.fill(tmp_path)
    days = DayModel.assumed(("pm25",), ForecastSpec(), TrajectoriesConfig(members=100))
    issue = store.read(Forecasts, pl.col("issued_at") == ISSUED)
    version = issue.filter(station_id=DONGSI, pollutant="pm25")["model_version"][0]
    panel = build_panel(store.read(Observations), Weather.create_empty(), store.read(Stations))
    rows = days.forecast(issue, panel).with_columns(model_version=pl.lit(version))
    store.append(DayForecasts, rows.select(DayForecasts.create_empty().columns))
    archive = io.BytesIO()
    save_dependence(days.dependence, archive)
    kept = (version, 72, 100, archive.getvalue())
    store.append(Trajectories, pl.DataFrame([kept], schema=Trajectories.create_empty().schema, orient="row"))
    client = make_client(store)

    found = get_json(client, f"/api/v1/stations/{DONGSI}/days", pollutant="pm25")["days"]
    assert {one["scope"] for one in found} == {"station"}
    assert {one["statistic"] for one in found} == {"mean_24h", "max_1h", "mda8"}
    for one in found:
        assert (one["p_exceed"]["who"] is None) == (one["statistic"] != "mean_24h")
        assert one["q10"] <= one["q50"] <= one["q90"]
    place = get_json(client, "/api/v1/days", scope="highest_station")["days"]
    assert {(one["scope"], one["station_id"]) for one in place} == {("highest_station", "*")}
    table = pl.read_parquet(client.get("/api/v1/days", params={"format": "parquet"}).content)
    assert set(table["scope"]) == {"highest_station", "mean_of_stations"}

    at = f"/api/v1/stations/{DONGSI}/ensemble"
    ensemble = get_json(client, at, pollutant="pm25")
    hours = issue.filter(station_id=DONGSI, pollutant="pm25").sort("lead_hours")
    assert (ensemble["n_members"], len(ensemble["hours"])) == (100, hours.height)
    for hour, quantile in zip(ensemble["hours"], hours["q50"], strict=True):
        assert sum(member <= quantile + 1e-3 for member in hour["members"]) >= 50
    arrow = pl.read_ipc_stream(client.get(at, params={"pollutant": "pm25", "format": "arrow"}).content)
    assert arrow["member_001"].to_list() == pytest.approx([hour["members"][0] for hour in ensemble["hours"]], abs=1e-3)


def test_members_of_a_model_of_an_earlier_release_are_missing(client):
    answer = client.get(f"/api/v1/stations/{DONGSI}/ensemble")
    assert answer.status_code == 404
    assert "members" in answer.json()["detail"]


def test_one_station_by_its_id(client):
    assert get_json(client, f"/api/v1/stations/{HARBOUR}")["name"] == "Simulated Harbour"
    assert client.get("/api/v1/stations/no/where").status_code == 404
