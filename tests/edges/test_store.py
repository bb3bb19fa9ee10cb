"""The store on a real folder and on a real S3-protocol server: atomic, idempotent, safe for several writers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from hazecast.air.tables import WEATHER_VARIABLES, Observations, Weather
from hazecast.errors import ContractError, StoreError
from hazecast.store import Store

START = datetime(2020, 1, 1, tzinfo=UTC)
WRITER = Path(__file__).with_name("store_writer.py")


def hours(station: str, n: int, *, value: float = 1.0, ingested_at: datetime = START) -> pl.DataFrame:
    observed_at = pl.datetime_range(START, START + timedelta(hours=n - 1), "1h", eager=True, time_unit="us")
    return pl.DataFrame({"observed_at": observed_at}).select(
        station_id=pl.lit(station),
        pollutant=pl.lit("pm25"),
        observed_at="observed_at",
        concentration_ugm3=pl.lit(value),
        flag=pl.lit("ok"),
        flag_reasons=pl.lit(""),
        source=pl.lit("test"),
        available_at=pl.col("observed_at") + timedelta(hours=1),
        ingested_at=pl.lit(ingested_at, pl.Datetime("us", "UTC")),
    )


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store(str(tmp_path / "tables"))
    return Store(*request.getfixturevalue("s3_bucket"))


def test_nothing_stored_yet_reads_as_an_empty_table(store: Store):
    assert store.read(Observations).is_empty()
    assert store.version(Observations) is None
    assert store.newest(Observations, "observed_at") is None


def test_written_rows_are_read_back(store: Store):
    rows = hours("a", 30)
    store.upsert(Observations, rows)
    assert store.read(Observations).sort("observed_at").equals(rows)
    assert store.newest(Observations, "observed_at") == START + timedelta(hours=29)
    assert store.read(Observations, pl.col("observed_at") < START + timedelta(hours=5)).height == 5


def test_upsert_twice_is_upsert_once(store: Store):
    first = store.upsert(Observations, hours("a", 30))
    assert store.upsert(Observations, hours("a", 30, ingested_at=START + timedelta(days=9))) == first
    assert store.read(Observations).height == 30


def test_a_revision_replaces_only_what_changed_and_time_travel_shows_the_old(store: Store):
    old = store.upsert(Observations, hours("a", 30))
    new = store.upsert(Observations, hours("a", 40, value=2.0, ingested_at=START + timedelta(days=1)))
    assert store.read(Observations)["concentration_ugm3"].to_list() == [2.0] * 40
    assert store.read(Observations, version=old)["concentration_ugm3"].to_list() == [1.0] * 30
    assert new > old


def test_an_older_ingest_never_overwrites_a_newer_one(store: Store):
    store.upsert(Observations, hours("a", 3, value=2.0, ingested_at=START + timedelta(days=1)))
    store.upsert(Observations, hours("a", 3, value=1.0, ingested_at=START))
    assert store.read(Observations)["concentration_ugm3"].to_list() == [2.0] * 3


def test_append_never_changes_a_stored_row(store: Store):
    store.append(Observations, hours("a", 3, value=1.0))
    store.append(Observations, hours("a", 5, value=2.0))
    assert store.read(Observations).sort("observed_at")["concentration_ugm3"].to_list() == [1.0] * 3 + [2.0] * 2


def test_observed_and_forecast_weather_of_one_hour_are_separate_rows(store: Store):
    row = dict.fromkeys(WEATHER_VARIABLES, 1.0) | {"station_id": "a", "valid_at": START, "source": "test"}
    rows = pl.DataFrame(
        [row | {"issued_at": None, "available_at": START}, row | {"issued_at": START, "available_at": START}],
        schema=Weather.create_empty().schema,
    )
    first = store.upsert(Weather, rows)
    assert store.upsert(Weather, rows) == first
    store.upsert(Weather, rows.with_columns(temperature_c=pl.lit(7.0)))
    assert store.read(Weather)["temperature_c"].to_list() == [7.0, 7.0]


def test_rows_that_break_the_contract_change_nothing(store: Store):
    store.upsert(Observations, hours("a", 3))
    with pytest.raises(ContractError, match="observations"):
        store.upsert(Observations, hours("a", 5).with_columns(pollutant=pl.lit("radon")))
    with pytest.raises(ContractError, match="primary_key"):
        store.upsert(Observations, pl.concat([hours("b", 2), hours("b", 2)]))
    assert store.read(Observations).height == 3


def start_writer(root: str, name: str, options: dict[str, str]) -> subprocess.Popen[str]:
    pairs = [f"{key}={value}" for key, value in options.items()]
    command = [sys.executable, str(WRITER), root, name, *pairs]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_concurrent_writers_lose_and_repeat_no_row(kind: str, tmp_path: Path, request: pytest.FixtureRequest):
    root, options = (str(tmp_path), {}) if kind == "folder" else request.getfixturevalue("s3_bucket")
    writers = [start_writer(root, name, options) for name in ("a", "b", "c")]
    for writer in writers:
        _, complaint = writer.communicate(timeout=120)
        assert writer.returncode == 0, complaint
    rows = Store(root, options).read(Observations)
    counted = dict(rows.group_by("station_id").len().iter_rows())
    assert counted == {"a": 100, "b": 100, "c": 100, "shared": 100}
    assert rows.unique(["station_id", "observed_at"]).height == rows.height


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_process_killed_while_writing_leaves_the_table_readable(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
):
    root, options = (str(tmp_path), {}) if kind == "folder" else request.getfixturevalue("s3_bucket")
    store = Store(root, options)
    for attempt in range(4):
        writer = start_writer(root, f"forever{attempt}", options)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.05 + 0.07 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert writer.stderr is not None
        writer.stderr.close()
        before = store.read(Observations)
        assert before.unique(["station_id", "observed_at"]).height == before.height
        store.upsert(Observations, hours(f"after{attempt}", 5))
        assert store.read(Observations).height == before.height + 5


def test_a_corrupt_table_is_named_with_the_remedy(tmp_path: Path):
    store = Store(str(tmp_path))
    store.upsert(Observations, hours("a", 3))
    for data_file in (tmp_path / "observations").rglob("*.parquet"):
        data_file.write_bytes(b"garbage")
    with pytest.raises(StoreError, match=r"observations.*backup"):
        store.read(Observations)


def test_a_table_of_an_older_version_is_named_with_the_remedy(tmp_path: Path):
    write_deltalake(tmp_path / "observations", hours("a", 3).drop("flag_reasons").to_arrow())
    with pytest.raises(StoreError, match=r"older version of Hazecast, without flag_reasons; .*hazecast collect"):
        Store(str(tmp_path)).read(Observations)


class Chances(dy.Schema):
    """A table before a limit was added."""

    station_id = dy.String(primary_key=True)
    p_exceed_who = dy.Float64(nullable=True)


class ChancesOfMore(Chances):
    """The same table with one more limit."""

    p_exceed_us = dy.Float64(nullable=True)


ChancesOfMore.__name__ = Chances.__name__


@pytest.mark.parametrize("station_id", ["a", "b"])
def test_a_column_added_to_a_contract_is_null_in_old_rows_and_stored_from_the_next_write(
    station_id: str, tmp_path: Path
):
    store = Store(str(tmp_path))
    store.upsert(Chances, pl.DataFrame({"station_id": ["a"], "p_exceed_who": [0.1]}))
    assert store.read(ChancesOfMore, pl.col("p_exceed_us").is_null()).rows() == [("a", 0.1, None)]
    row = {"station_id": station_id, "p_exceed_who": 0.1, "p_exceed_us": 0.2}
    store.upsert(ChancesOfMore, pl.DataFrame([row]))
    stored = {found["station_id"]: found["p_exceed_us"] for found in store.read(ChancesOfMore).to_dicts()}
    assert stored == {"a": None} | {station_id: 0.2}


@pytest.mark.parametrize("station_id", ["a", "b"])
def test_a_column_removed_from_a_contract_is_ignored_and_kept(station_id: str, tmp_path: Path):
    store = Store(str(tmp_path))
    store.upsert(ChancesOfMore, pl.DataFrame({"station_id": ["a"], "p_exceed_who": [0.1], "p_exceed_us": [0.2]}))
    assert store.read(Chances).rows() == [("a", 0.1)]
    store.upsert(Chances, pl.DataFrame({"station_id": [station_id], "p_exceed_who": [0.3]}))
    assert (station_id, 0.3) in store.read(Chances).rows()
    assert store.read(ChancesOfMore).height == len({"a", station_id})


def test_a_corrupt_log_is_named_with_the_remedy(tmp_path: Path):
    store = Store(str(tmp_path))
    store.upsert(Observations, hours("a", 3))
    for log in (tmp_path / "observations" / "_delta_log").glob("*.json"):
        log.write_text("{not json")
    with pytest.raises(StoreError, match=r"observations.*backup"):
        store.version(Observations)


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory):
    """A real file system of 2 MiB."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def lose_log(table: Path) -> None:
    for file in (table / "_delta_log").iterdir():
        file.write_bytes(b"")
        os.utime(table, (0, 0))
    for file in table.rglob("*.parquet"):
        os.utime(file, (0, 0))


