"""`hazecast publish`: the metrics for CloudWatch."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from hazecast.air.tables import Forecasts, Observations
from hazecast.air.verdicts import Alerts
from hazecast.cli.publish import stored_metrics
from hazecast.store import Store

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Shelf:
    """A store of one forecast, one observation and some alerts."""

    def __init__(self, issued_at: datetime | None, rules: list[str], observed_at: datetime | None = None) -> None:
        self._times = {(Forecasts, "issued_at"): issued_at, (Observations, "observed_at"): observed_at}
        self._rules = rules

    def newest(self, table: type, column: str, *, until: datetime) -> datetime | None:
        assert until == NOW
        return self._times[table, column]

    def read(self, table: type, where: pl.Expr) -> pl.DataFrame:
        assert table is Alerts
        rows = [{"rule": rule, "audience": "operators", "state": "open"} for rule in self._rules]
        rows += [{"rule": "model", "audience": "operators", "state": "resolved"}]
        rows += [{"rule": "particles", "audience": "public", "state": "open"}]
        return pl.DataFrame(rows).filter(where)


def emitted(shelf: Shelf) -> list[dict]:
    return [
        json.loads(line)
        for line in stored_metrics(shelf, ("model", "data"), place="oslo", namespace="Hazecast/staging", now=NOW)
    ]


def test_open_incidents_are_counted_by_rule_and_none_is_a_zero():
    lines = emitted(Shelf(None, ["data", "data"]))
    assert [(line["rule"], line["open_incidents"]) for line in lines] == [("model", 0), ("data", 2)]


def test_the_age_of_the_forecast_is_absent_without_a_forecast():
    assert emitted(Shelf(NOW - timedelta(hours=5), []))[0]["forecast_age_hours"] == 5
    assert not any("forecast_age_hours" in line for line in emitted(Shelf(None, [])))


def test_the_age_of_the_source_counts_from_the_end_of_its_newest_hour():
    assert emitted(Shelf(None, [], NOW - timedelta(hours=5)))[0]["source_age_hours"] == 4


@pytest.mark.parametrize("index", [0, 1])
def test_every_line_says_which_of_its_members_are_metrics(index: int):
    line = emitted(Shelf(NOW, []))[index]
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Hazecast/staging"
    assert all(name in line for name in directive["Dimensions"][0])
    assert all(isinstance(line[metric["Name"]], int | float) for metric in directive["Metrics"])


def test_a_new_store_has_no_incident(tmp_path):
    lines = [
        json.loads(line)
        for line in stored_metrics(
            Store(str(tmp_path)), ("model",), place="oslo", namespace="Hazecast/staging", now=NOW
        )
    ]
    assert [line["open_incidents"] for line in lines] == [0]
