import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import polars as pl
import pytest
import small_store
from hypothesis import given
from hypothesis import strategies as st

from hazecast.api import schemas
from hazecast.client import Client
from hazecast.dashboard.charts.fan import fan_chart, fit_scale
from hazecast.dashboard.charts.scales import epoch_ms, tints
from hazecast.dashboard.charts.station_map import label_sides
from hazecast.dashboard.context import PageContext, station_labels
from hazecast.dashboard.layout import escape_markdown
from hazecast.dashboard.metrics import metrics
from hazecast.dashboard.series import forecast_frame, load_series
from hazecast.i18n import NO_VALUE, read_language

ENGLISH = read_language("en")


@pytest.fixture
def series(client):
    """PM2.5 of the simulated station."""
    return series_of(client, small_store.HARBOUR, "pm25")


def series_of(client, station_id, pollutant):
    def respond(request):
        response = client.get(request.url.raw_path.decode())
        return httpx.Response(response.status_code, json=response.json())

    api = Client("http://api", transport=httpx.MockTransport(respond))
    stations = list(api.stations())
    station = next(station for station in stations if station.station_id == station_id)
    forecast = api.forecast(station_id, pollutant)
    return load_series(
        PageContext(api, ENGLISH, api.status(), stations, station, pollutant, None, forecast, ""), pollutant
    )


def with_limits(series, limits):
    """The series as if its pollutant had these limits, of which the hours carry no other probabilities."""
    keys = [limit.key for limit in limits]
    hours = pl.col("hour_start", "lead_hours", "mean", "^q[0-9]+$")
    return replace(
        series,
        forecast=series.forecast.model_copy(update={"limits": limits}),
        hours=series.hours.select(hours, *(pl.lit(0.25).alias(f"p_exceed_{key}") for key in keys)),
    )


def limit(key, value, label=None):
    return schemas.Limit(key=key, label=label or f"{key} limit, 24 h", concentration_ugm3=value, averaging_hours=24)


def scale_of(series):
    return fit_scale(series, since=small_store.NOW - timedelta(days=7))


def text_of(chart):
    return json.dumps(chart.to_dict(), ensure_ascii=False)


def layers_with(chart, **mark):
    drawn = chart.to_dict()
    rows = drawn["datasets"]
    for layer in drawn["layer"]:
        if mark.items() <= layer["mark"].items():
            yield layer, rows[layer["data"]["name"]]


def test_series_equals_the_stored_rows(series):
    stored = small_store.forecast(small_store.HARBOUR, "pm25")
    assert series.hours["hour_start"].to_list() == stored["valid_at"].to_list()
    assert series.hours["q95"].to_list() == stored["q95"].round(2).to_list()
    week_ago = small_store.NOW - timedelta(days=7)
    observed = small_store.observations(small_store.HARBOUR, "pm25").filter(pl.col("observed_at") >= week_ago)
    assert series.observed["observed_ugm3"].to_list() == observed["concentration_ugm3"].round(2).to_list()


def test_next_hours_begin_with_the_current_one(series):
    hours = series.next_hours()["hour_start"]
    assert hours[0] == datetime(2026, 3, 29, 9, tzinfo=UTC)
    assert hours.len() == 24


def test_table_has_provenance_utc_and_local_time(series):
    table = series.table()
    assert table["simulated"].all() and table["source"].unique().to_list() == ["simulated"]
    row = table.filter(pl.col("hour_start_utc") == "2026-03-29T00:00Z").row(0, named=True)
    assert row["hour_start_local"] == "2026-03-29T02:00+02:00"
    row = table.filter(pl.col("hour_start_utc") == "2026-03-29T01:00Z").row(0, named=True)
    assert row["hour_start_local"] == "2026-03-29T04:00+03:00"  # the clocks went forward
    assert table["hour_start_utc"].is_unique().all()
    overlap = table.drop_nulls(["observed_ugm3", "q50"])
    assert overlap.height == 3  # issued at 6, observed up to 9


def test_days_begin_at_local_midnight_across_the_clock_change(series):
    starts = [start.astimezone(UTC).hour for start in scale_of(series).time.midnights()]
    assert starts == [22] * 7 + [21] * 3


def test_every_midnight_is_labelled(series):
    axis = next(layers_with(fan_chart(scale_of(series), dark=False), type="area"))[0]["encoding"]["x"]["axis"]
    labels = axis["labelExpr"]
    for start in scale_of(series).time.midnights():
        assert f"{epoch_ms(start)}: ['{start:%a}', '{start.day} {start:%b}']" in labels
    assert axis["title"] == "Station time, Europe/Helsinki (UTC+02:00, UTC+03:00)"
    assert all(value["utc"] for value in axis["values"])


def test_intervals_and_median_equal_the_forecast(series):
    chart = fan_chart(scale_of(series), dark=True)
    areas = list(layers_with(chart, type="area"))
    assert [(rows[0]["series"], layer["encoding"]["y2"]["field"]) for layer, rows in areas] == [
        ("90 % interval", "q95"),
        ("80 % interval", "q90"),
        ("50 % interval", "q75"),
    ]
    for (_, rows), low in zip(areas, ("q05", "q10", "q25"), strict=True):
        assert [row["value"] for row in rows] == series.hours[low].to_list()


