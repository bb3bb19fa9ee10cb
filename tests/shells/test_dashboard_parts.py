import json
from datetime import UTC, datetime, timedelta

import httpx
import polars as pl
import pytest
import small_store
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.limits import limits_of
from hazecast.dashboard.axes import epoch_ms
from hazecast.dashboard.canvas import stretch_canvas
from hazecast.dashboard.chart import fan_chart
from hazecast.dashboard.client import Api, ApiDown, ApiProblem
from hazecast.dashboard.frame import plain
from hazecast.dashboard.language import read_language
from hazecast.dashboard.map import name_sides
from hazecast.dashboard.tiles import tiles
from hazecast.dashboard.view import load_view
from hazecast.dashboard.visit import Visit, station_labels

ENGLISH = read_language("en")


@pytest.fixture
def view(client):
    """The page of the simulated station's PM2.5."""
    return view_of(client, small_store.HARBOUR, "pm25")


def view_of(client, station_id, pollutant):
    def answer(request):
        answered = client.get(request.url.raw_path.decode())
        return httpx.Response(answered.status_code, json=answered.json())

    api = Api("http://api", transport=httpx.MockTransport(answer))
    station = next(station for station in api.stations() if station["station_id"] == station_id)
    forecast, missing = api.forecast_if_any(station_id, pollutant)
    visit = Visit(api, ENGLISH, api.status(), api.stations(), station, pollutant, None, forecast, missing)
    return load_view(visit, pollutant)


def span(view):
    return stretch_canvas(view, since=small_store.NOW - timedelta(days=7))


def layers_with(chart, **mark):
    drawn = chart.to_dict()
    rows = drawn["datasets"]
    for layer in drawn["layer"]:
        if mark.items() <= layer["mark"].items():
            yield layer, rows[layer["data"]["name"]]


def test_view_holds_what_the_store_holds(view):
    stored = small_store.forecast(small_store.HARBOUR, "pm25")
    assert view.hours["hour_start"].to_list() == stored["valid_at"].to_list()
    assert view.hours["q95"].to_list() == stored["q95"].to_list()
    week_ago = small_store.NOW - timedelta(days=7)
    observed = small_store.observations(small_store.HARBOUR, "pm25").filter(pl.col("observed_at") >= week_ago)
    assert view.observed["observed_ugm3"].to_list() == observed["concentration_ugm3"].to_list()


def test_hours_ahead_begin_with_the_running_one(view):
    hours = view.ahead()["hour_start"]
    assert hours[0] == datetime(2026, 3, 29, 9, tzinfo=UTC)
    assert hours.len() == 24


def test_table_names_its_origin_and_both_times(view):
    table = view.table()
    assert table["simulated"].all() and table["source"].unique().to_list() == ["simulated"]
    row = table.filter(pl.col("hour_start_utc") == "2026-03-29T00:00Z").row(0, named=True)
    assert row["hour_start_local"] == "2026-03-29T02:00+02:00"
    row = table.filter(pl.col("hour_start_utc") == "2026-03-29T01:00Z").row(0, named=True)
    assert row["hour_start_local"] == "2026-03-29T04:00+03:00"  # the clocks went forward
    assert table["hour_start_utc"].is_unique().all()
    overlap = table.drop_nulls(["observed_ugm3", "q50"])
    assert overlap.height == 3  # issued at 6, observed up to 9


def test_days_begin_at_the_stations_midnight_across_the_clock_change(view):
    starts = [start.astimezone(UTC).hour for start in span(view).span.midnights()]
    assert starts == [22] * 7 + [21] * 3


def test_every_midnight_is_labelled(view):
    axis = next(layers_with(fan_chart(span(view), dark=False), type="area"))[0]["encoding"]["x"]["axis"]
    labels = axis["labelExpr"]
    for start in span(view).span.midnights():
        assert f"{epoch_ms(start)}: ['{start:%a}', '{start.day} {start:%b}']" in labels
    assert axis["title"] == "Station time, Europe/Helsinki (UTC+02:00, UTC+03:00)"
    assert all(value["utc"] for value in axis["values"])


