"""Drivers of a forecast: physically right in sign, and zero where inputs are missing or typical."""

import numpy as np
import polars as pl
import pytest
from forecast_town import at, observations, stations, weather

from hazecast.air.tables import DRIVERS as DRIVER_NAMES
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.features.panel import WEATHER
from hazecast.models.drivers import DRIVERS
from hazecast.models.stack import Stack
from presets import SMALL

DAYS = range(61, 71)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return build_panel(observations(), weather(), stations())


@pytest.fixture(scope="module")
def forecaster(panel: Panel) -> Stack:
    return Stack.fit(panel, pollutants=("pm25",), until=at(60), weather=FutureWeather.OBSERVED, config=SMALL)


@pytest.fixture(scope="module")
def moved(panel: Panel, forecaster: Stack) -> pl.DataFrame:
    return pl.concat([forecaster.drivers(panel, at(day)) for day in DAYS])


def test_every_driver_of_every_station_at_one_hour_of_each_block(moved):
    assert tuple(DRIVERS) == DRIVER_NAMES
    assert moved.group_by("station_id", "issued_at").len()["len"].unique().to_list() == [12]
    assert set(moved["pollutant"]) == {"pm25"}
    lead = (moved["valid_at"] - moved["issued_at"]).dt.total_hours() + 1
    assert sorted(set(lead)) == [3, 15, 36, 60]
    assert moved["change"].is_finite().all()


def test_missing_inputs_have_no_effect(moved, forecaster):
    """A town without weather, and a station without coordinates."""
    calm = forecaster.drivers(build_panel(observations(), weather().clear(), stations()), at(61))
    dry = calm.filter(driver="weather_ahead")["change"]
    lost = moved.filter(station_id="lost", driver="neighbours")["change"]
    assert dry.to_list() == [0.0] * len(dry) != []
    assert lost.to_list() == [0.0] * len(lost)
    assert (moved.filter(station_id="centre")["change"] != 0).any()


def test_a_station_without_weather_is_moved_by_that_of_its_neighbours(moved):
    assert (moved.filter(station_id="dry", driver="weather_ahead")["change"] != 0).any()


def test_more_wind_than_the_day_before_lowers_the_forecast(panel, moved):
    mine = moved.filter((pl.col("station_id") == "centre") & (pl.col("driver") == "weather_ahead"))
    speed = panel.weather[panel.stations.index("centre"), :, WEATHER.index("wind_speed_ms")]
    issued = np.array([panel.hour_of(moment) for moment in mine["issued_at"]])
    ahead = np.array([panel.hour_of(moment) for moment in mine["valid_at"]])
    day_before = ahead - 24 * -(-(ahead - issued + 1) // 24)
    windier = np.log(speed[ahead] / speed[day_before])
    assert np.corrcoef(windier, mine["change"].to_numpy())[0, 1] < -0.5


def test_a_typical_day_has_no_effect(panel, forecaster):
    """The same 24 hours repeated: the typical day equals the last one."""
    steady = observations().with_columns(concentration_ugm3=10.0 + pl.col("observed_at").dt.hour())
    same = build_panel(steady, weather(), stations())
    found = forecaster.drivers(same, at(61)).filter(pl.col("driver") == "recent_levels")
    assert found["change"].to_numpy() == pytest.approx(0, abs=1e-5)