def truncate_data(table: Path) -> None:
    os.truncate(max(table.rglob("*.parquet"), key=lambda file: file.stat().st_size), 2_000)


def delete_data(table: Path) -> None:
    max(table.rglob("*.parquet"), key=lambda file: file.stat().st_size).unlink()


@pytest.mark.parametrize(
    ("damage", "words"), [(lose_log, "log"), (truncate_data, "truncated"), (delete_data, "missing")]
)
def test_damaged_files_are_named_without_a_panic_and_no_new_table_is_begun(
    damage: Callable[[Path], None], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    store = Store(str(tmp_path / "my town"))
    store.upsert(Observations, hours("a", 500))
    damage(tmp_path / "my town/observations")
    for action in (lambda: store.read(Observations), lambda: store.upsert(Observations, hours("b", 5))):
        with pytest.raises(StoreError, match=rf"observations.*{words}.*hazecast re"):
            action()
    assert "panicked" not in capfd.readouterr().err


def test_a_full_disk_is_an_error_and_what_was_stored_stays(small_disk: Path):
    store = Store(str(small_disk))
    store.upsert(Observations, hours("a", 50))
    noise = pl.concat([hours(f"b{k}", 500) for k in range(400)])
    noise = noise.with_columns(concentration_ugm3=pl.arange(0, 200_000).hash(seed=1) / 1e16)
    with pytest.raises(StoreError, match="free space"):
        store.upsert(Observations, noise)
    assert store.read(Observations).height == 50


def test_a_read_only_disk_is_an_error_and_what_was_stored_stays(small_disk: Path):
    store = Store(str(small_disk / "ro"))
    store.upsert(Observations, hours("a", 5))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        with pytest.raises(StoreError, match="writable"):
            store.upsert(Observations, hours("b", 5))
        assert store.read(Observations).height == 5
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def test_an_unreachable_bucket_is_an_error_that_names_it_and_not_the_secret(unused_port: int):
    options = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{unused_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }
    secret = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "top-secret", "max_retries": "0"}
    store = Store("s3://bucket/tables", options | secret)
    with pytest.raises(StoreError, match="observations") as caught:
        store.version(Observations)
    assert "top-secret" not in str(caught.value)


