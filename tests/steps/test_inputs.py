"""What the model is shown of the weather ahead: only what it saw often enough to learn from."""

from datetime import timedelta

import polars as pl
import pytest

from hazecast.air.tables import Weather
from hazecast.errors import TooLittleHistory
from hazecast.features import FutureWeather
from hazecast.sources.simulated import SimulatedSource
from hazecast.steps.check import check
from hazecast.steps.collect import Batch
from hazecast.steps.inputs import read_inputs
from hazecast.store import Store

from .conftest import START

UNTIL = START + timedelta(days=10)


@pytest.mark.parametrize(
    ("days_with_runs", "expected"),
    [(0, FutureWeather.NONE), (2, FutureWeather.NONE), (8, FutureWeather.FORECAST), (10, FutureWeather.FORECAST)],
)
def test_forecasts_are_shown_where_most_days_have_one(days_with_runs: int, expected: FutureWeather, store: Store):
    town = SimulatedSource(n_stations=1)
    weather = town.fetch_weather(since=START, until=UNTIL)
    early = pl.col("issued_at").is_null() | (pl.col("issued_at") >= UNTIL - timedelta(days=days_with_runs))
    observations = town.fetch_observations(since=START, until=UNTIL)
    check(Batch(town.fetch_stations(), observations, weather.filter(early), START, UNTIL), store, now=UNTIL)
    assert read_inputs(store).weather is expected
    assert store.read(Weather)["issued_at"].null_count() == 240


def test_a_clock_far_ahead_is_named_as_a_possible_cause(store: Store):
    with pytest.raises(TooLittleHistory, match="nothing has been collected yet"):
        read_inputs(store, since=START)
    town = SimulatedSource(n_stations=1)
    observations = town.fetch_observations(since=START, until=UNTIL)
    weather = town.fetch_weather(since=START, until=UNTIL)
    check(Batch(town.fetch_stations(), observations, weather, START, UNTIL), store, now=UNTIL)
    last = f"{UNTIL - timedelta(hours=1):%Y-%m-%d %H:%M}"
    with pytest.raises(
        TooLittleHistory, match=f"no valid observation since .*; the newest one is of {last}.*check the clock"
    ):
        read_inputs(store, since=UNTIL + timedelta(days=1_000))
