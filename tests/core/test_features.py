"""Features use the data known at issue, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from forecast_town import HOUR, at, observations, stations, weather
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.features import FutureWeather, Panel, Rows, as_of, build_features, build_panel, build_sequences
from hazecast.features.panel import WEATHER
from hazecast.features.signature import input_signature
from hazecast.features.sun import sunlight
from hazecast.features.view import PAST_WEATHER_HOURS
from hazecast.features.weather import day_range

OFFSETS = {"pm25": 2.0, "o3": 5.0}
ISSUED = at(60, 6)


def _features(panel: Panel, future: FutureWeather, *, leads=range(1, 73), issued=ISSUED) -> np.ndarray:
    n = len(panel.stations)
    view = as_of(panel, np.arange(n), np.full(n, panel.hour_of(issued)), future=future, seed=3)
    rows = Rows(np.tile(np.arange(n), len(leads)), np.repeat(np.array(leads), n))
    built = build_features(view, rows, offsets=OFFSETS, future=future, only=tuple(OFFSETS))
    inputs = build_sequences(view, offsets=OFFSETS, future=future, only=tuple(OFFSETS))
    sequences = inputs.past[rows.case], inputs.ahead[rows.lead - 1, rows.case], inputs.naive[rows.lead - 1, rows.case]
    return np.concatenate([*(np.column_stack([f.values, f.naive]) for f in built.values()), *sequences], axis=1)


def _panel(*, seen=None, sky=None, runs=False) -> Panel:
    return build_panel(observations() if seen is None else seen, weather(runs=runs) if sky is None else sky, stations())


def test_the_future_changes_no_feature():
    """Later observations are multiplied by 9, and then removed."""
    later = pl.col("observed_at") >= ISSUED
    seen = observations().with_columns(
        pl.when(later)
        .then(pl.col("concentration_ugm3") * 9 + 1)
        .otherwise("concentration_ugm3")
        .alias("concentration_ugm3")
    )
    assert not seen.equals(observations())
    none = FutureWeather.NONE
    np.testing.assert_array_equal(_features(_panel(), none), _features(_panel(seen=seen), none))
    np.testing.assert_array_equal(_features(_panel(), none), _features(_panel(seen=seen.filter(~later)), none))


@settings(max_examples=8, deadline=None)
@given(late=st.integers(1, 200), hours=st.integers(1, 600))
def test_rows_that_arrive_after_issue_are_not_seen(late, hours):
    """A row observed long ago but available only after issue is as good as absent."""
    old = pl.col("observed_at").is_between(ISSUED - (hours + 5) * HOUR, ISSUED - hours * HOUR)
    delayed = observations().with_columns(
        pl.when(old).then(pl.lit(ISSUED + late * HOUR)).otherwise("available_at").alias("available_at")
    )
    none = FutureWeather.NONE
    absent = _features(_panel(seen=observations().filter(~old)), none)
    np.testing.assert_array_equal(_features(_panel(seen=delayed), none), absent)
    assert not np.array_equal(_features(_panel(), none), absent, equal_nan=True)


def test_weather_ahead_is_not_seen_without_a_forecast():
    sky = weather()
    blown = sky.with_columns(
        pl.when(pl.col("valid_at") >= ISSUED).then(99.0).otherwise("wind_speed_ms").alias("wind_speed_ms")
    )
    for future in (FutureWeather.NONE, FutureWeather.FORECAST):
        np.testing.assert_array_equal(_features(_panel(sky=sky), future), _features(_panel(sky=blown), future))
    seen = _features(_panel(sky=sky), FutureWeather.OBSERVED), _features(_panel(sky=blown), FutureWeather.OBSERVED)
    assert not np.array_equal(*seen, equal_nan=True)


def test_a_run_is_seen_from_when_it_is_available():
    """At 02:00 the midnight run is not out yet (03:00), so yesterday's is used."""
    sky = weather(runs=True)
    new = pl.col("issued_at") == at(60)
    changed = sky.with_columns(pl.when(new).then(99.0).otherwise("wind_speed_ms").alias("wind_speed_ms"))
    panels = _panel(sky=sky), _panel(sky=changed)
    before = [_features(p, FutureWeather.FORECAST, issued=at(60, 2)) for p in panels]
    np.testing.assert_array_equal(*before)
    after = [_features(p, FutureWeather.FORECAST, issued=at(60, 3)) for p in panels]
    assert not np.array_equal(*after, equal_nan=True)
    assert np.isfinite(before[0]).any()