N_STATIONS = 12


def a_day(day: int, n_stations: int = N_STATIONS) -> pl.DataFrame:
    """Values to 0.1 at every station and hour of one day."""
    at, noise = START + timedelta(days=day), pl.arange(0, 24 * n_stations, eager=True).hash(seed=day) % 1000
    rows = pl.concat([hours(f"s{k:02d}", 24, ingested_at=at) for k in range(n_stations)])
    moved = rows.with_columns(pl.col("observed_at", "available_at") + timedelta(days=day))
    return moved.with_columns(concentration_ugm3=(noise / 10).round(1).cast(pl.Float64))


def collect_a_day(store: Store, day: int) -> None:
    """Store a new day, and a revision of the day before at one station."""
    before = a_day(day - 1, n_stations=1).with_columns(
        concentration_ugm3=pl.lit(-1.0), ingested_at=START + timedelta(day)
    )
    store.upsert(Observations, pl.concat([a_day(day), before]))


def parquet_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.parquet") if "_delta_log" not in str(file))


def live_bytes(store: Store) -> int:
    actions = DeltaTable(f"{store.root}/observations").get_add_actions(flatten=True)
    return int(pl.DataFrame(actions)["size_bytes"].sum())


def test_a_year_of_daily_revisions_stays_below_twice_its_live_bytes(tmp_path: Path):
    store, folder = Store(str(tmp_path)), tmp_path / "observations"
    for day in range(1, 366):
        collect_a_day(store, day)
        if day > 150 and day % 7 == 0:
            assert parquet_bytes(folder) < 2 * live_bytes(store), day
    assert store.read(Observations).height == (365 * N_STATIONS + 1) * 24
    assert sum(file.stat().st_size for file in (folder / "_delta_log").iterdir()) < 2 * live_bytes(store)
    store.compact(Observations, retention=timedelta())
    assert parquet_bytes(folder) == live_bytes(store)
    assert store.read(Observations).height == (365 * N_STATIONS + 1) * 24


def test_a_revised_row_rewrites_one_small_file_of_its_month(tmp_path: Path):
    store = Store(str(tmp_path))
    for day in range(1, 70):
        collect_a_day(store, day)
    store.compact(Observations)
    before = files_of(store)
    revised = (
        a_day(40, n_stations=1).head(1).with_columns(concentration_ugm3=pl.lit(5.5), ingested_at=START + timedelta(99))
    )
    store.upsert(Observations, revised)
    after = files_of(store)
    assert [Path(file).parent.name for file in before - after] == ["month=2020-02"]
    assert [Path(file).parent.name for file in after - before] == ["month=2020-02"]