def test_bands_and_median_are_the_forecast(view):
    chart = fan_chart(span(view), dark=True)
    bands = list(layers_with(chart, type="area"))
    assert [(rows[0]["series"], layer["encoding"]["y2"]["field"]) for layer, rows in bands] == [
        ("90 % band", "q95"),
        ("80 % band", "q90"),
        ("50 % band", "q75"),
    ]
    for (_, rows), low in zip(bands, ("q05", "q10", "q25"), strict=True):
        assert [row["value"] for row in rows] == view.hours[low].to_list()


def test_doubted_observations_stay_off_the_line_and_on_the_scale(view):
    canvas = span(view)
    chart = fan_chart(canvas, dark=False)
    (_, doubted), *_ = layers_with(chart, type="point", filled=False)
    assert sorted(row["flag"] for row in doubted) == ["invalid", "suspicious"]
    assert all(row["value"] <= canvas.top < row["observed_ugm3"] for row in doubted)
    (_, line), *_ = layers_with(chart, type="line", strokeWidth=1.2)
    missing = [row["at"] for row in line if row["value"] is None]
    assert {row["at"] for row in doubted} <= set(missing)


def test_far_limits_do_not_flatten_the_chart(client):
    canvas = span(view_of(client, small_store.HARBOUR, "no2"))
    assert [limit["key"] for limit in canvas.limits] == ["who"]
    assert [limit["key"] for limit in canvas.limits_above] == ["eu"]


def test_equal_limits_share_a_line(view):
    same = [{"key": limit.key, "label": limit.label, "concentration_ugm3": 20.0} for limit in limits_of("pm10")]
    view.visit.forecast["limits"] = same
    drawn = json.dumps(fan_chart(span(view), dark=False).to_dict(), ensure_ascii=False)
    assert f"{same[0]['label']} and {same[1]['label']}: 20 µg/m³" in drawn


def test_tiles_quote_the_forecast(view):
    ahead = view.ahead()
    shown = tiles(view)
    assert shown[1].value == f"{ahead['q50'].max():.1f} µg/m³"
    assert shown[2].value == f"{ahead['p_exceed_who'].max():.0%}".replace("%", " %")


@pytest.mark.parametrize(
    ("hours", "told"), [(0.5, "30 min"), (-0.2, "0 min"), (1, "1 h"), (71.6, "72 h"), (100, "4 days")]
)
def test_ages(hours, told):
    assert ENGLISH.age(hours) == told


@given(st.floats(0, 1))
def test_a_chance_is_never_certain(probability):
    assert ENGLISH.chance(probability) not in ("0 %", "100 %")


def test_stations_of_one_name_are_told_apart():
    stations = [{"station_id": key, "name": name} for key, name in (("a", "Centre"), ("b", "Centre"), ("c", "Port"))]
    assert station_labels(stations) == {"a": "Centre (a)", "b": "Centre (b)", "c": "Port"}


def test_names_are_shown_as_they_are():
    assert plain("*St. [x](http://y)* $1") == r"\*St\. \[x\]\(http\://y\)\* \$1"


def test_client_tells_a_dead_api_from_a_refusing_one():
    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ApiDown, match="refused"):
        Api("http://api", transport=httpx.MockTransport(refuse)).status()
    with pytest.raises(ApiDown, match="not an answer of Hazecast"):
        Api("http://api", transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))).status()
    with pytest.raises(ApiDown):
        Api("http://[").status()
    problem = httpx.Response(503, json={"title": "Store unavailable", "detail": "later"})
    with pytest.raises(ApiProblem, match="Store unavailable: later"):
        Api("http://api", transport=httpx.MockTransport(lambda _: problem)).status()


def test_names_on_the_map_cover_neither_circles_nor_each_other():
    apart = {"name": ["North", "South"], "longitude": [24.9, 24.9], "latitude": [60.4, 60.1]}
    near = {"name": ["Middle", "Next door"], "longitude": [24.9, 24.902], "latitude": [60.25, 60.25]}
    crowded = {"name": ["Between"], "longitude": [24.901], "latitude": [60.25]}
    places = pl.concat([pl.DataFrame(some) for some in (apart, near, crowded)]).with_columns(band=pl.lit("Good"))
    told = places.with_columns(told=pl.col("name") + ": Good")
    sides = dict(zip(told["name"], name_sides(told, (24.6, 60.0, 25.2, 60.5)), strict=True))
    assert sides == {"North": 1, "South": 1, "Middle": 1, "Next door": -1, "Between": 0}
