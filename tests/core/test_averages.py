"""Averages: completeness, the day a window belongs to, and days of 23 and 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.averages import daily_max_8h_means, daily_means, hours_in_day, mean_of, running_means
from hazecast.errors import ContractError

START = datetime(2026, 1, 1, tzinfo=UTC)


def hourly(values: list[float | None], start: datetime = START, station: str = "a") -> pl.DataFrame:
    """Consecutive hours of one station; None is an absent row."""
    rows = [
        {
            "station_id": station,
            "pollutant": "o3",
            "observed_at": start + timedelta(hours=n),
            "concentration_ugm3": float(v),
        }
        for n, v in enumerate(values)
        if v is not None
    ]
    schema = {
        "station_id": pl.String,
        "pollutant": pl.String,
        "observed_at": pl.Datetime("us", "UTC"),
        "concentration_ugm3": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema)


def local_start(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.0] * 49, [0.0, 0.0]), (list(range(1, 50)), [20.5, 44.5])],
    ids=["zeros [pyaerocom tests/stats/mda8]", "1..49 [pyaerocom tests/stats/mda8]"],
)
def test_mda8_of_pyaerocom(values: list[float], expected: list[float]):
    """Their series are labelled by the END of the hour from 01:00 on, ours by its start from 00:00 on."""
    assert daily_max_8h_means(hourly(values), "UTC")["max_8h_ugm3"].to_list() == expected


def test_the_first_window_of_a_day_begins_at_17_the_day_before():
    values = [0.0] * 17 + [80.0] * 7 + [80.0] + [0.0] * 23
    days = daily_max_8h_means(hourly(values), "UTC")
    assert days["max_8h_ugm3"].to_list() == [70.0, 80.0]


def test_eight_hours_need_six_and_a_day_eighteen():
    means = running_means(hourly([8.0, None, 8.0, None, 8.0, 8.0, 8.0, 8.0, None, None]), hours=8, needs=6)
    assert means["observed_at"].dt.hour().to_list() == [7]
    assert daily_means(hourly([5.0] * 18), "UTC")["mean_ugm3"].to_list() == [5.0]
    assert daily_means(hourly([5.0] * 17), "UTC").is_empty()
    assert daily_means(hourly([5.0] * 16), "UTC", needs_share=16 / 24).height == 1
    assert daily_means(hourly([5.0] * 15), "UTC", needs_share=16 / 24).is_empty()


def test_a_window_of_five_hours_is_no_8_hour_mean():
    values = [0.0] * 24 + [0.0] * 20 + [None] * 3 + [80.0]
    assert daily_max_8h_means(hourly(values), "UTC")["max_8h_ugm3"].to_list() == [0.0, 0.0]


def test_a_mean_may_end_in_a_missing_hour():
    means = running_means(hourly([1.0] * 7 + [None] + [1.0]), hours=8, needs=6)
    assert means["observed_at"].dt.hour().to_list() == [5, 6, 7, 8]


def test_stations_do_not_mix():
    both = pl.concat([hourly([1.0] * 24), hourly([9.0] * 24, station="b")])
    means = running_means(both, hours=8, needs=6)
    assert means.group_by("station_id").agg(pl.col("mean_ugm3").unique()).sort("station_id")["mean_ugm3"].to_list() == [
        [1.0],
        [9.0],
    ]
    assert daily_means(both, "UTC")["mean_ugm3"].to_list() == [1.0, 9.0]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Helsinki", date(2026, 3, 29), 23),
        ("Europe/Helsinki", date(2026, 10, 25), 25),
        ("America/Los_Angeles", date(2026, 3, 8), 23),
        ("America/Los_Angeles", date(2026, 11, 1), 25),
        ("Asia/Kathmandu", date(2026, 3, 29), 24),
    ],
)
def test_local_days_keep_their_own_hours_at_clock_changes(zone: str, day: date, hours: int):
    assert hours_in_day(day, ZoneInfo(zone)) == hours
    start = local_start(day, zone)
    first_hour = start if start.minute == 0 else start + timedelta(hours=1) - timedelta(minutes=start.minute)
    series = hourly([1.0] * hours + [100.0] * 24, first_hour)
    means = daily_means(series, zone)
    assert means["day"].to_list()[0] == day
    assert means["mean_ugm3"].to_list() == [1.0, 100.0]


def test_a_long_day_needs_nineteen_hours():
    start = local_start(date(2026, 10, 25), "Europe/Helsinki")
    assert daily_means(hourly([1.0] * 18, start), "Europe/Helsinki").is_empty()
    assert daily_means(hourly([1.0] * 19, start), "Europe/Helsinki").height == 1


@given(st.lists(st.one_of(st.none(), st.floats(0, 500)), min_size=30, max_size=60))
def test_running_means_are_those_of_the_window(values: list[float | None]):
    series = np.array([np.nan if v is None else v for v in values])
    window = mean_of(24, needs=18)
    first = int(np.flatnonzero(~np.isnan(series))[0]) if (~np.isnan(series)).any() else 0
    last = int(np.flatnonzero(~np.isnan(series))[-1]) if (~np.isnan(series)).any() else -1
    expected = [m for n in range(first, last + 1) if (m := window(series[: n + 1])) is not None]
    found = running_means(hourly(values), hours=24, needs=18)["mean_ugm3"].to_list()
    assert found == pytest.approx(expected, abs=1e-6)


def test_repeated_and_odd_hours_are_refused():
    row = hourly([1.0])
    with pytest.raises(ContractError, match="repeats"):
        running_means(pl.concat([row, row]), hours=8, needs=6)
    with pytest.raises(ContractError, match="start of an hour"):
        running_means(hourly([1.0], START + timedelta(minutes=30)), hours=8, needs=6)


def test_of_nothing_there_is_no_average():
    assert running_means(hourly([]), hours=8, needs=6).is_empty()
    assert daily_means(hourly([]), "UTC").is_empty()
    assert daily_max_8h_means(hourly([]), "UTC").is_empty()
