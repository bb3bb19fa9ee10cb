"""Backfill four weeks at a time, weather that is out of reach, and the archive of physics models."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from hazecast.air.tables import Backfilled, Background, Observations, Quality, Weather
from hazecast.errors import SourceError, SourceUnavailable
from hazecast.sources.simulated import SimulatedSource
from hazecast.steps.backfill import backfill, outstanding_stretches
from hazecast.steps.background import archive_background
from hazecast.steps.check import check
from hazecast.steps.collect import collect
from hazecast.store import Store

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
STRETCH = timedelta(days=28)
NOW = MONDAY + 4 * STRETCH + timedelta(days=2, hours=5)


class Town(SimulatedSource):
    """A town whose weather service may be out, and which may measure nothing before a moment."""

    def __init__(self, *, silent_until: datetime = MONDAY, fails_at: datetime | None = None) -> None:
        super().__init__(n_stations=1)
        self.silent_until, self.fails_at, self.weather_is_out, self.requests = silent_until, fails_at, False, []

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        self.requests.append((since, until))
        if self.fails_at and since >= self.fails_at:
            raise SourceUnavailable("the town hall burns")
        rows = super().fetch_observations(since=since, until=until)
        return rows.filter(pl.col("observed_at") >= self.silent_until)

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        if self.weather_is_out:
            raise SourceUnavailable("no wind")
        return super().fetch_weather(since=since, until=until)


def fill(town: Town, store: Store, *, since: datetime = MONDAY) -> str:
    return backfill(town, store, outstanding_stretches(store, since=since, now=NOW), now=NOW)


def stored(store: Store, table) -> pl.DataFrame:
    rows = store.read(table).drop("ingested_at", strict=False)
    return rows.sort(rows.columns)


def test_stretches_end_on_mondays_and_end_where_hours_are_final(store: Store):
    stretches = outstanding_stretches(store, since=MONDAY + timedelta(days=3), now=NOW)
    assert stretches == [(MONDAY + timedelta(days=3), MONDAY + STRETCH)] + [
        (MONDAY + n * STRETCH, MONDAY + (n + 1) * STRETCH) for n in (1, 2)
    ]
    assert NOW - timedelta(hours=72) < MONDAY + 4 * STRETCH


def test_what_is_stored_is_not_fetched_again(store: Store):
    town = Town()
    assert fill(town, store) == "3 of 3 stretches of four weeks stored"
    assert store.read(Backfilled)["n_observations"].to_list() == [6 * 672] * 3
    fill(town, store)
    assert len(town.requests) == 3


def test_after_a_failure_it_resumes_and_ends_with_the_same_rows(store: Store, tmp_path):
    with pytest.raises(SourceUnavailable, match="burns"):
        fill(Town(fails_at=MONDAY + STRETCH), store)
    assert store.read(Backfilled).height == 1
    town = Town()
    fill(town, store)
    assert town.requests[0][0] == MONDAY + STRETCH
    whole = Store(str(tmp_path / "whole"))
    fill(Town(), whole)
    for table in (Observations, Weather):
        assert stored(store, table).equals(stored(whole, table))


def test_a_stretch_without_observations_is_skipped_and_reported(store: Store):
    summary = fill(Town(silent_until=MONDAY + STRETCH), store)
    assert summary.startswith("2 of 3 stretches of four weeks stored; passed over: ")
    assert "nothing was observed" in summary
    assert store.newest(Observations, "observed_at") == MONDAY + 3 * STRETCH - timedelta(hours=1)


def test_each_stretch_keeps_its_report(store: Store):
    fill(Town(), store)
    assert store.read(Quality)["window_start"].n_unique() == 3


def test_older_history_can_be_added_later(store: Store):
    fill(Town(), store, since=MONDAY + 2 * STRETCH)
    fill(Town(), store)
    assert stored(store, Observations).height == 3 * 6 * 672


def test_without_weather_the_observations_are_taken_in_and_the_weather_later(store: Store):
    town = Town()
    town.weather_is_out = True
    batch = collect(town, store, now=NOW, history_days=10)
    assert batch.complaints == ("no weather this time: no wind",)
    check(batch, store, now=NOW)
    assert store.read(Weather).is_empty()
    town.weather_is_out = False
    later = NOW + timedelta(days=5)
    check(collect(town, store, now=NOW + timedelta(hours=1), history_days=10), store, now=NOW)
    town.weather_is_out = True
    check(collect(town, store, now=later, history_days=10), store, now=later)
    town.weather_is_out = False
    last = collect(town, store, now=later + timedelta(hours=1), history_days=10)
    assert last.weather["valid_at"].min() < NOW


def test_a_backfill_does_not_leave_stretches_without_weather(store: Store):
    town = Town()
    town.weather_is_out = True
    with pytest.raises(SourceUnavailable, match="no wind"):
        fill(town, store)
    assert store.read(Backfilled).is_empty()


def test_an_issued_weather_forecast_is_never_altered(store: Store):
    batch = collect(Town(), store, now=NOW, history_days=10)
    check(batch, store, now=NOW)
    issued = pl.col("issued_at").is_not_null()
    other = batch.weather.with_columns(temperature_c=pl.col("temperature_c") + 1)
    check(type(batch)(batch.stations, batch.observations, other, batch.since, batch.until), store, now=NOW)
    before, after = batch.weather.sort("issued_at", "valid_at"), store.read(Weather).sort("issued_at", "valid_at")
    assert after.filter(issued).equals(before.filter(issued))
    assert after.filter(~issued)["temperature_c"].sum() > before.filter(~issued)["temperature_c"].sum()


class Physics:
    def __init__(self, name: str, issued_at: datetime, level: float) -> None:
        self.name, self.issued_at, self.level = name, issued_at, level

    def fetch_background(self, stations: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
        if self.level < 0:
            raise SourceUnavailable(f"{self.name} is out of reach")
        row = {"pollutant": "pm25", "source": self.name, "concentration_ugm3": self.level}
        times = {"issued_at": self.issued_at, "valid_at": self.issued_at, "available_at": now}
        return pl.DataFrame(
            [{"station_id": name} | row | times for name in stations["station_id"]],
            schema=Background.create_empty().schema,
        )


def test_the_background_is_archived_by_issue_and_a_dead_model_costs_nothing(store: Store):
    check(collect(Town(), store, now=NOW, history_days=10), store, now=NOW)
    models = [Physics("cams_global", MONDAY, -1.0), Physics("silam", MONDAY, 5.0)]
    summary = archive_background(models, store, now=NOW)
    assert summary == "cams_global not archived: cams_global is out of reach; silam 1 hours"
    archive_background([Physics("silam", MONDAY, 9.0), Physics("silam", MONDAY + STRETCH, 7.0)], store, now=NOW)
    assert store.read(Background).sort("issued_at")["concentration_ugm3"].to_list() == [5.0, 7.0]


def test_modelled_and_measured_data_never_share_tables(store: Store):
    class Modelled(Town):
        def fetch_stations(self) -> pl.DataFrame:
            return super().fetch_stations().with_columns(source=pl.lit("cams_model"))

    check(collect(Modelled(), store, now=NOW, history_days=10), store, now=NOW)
    with pytest.raises(SourceError, match="never mix"):
        collect(Town(), store, now=NOW, history_days=10)