def files_of(store: Store) -> set[str]:
    return set(DeltaTable(f"{store.root}/observations", storage_options=store._options).file_uris())


def test_versions_within_the_retention_stay_readable(tmp_path: Path):
    store, versions = Store(str(tmp_path)), {}
    for day in range(1, 60):
        collect_a_day(store, day)
        versions[day] = store.version(Observations)
    newest = store.read(Observations)
    store.compact(Observations)
    assert store.read(Observations).sort(newest.columns).equals(newest.sort(newest.columns))
    assert store.read(Observations, version=versions[53]).height == (53 * N_STATIONS + 1) * 24
    with pytest.raises(StoreError):
        store.read(Observations, version=versions[5])


def old_table(store: Store, days: int) -> pl.DataFrame:
    """A table as earlier releases wrote it: without months."""
    rows = pl.concat([a_day(day) for day in range(days)])
    write_deltalake(f"{store.root}/observations", rows.to_arrow(), storage_options=store._options)
    return rows.sort(rows.columns)


def test_a_table_of_an_earlier_release_is_read_written_and_converted_in_one_commit(store: Store):
    rows = old_table(store, days=70)
    collect_a_day(store, 70)
    mixed = store.read(Observations)
    assert mixed.height == rows.height + N_STATIONS * 24
    version = store.version(Observations)
    assert store.migrate(Observations)
    assert not store.migrate(Observations)
    converted = store.read(Observations)
    assert converted.sort(converted.columns).equals(mixed.sort(converted.columns))
    assert {Path(file).parent.name for file in files_of(store)} == {f"month=2020-0{k}" for k in (1, 2, 3)}
    assert store.read(Observations, version=version).height == mixed.height
    collect_a_day(store, 71)
    assert store.compact(Observations, retention=timedelta()).n_deleted > 0
    assert store.read(Observations).height == mixed.height + N_STATIONS * 24


def test_a_migration_killed_in_the_middle_leaves_the_table_as_it_was(tmp_path: Path):
    store = Store(str(tmp_path))
    rows = old_table(store, days=400)
    migration = f"Store({str(tmp_path)!r}).migrate(Observations)"
    imports = (
        "from hazecast.store import Store; from hazecast.air.tables import Observations; print('ready', flush=True)"
    )
    command = [sys.executable, "-c", f"{imports}; {migration}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    while process.poll() is None and not list((tmp_path / "observations").glob("month=*/*.parquet")):
        time.sleep(0.001)
    process.kill()
    process.communicate()
    read = store.read(Observations)
    assert read.sort(read.columns).equals(rows)
    store.migrate(Observations)
    read = store.read(Observations)
    assert read.sort(read.columns).equals(rows)


def test_old_tables_are_converted_while_they_are_written(tmp_path: Path):
    store = Store(str(tmp_path))
    old_table(store, days=10)
    for day in range(10, 10 + 40):
        collect_a_day(store, day)
    assert all("month=" in file for file in files_of(store))


def test_a_reader_of_a_deleted_version_reads_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store, reader = Store(str(tmp_path)), Store(str(tmp_path))
    collect_a_day(store, 1)
    opened = reader._open(Observations)
    for day in range(2, 40):
        collect_a_day(store, day)
    store.compact(Observations, retention=timedelta())
    real, first = reader._open, [opened]
    monkeypatch.setattr(reader, "_open", lambda *arguments: first.pop() if first else real(*arguments))
    assert reader.read(Observations).height == (39 * N_STATIONS + 1) * 24


@pytest.mark.parametrize("prefix", ["my projects", "données", "北京", "100%", "a+b&c=d"])
def test_prefixes_of_any_name_hold_tables_in_s3(s3_bucket: tuple[str, dict[str, str]], prefix: str):
    root, options = s3_bucket
    store = Store(f"{root.removesuffix('tables')}{prefix}/tables", options)
    assert store.read(Observations).is_empty()
    store.upsert(Observations, hours("a", 30))
    store.upsert(Observations, hours("a", 30, value=2.0, ingested_at=START + timedelta(days=1)))
    assert store.read(Observations, pl.col("observed_at") > START)["concentration_ugm3"].to_list() == [2.0] * 29
    assert store.newest(Observations, "observed_at") == START + timedelta(hours=29)


@pytest.mark.parametrize("prefix", ["data#1", "what?", "a%20b"])
def test_a_prefix_that_cannot_be_an_address_is_refused_in_one_sentence(
    s3_bucket: tuple[str, dict[str, str]], prefix: str
):
    root, options = s3_bucket
    with pytest.raises(StoreError, match="tables cannot lie in"):
        Store(f"{root.removesuffix('tables')}{prefix}/tables", options)
