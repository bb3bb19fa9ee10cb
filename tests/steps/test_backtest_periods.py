"""The issue times of a backtest, and the training data of each forecaster."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.spec import ForecastSpec
from hazecast.evaluation.backtest import Backtest, issue_times, periods

DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_daylight_saving_does_not_move_the_local_hour():
    issues = issue_times(utc("2024-03-29"), utc("2024-04-02"), every=DAY, hour=6, timezone="Europe/Berlin")
    assert issues == [utc(f"2024-{day}") for day in ("03-29T05:00", "03-30T05:00", "03-31T04:00", "04-01T04:00")]


def test_an_issue_between_utc_hours_moves_back_to_one():
    issues = issue_times(utc("2024-01-01"), utc("2024-01-03"), every=DAY, hour=6, timezone="Asia/Kathmandu")
    assert issues == [utc("2024-01-01T00:00"), utc("2024-01-02T00:00")]


def test_a_start_after_the_hour_of_issue_moves_to_the_next_day():
    issues = issue_times(utc("2024-01-01T07:00"), utc("2024-01-20"), every=7 * DAY, hour=6, timezone="UTC")
    assert issues == [utc("2024-01-02T06:00"), utc("2024-01-09T06:00"), utc("2024-01-16T06:00")]


@given(
    since=st.datetimes(datetime(2019, 1, 1), datetime(2021, 1, 1), timezones=st.just(UTC)),
    days=st.integers(0, 40),
    every_hours=st.sampled_from([1, 6, 24, 48, 168]),
    hour=st.integers(0, 23),
    timezone=st.sampled_from(["Europe/Lisbon", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_issues_are_whole_hours_inside_the_period_in_order(since, days, every_hours, hour, timezone):
    until = since + timedelta(days=days)
    issues = issue_times(since, until, every=timedelta(hours=every_hours), hour=hour, timezone=timezone)
    assert issues == sorted(set(issues))
    assert all(issue.minute == issue.second == issue.microsecond == 0 for issue in issues)
    assert all(since - timedelta(hours=1) < issue < until for issue in issues)
    if days > 2:
        assert issues[0] < since + timedelta(hours=26)
    if every_hours % 24 == 0 and timezone == "Asia/Kolkata":
        assert {(issue.astimezone(ZoneInfo(timezone)) + timedelta(minutes=30)).hour for issue in issues} <= {hour}


def test_there_is_one_training_unless_retraining_is_requested():
    issues = [utc("2024-01-10") + k * DAY for k in range(5)]
    (period,) = periods(issues, train_until=utc("2024-01-01"), retrain_every=None)
    assert (period.trained_until, list(period.issues)) == (utc("2024-01-01"), issues)


def test_every_training_ends_before_its_issues():
    issues = [utc("2024-01-10") + k * DAY for k in range(9)]
    found = periods(issues, train_until=utc("2024-01-08"), retrain_every=4 * DAY)
    assert [period.trained_until for period in found] == [utc("2024-01-08"), utc("2024-01-14"), utc("2024-01-18")]
    assert [issue for period in found for issue in period.issues] == issues
    assert all(issue >= period.trained_until for period in found for issue in period.issues)


def test_a_training_after_the_first_issue_is_refused():
    with pytest.raises(ValueError, match="after the first issue"):
        periods([utc("2024-01-10")], train_until=utc("2024-01-11"), retrain_every=None)


@pytest.mark.parametrize(("hours", "horizon_hours"), [(1, 48), (48, 48), (72, 72), (73, 96), (120, 120)])
def test_the_model_is_trained_for_the_shortest_horizon_that_covers_the_leads(hours: int, horizon_hours: int):
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert Backtest(moment, moment, moment, 6, horizon_hours=hours).spec == ForecastSpec(horizon_hours)