@pytest.mark.parametrize("future", list(FutureWeather))
def test_training_features_are_live_features(future):
    """Rows built among many origins equal those built on the day from tables that end there."""
    whole = _panel(runs=True)
    n = len(whole.stations)
    hours = np.repeat(whole.hour_of(ISSUED) + np.array([-30, 0, 17]), n)
    view = as_of(whole, np.tile(np.arange(n), 3), hours, future=future, seed=3)
    rows = Rows(np.repeat(np.arange(n, 2 * n), 2), np.tile([2, 40], n))
    trained = build_features(view, rows, offsets=OFFSETS, future=future, only=("pm25",))["pm25"]
    trained_sequences = build_sequences(view, offsets=OFFSETS, future=future, only=("pm25",))[np.arange(n, 2 * n)]
    live_sky = weather(runs=True)
    if future in (FutureWeather.NONE, FutureWeather.FORECAST):
        live_sky = live_sky.filter(pl.col("available_at") <= ISSUED)
    live = _panel(seen=observations().filter(pl.col("available_at") <= ISSUED), sky=live_sky)
    view = as_of(live, np.arange(n), np.full(n, live.hour_of(ISSUED)), future=future, seed=3)
    mine = Rows(rows.case - n, rows.lead)
    today = build_features(view, mine, offsets=OFFSETS, future=future, only=("pm25",))["pm25"]
    sequences = build_sequences(view, offsets=OFFSETS, future=future, only=("pm25",))
    assert today.names == trained.names
    np.testing.assert_array_equal(today.values, trained.values)
    np.testing.assert_array_equal(sequences.past, trained_sequences.past)
    np.testing.assert_array_equal(sequences.ahead, trained_sequences.ahead)


def test_the_diurnal_mean_is_the_mean_of_each_clock_hour_over_four_weeks():
    panel = _panel()
    issued = panel.hour_of(ISSUED)
    view = as_of(panel, np.array([0]), np.array([issued]), future=FutureWeather.NONE)
    seen = np.maximum(panel.concentration_ugm3[:, 0, issued - 28 * 24 : issued], 0).reshape(-1, 28, 24)
    expected = np.where((~np.isnan(seen)).sum(axis=1) >= 7, np.nanmean(seen, axis=1), np.nan)
    np.testing.assert_allclose(view.diurnal_mean_ugm3[:, 0], expected, rtol=1e-5)
    young = as_of(panel, np.array([0]), np.array([24 * 6]), future=FutureWeather.NONE)
    assert np.isnan(young.diurnal_mean_ugm3).all()


def test_the_solar_elevation_is_right_at_the_solstices():
    """At noon 90° - latitude ± 23.44° high; in Helsinki (60.17° N, 24.94° E) that is at about 10:20 UTC."""
    panel = replace(
        _panel(),
        start=datetime(2024, 6, 21, tzinfo=UTC),
        latitude_deg=np.array([60.17, np.nan], np.float32),
        longitude_deg=np.array([24.94, np.nan], np.float32),
    )
    noon = 10  # the middle of the hour from 10:00 UTC
    winter = (datetime(2024, 12, 21, tzinfo=UTC) - panel.start).days * 24 + noon
    light = sunlight(panel, np.array([0, 0, 0, 1]), np.array([noon, noon + 12, winter, noon]))
    np.testing.assert_allclose(light, [np.sin(np.radians(53.27)), 0, np.sin(np.radians(6.39)), np.nan], atol=0.02)


def test_invalid_values_are_left_out_and_suspicious_ones_are_not_truth():
    flags = observations().with_columns(
        pl.when(pl.col("observed_at") == at(30))
        .then(pl.lit("invalid"))
        .when(pl.col("observed_at") == at(30, 1))
        .then(pl.lit("suspicious"))
        .otherwise("flag")
        .alias("flag")
    )
    panel = _panel(seen=flags)
    hour = panel.hour_of(at(30))
    centre = panel.concentration_ugm3[:, 0, hour : hour + 2]
    assert np.isnan(centre[:, 0]).all()
    assert np.isfinite(centre[:, 1]).all()
    assert not panel.is_truth[:, 0, hour : hour + 2].any()


def test_noise_is_the_same_for_the_same_case_and_grows_with_lead():
    panel = _panel()
    n = 400
    station, issued = np.zeros(n, int), np.arange(300, 300 + n)
    noisy = as_of(panel, station, issued, future=FutureWeather.NOISY, seed=1).weather[:, -72:]
    again = as_of(panel, station[::-1], issued[::-1], future=FutureWeather.NOISY, seed=1).weather[::-1, -72:]
    other = as_of(panel, station, issued, future=FutureWeather.NOISY, seed=2).weather[:, -72:]
    truth = as_of(panel, station, issued, future=FutureWeather.OBSERVED).weather[:, -72:]
    np.testing.assert_array_equal(noisy, again)
    error = (noisy - truth)[:, :, 0]
    assert not np.array_equal(noisy, other, equal_nan=True)
    assert error[:, 0].std() == pytest.approx(1.0, rel=0.15)
    assert error[:, 71].std() == pytest.approx(2.5, rel=0.15)
    assert np.corrcoef(error[:, 30], error[:, 31])[0, 1] > 0.8