def test_flagged_observations_are_off_the_line_and_within_the_scale(series):
    scale = scale_of(series)
    chart = fan_chart(scale, dark=False)
    (_, flagged), *_ = layers_with(chart, type="point", filled=False)
    assert sorted(row["flag"] for row in flagged) == ["invalid", "suspicious"]
    assert all(row["value"] <= scale.top < row["observed_ugm3"] for row in flagged)
    (_, line), *_ = layers_with(chart, type="line", strokeWidth=1.2)
    missing = [row["at"] for row in line if row["value"] is None]
    assert {row["at"] for row in flagged} <= set(missing)


def test_far_limits_do_not_flatten_the_chart(client):
    scale = scale_of(series_of(client, small_store.HARBOUR, "no2"))
    assert [limit.key for limit in scale.limits] == ["who"]
    assert [limit.key for limit in scale.limits_above] == ["eu"]


def test_equal_limits_share_a_line(series):
    drawn = text_of(fan_chart(scale_of(with_limits(series, [limit("who", 20.0), limit("eu", 20.0)])), dark=False))
    assert "who limit, 24 h and eu limit, 24 h: 20 µg/m³" in drawn


def test_every_limit_served_has_a_line_and_a_metric(series):
    shown = with_limits(series, [limit("who", 15.0), limit("eu", 16.0), limit("us", 17.0)])
    drawn = text_of(fan_chart(scale_of(shown), dark=False))
    for key, value in (("who", 15), ("eu", 16), ("us", 17)):
        assert f"{key} limit, 24 h: {value} µg/m³" in drawn
        # The hours' probabilities answer no limit of a longer average.
        assert f"P above {key} limit, 24 h" not in drawn
    # No day was forecast for the limit "us".
    assert [metric.value == NO_VALUE for metric in metrics(shown)[2:]] == [False, False, True]


def test_a_pollutant_without_limits_has_a_chart_and_two_metrics(series):
    shown = with_limits(series, [])
    assert len(metrics(shown)) == 2
    assert "µg/m³" in text_of(fan_chart(scale_of(shown), dark=True))


def test_the_chart_ends_with_the_horizon_of_the_forecast(series):
    *_, last = series.forecast.hours
    more = [
        last.model_copy(update={"valid_at": last.valid_at + k * small_store.HOUR, "lead_hours": 72 + k})
        for k in range(1, 49)
    ]
    forecast = series.forecast.model_copy(update={"hours": [*series.forecast.hours, *more]})
    scale = scale_of(replace(series, forecast=forecast, hours=forecast_frame(forecast)))
    assert scale.time.last == small_store.ISSUED + timedelta(hours=120)


def test_tints_run_from_the_first_colour_to_the_last():
    assert tints("#000000", "#ff8000", 3) == ["#000000", "#804000", "#ff8000"]
    assert tints("#6fb0d6", "#d8e9f4", 1) == ["#6fb0d6"]


def test_metrics_equal_the_forecast(series):
    ahead = series.next_hours()
    shown = metrics(series)
    assert shown[1].value == f"{ahead['q50'].max():.1f} µg/m³"
    (tomorrow,) = [one for one in series.days if (one.statistic, one.day_ahead) == ("mean_24h", 1)]
    assert shown[2].label == "Probability above 15 µg/m³, tomorrow"
    assert shown[2].value == ENGLISH.probability(tomorrow.p_exceed.who)
    assert shown[2].note == "WHO 2021 guideline, 24 h"


def test_without_forecasts_of_days_no_probability_of_an_hour_takes_their_place(series):
    shown = metrics(replace(series, days=()))
    assert shown[2].value == NO_VALUE


@pytest.mark.parametrize(
    ("hours", "expected"), [(0.5, "30 min"), (-0.2, "0 min"), (1, "1 h"), (71.6, "72 h"), (100, "4 days")]
)
def test_ages(hours, expected):
    assert ENGLISH.age(hours) == expected


@given(st.floats(0, 1))
def test_a_probability_is_never_shown_as_certain(probability):
    assert ENGLISH.probability(probability) not in ("0 %", "100 %")


def test_stations_of_the_same_name_are_labelled_with_their_id(series):
    names = {"a": "Centre", "b": "Centre", "c": "Port"}
    station = series.context.station
    stations = [station.model_copy(update={"station_id": key, "name": name}) for key, name in names.items()]
    assert station_labels(stations) == {"a": "Centre (a)", "b": "Centre (b)", "c": "Port"}


def test_markdown_in_names_is_escaped():
    assert escape_markdown("*St. [x](http://y)* $1") == r"\*St\. \[x\]\(http\://y\)\* \$1"


def test_labels_on_the_map_cover_neither_circles_nor_each_other():
    apart = {"name": ["North", "South"], "longitude": [24.9, 24.9], "latitude": [60.4, 60.1]}
    near = {"name": ["Middle", "Next door"], "longitude": [24.9, 24.902], "latitude": [60.25, 60.25]}
    crowded = {"name": ["Between"], "longitude": [24.901], "latitude": [60.25]}
    places = pl.concat([pl.DataFrame(some) for some in (apart, near, crowded)]).with_columns(band=pl.lit("Good"))
    labelled = places.with_columns(label=pl.col("name") + ": Good")
    sides = dict(zip(labelled["name"], label_sides(labelled, (24.6, 60.0, 25.2, 60.5)), strict=True))
    assert sides == {"North": 1, "South": 1, "Middle": 1, "Next door": -1, "Between": 0}
