"""Collect and check: only what is new, flagged, stored once; a worthless batch changes nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast.air.tables import Observations, Quality, Stations, Weather
from hazecast.errors import QualityError, SourceError, SourceRefused
from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import SimulatedSource
from hazecast.steps.check import Checked, check
from hazecast.steps.collect import collect
from hazecast.store import Store

from .conftest import DAYS, END, START, write_dataset


def take_in(source: FilesSource | SimulatedSource, store: Store, now: datetime) -> Checked:
    return check(collect(source, store, now=now, history_days=10), store, now=now)


def test_a_first_collection_stores_all_the_source_has(source: FilesSource, store: Store):
    take_in(source, store, END)
    stored = store.read(Observations)
    assert stored.height == 2 * 2 * 24 * DAYS
    assert stored["observed_at"].min() == START
    assert store.read(Stations).height == 2


def test_collecting_again_changes_nothing(source: FilesSource, store: Store):
    first = take_in(source, store, END)
    again = take_in(source, store, END)
    assert again.observations_version == first.observations_version


def test_nothing_later_than_the_replayed_clock_is_stored(source: FilesSource, store: Store):
    now = START + timedelta(days=20, minutes=30)
    take_in(source, store, now)
    assert store.newest(Observations, "observed_at") == now - timedelta(hours=1, minutes=30)
    take_in(source, store, now + timedelta(days=1))
    assert store.newest(Observations, "observed_at") == now + timedelta(hours=22, minutes=30)


def test_revised_hours_are_taken_in_for_three_days(tmp_path: Path, store: Store):
    folder = write_dataset(tmp_path / "town", days=10)
    now = START + timedelta(days=10)
    take_in(FilesSource(folder), store, now)
    file = folder / "observations.parquet"
    wide = pl.read_parquet(file)
    last = pl.col("observed_at") >= now - timedelta(hours=5)
    wide.with_columns(no2=pl.when(last).then(41.5).otherwise("no2")).write_parquet(file)
    take_in(FilesSource(folder), store, now + timedelta(hours=1))
    revised = store.read(Observations, (pl.col("pollutant") == "no2") & last)
    assert revised["concentration_ugm3"].to_list() == [41.5] * 10


def test_an_endless_source_gives_the_requested_history_with_weather_forecasts(store: Store):
    take_in(SimulatedSource(n_stations=1), store, END)
    assert store.read(Observations)["observed_at"].min() == END - timedelta(days=10)
    assert store.read(Weather)["issued_at"].is_not_null().any()


def test_every_check_leaves_a_report(source: FilesSource, store: Store):
    report = take_in(source, store, END).report
    assert store.read(Quality).sort("station_id", "pollutant").equals(report.sort("station_id", "pollutant"))
    assert report["completeness"].to_list() == [1.0] * 4


def test_a_worthless_batch_is_reported_and_changes_nothing(tmp_path: Path, source: FilesSource, store: Store):
    take_in(source, store, END)
    stored = store.read(Observations).sort("station_id", "pollutant", "observed_at")
    folder = write_dataset(tmp_path / "broken")
    wide = pl.read_parquet(folder / "observations.parquet")
    wide.with_columns(
        pm25=-50.0 - pl.int_range(pl.len()) / 100, no2=-50.0 - pl.int_range(pl.len()) / 100
    ).write_parquet(folder / "observations.parquet")
    with pytest.raises(QualityError, match="invalid"):
        take_in(FilesSource(folder), store, END + timedelta(hours=1))
    assert store.read(Observations).sort("station_id", "pollutant", "observed_at").equals(stored)
    assert store.read(Quality, pl.col("checked_at") > END)["n_invalid"].sum() > 0


def test_a_malformed_file_changes_nothing(tmp_path: Path, source: FilesSource, store: Store):
    take_in(source, store, END)
    version = store.version(Observations)
    folder = write_dataset(tmp_path / "malformed")
    (folder / "observations.parquet").unlink()
    (folder / "observations.csv").write_text("station_id,observed_at,pm25\nsimulated-harbour,2024-01-01T00:00Z,lots\n")
    with pytest.raises(SourceRefused, match=r"observations\.csv.*pm25"):
        take_in(FilesSource(folder), store, END)
    assert store.version(Observations) == version


def test_simulated_and_real_data_never_share_tables(source: FilesSource, store: Store):
    take_in(source, store, END)
    with pytest.raises(SourceError, match="never mix"):
        take_in(SimulatedSource(), store, END)


def rewritten(folder: Path, change) -> None:
    file = folder / "observations.parquet"
    change(pl.read_parquet(file)).write_parquet(file)


def test_changed_values_added_stations_and_older_hours_of_files_are_taken_in(tmp_path: Path, store: Store):
    folder = write_dataset(tmp_path / "town", days=10)
    now = START + timedelta(days=10)
    whole = pl.read_parquet(folder / "observations.parquet")
    first_station = whole["station_id"][0]
    rewritten(
        folder, lambda wide: wide.filter(pl.col("station_id") == first_station, pl.col("observed_at").dt.day() > 3)
    )
    source = FilesSource(folder)
    take_in(source, store, now)
    ratified = whole.with_columns(no2=pl.when(pl.col("observed_at").dt.day() == 5).then(41.5).otherwise("no2"))
    rewritten(folder, lambda _: ratified)
    batch = collect(source, store, now=now, history_days=10)
    assert "48 stored values changed" not in batch.complaints[0]
    assert "24 stored values changed" in batch.complaints[0]
    check(batch, store, now=now)
    stored = store.read(Observations)
    assert stored.height == 2 * whole.height
    assert set(
        stored.filter(pl.col("pollutant") == "no2", pl.col("observed_at").dt.day() == 5)["concentration_ugm3"]
    ) == {41.5}
    version = store.version(Observations)
    take_in(source, store, now)
    assert store.version(Observations) == version


def test_weather_files_that_cannot_be_read_fail_and_mended_ones_are_taken_in_whole(tmp_path: Path, store: Store):
    folder = write_dataset(tmp_path / "town", days=10)
    now = START + timedelta(days=10)
    times = [START + timedelta(hours=hour) for hour in range(240)]
    station = pl.read_csv(folder / "stations.csv")["station_id"][0]

    def write(zone: str) -> None:
        rows = "".join(f"{station},{time:%Y-%m-%d %H:%M}{zone},{time.hour}\n" for time in times)
        (folder / "weather.csv").write_text("station_id,valid_at,temperature_c\n" + rows)

    write("")
    with pytest.raises(SourceRefused, match=r"weather.csv, column valid_at, row 2.*no time zone"):
        take_in(FilesSource(folder), store, now)
    assert store.version(Observations) is None
    (folder / "weather.csv").unlink()
    take_in(FilesSource(folder), store, now)
    write("Z")
    take_in(FilesSource(folder), store, now)
    assert store.read(Weather).height == 240


class Elsewhere(SimulatedSource):
    """The simulated network with its first station 30° north of where it is."""

    def fetch_stations(self) -> pl.DataFrame:
        stations = super().fetch_stations()
        is_first = pl.int_range(pl.len()) == 0
        return stations.with_columns(latitude=pl.when(is_first).then(pl.col("latitude") + 30).otherwise("latitude"))


def test_a_station_that_moves_by_30_degrees_keeps_its_coordinates_and_gets_no_weather_until_it_is_back(store: Store):
    take_in(SimulatedSource(n_stations=2), store, END)
    before, n_weather = store.read(Stations).sort("station_id"), store.read(Weather).height
    moved = SimulatedSource(n_stations=2).fetch_stations()["station_id"][0]
    later = END + timedelta(days=1)
    batch = collect(Elsewhere(n_stations=2), store, now=later, history_days=10)
    assert f"1 stations moved ({moved} by 33" in " ".join(batch.complaints)
    assert moved not in batch.weather["station_id"]
    check(batch, store, now=later)
    assert store.read(Stations).sort("station_id").equals(before)
    assert store.read(Weather).height > n_weather
    back = collect(SimulatedSource(n_stations=2), store, now=later, history_days=10)
    assert back.complaints == ()
    assert moved in back.weather["station_id"]


def test_a_file_that_corrects_coordinates_is_taken_in_and_said(tmp_path: Path, store: Store):
    folder = write_dataset(tmp_path / "town", days=10)
    now = START + timedelta(days=10)
    take_in(FilesSource(folder), store, now)
    stations = pl.read_csv(folder / "stations.csv")
    stations.with_columns(pl.col("latitude") + 30).write_csv(folder / "stations.csv")
    batch = collect(FilesSource(folder), store, now=now, history_days=10)
    assert "2 stations moved" in " ".join(batch.complaints)
    check(batch, store, now=now)
    assert store.read(Stations)["latitude"].sort().to_list() == (stations["latitude"] + 30).sort().to_list()


def test_hours_stored_while_the_clock_was_years_ahead_do_not_stop_collecting(store: Store):
    take_in(SimulatedSource(n_stations=1), store, END + timedelta(days=1000))
    take_in(SimulatedSource(n_stations=1), store, END)
    recovered = store.read(Observations, pl.col("observed_at") < END)
    assert recovered["observed_at"].min() == END - timedelta(days=10)
    take_in(SimulatedSource(n_stations=1), store, END + timedelta(hours=5))
    assert store.newest(Observations, "observed_at", until=END + timedelta(days=1)) == END + timedelta(hours=4)