def test_simulated_weather_errors_are_the_same_all_over_a_region():
    """The mean of independent errors over neighbours would cancel, and flatter every model that uses it."""
    panel, n = _panel(), 400
    case = np.zeros(n, int), np.arange(300, 300 + n)
    noisy = as_of(panel, *case, future=FutureWeather.NOISY, seed=1)
    truth = as_of(panel, *case, future=FutureWeather.OBSERVED)
    here = (noisy.weather - truth.weather)[:, -72:, 0]
    region = (noisy.regional_weather - truth.regional_weather)[:, -72:, 0]
    np.testing.assert_allclose(here, region, atol=1e-5)


def test_regional_weather_is_the_mean_of_the_stations_that_have_weather():
    sky = weather()
    warmer = sky.with_columns(pl.col("temperature_c") + 6.0 * (pl.col("station_id") == "new"))
    panel = _panel(sky=warmer)
    seen = as_of(panel, np.arange(6), np.full(6, panel.hour_of(ISSUED)), future=FutureWeather.OBSERVED)
    local = as_of(_panel(sky=sky), np.arange(1), np.array([panel.hour_of(ISSUED)]), future=FutureWeather.OBSERVED)
    raised = seen.regional_weather[:, :, 0] - local.weather[0, :, 0]
    shared = 6 / 4  # of centre, gappy, new and single; dry has none, lost has no coordinates
    for name, by in {"centre": shared, "dry": shared, "new": shared, "lost": 0.0}.items():
        np.testing.assert_allclose(raised[panel.stations.index(name)], by, atol=1e-5)


def test_the_temperature_range_is_that_of_the_day_around_the_hour():
    """A day of 10 °C between night and noon, then a cool one of 4 °C; beyond the horizon nothing is known."""
    hour = np.arange(PAST_WEATHER_HOURS + 72)
    swing_c = np.where(hour < PAST_WEATHER_HOURS + 36, 5.0, 2.0)
    sky = np.full((1, len(hour), len(WEATHER)), np.nan, np.float32)
    sky[0, :, WEATHER.index("temperature_c")] = swing_c * np.sin(2 * np.pi * hour / 24)
    found = day_range(sky, case=np.array([0]), lead=np.arange(1, 73)[:, None])
    width, above = found["day_temperature_range_c"][:, 0], found["above_lowest_c"][:, 0]
    np.testing.assert_allclose(width[:20], 10, atol=1e-4)
    np.testing.assert_allclose(width[52:66], 4, atol=1e-4)
    assert above.min() == 0
    assert (above <= width).all()
    np.testing.assert_allclose(found["share_of_range"][:, 0], above / width)


def test_moments_must_be_whole_hours():
    with pytest.raises(ValueError, match="start of an hour"):
        _panel().hour_of(ISSUED + timedelta(minutes=5))
    with pytest.raises(ValueError, match="time zone"):
        _panel().hour_of(ISSUED.replace(tzinfo=None))


def test_a_panel_needs_observations():
    with pytest.raises(ValueError, match="no valid observations"):
        build_panel(observations().clear(), weather(), stations())


def test_neighbours_are_near_and_known():
    panel = _panel()
    lost = panel.stations.index("lost")
    assert (panel.neighbours[lost] == -1).all()
    assert not (panel.neighbours == lost).any()
    assert panel.neighbours[0, 0] == panel.stations.index("new") or panel.neighbours[0, 0] == panel.stations.index(
        "dry"
    )


def test_weather_errors_keep_growing_linearly_beyond_three_days():
    panel, n = _panel(), 400
    case = np.zeros(n, int), np.arange(300, 300 + n)
    noisy, truth = (
        as_of(panel, *case, future=future, horizon_hours=120, seed=1).weather[:, -120:, 0]
        for future in (FutureWeather.NOISY, FutureWeather.OBSERVED)
    )
    spread = (noisy - truth).std(axis=0)
    assert spread[71] == pytest.approx(2.5, rel=0.15)
    assert spread[119] == pytest.approx(1.0 + 1.5 * 119 / 71, rel=0.15)


def test_the_input_signature_depends_on_every_feature_name(monkeypatch):
    before = input_signature(("pm25", "o3"))
    assert before == input_signature(("pm25", "o3"))
    assert before != input_signature(("pm25", "no2"))
    assert before != input_signature(("pm25", "o3"), future=FutureWeather.NONE)
    monkeypatch.setattr("hazecast.features.build.DIURNAL_MEAN_DAYS", 21)
    assert before != input_signature(("pm25", "o3"))
