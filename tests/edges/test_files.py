"""A dataset folder as a source: what it accepts, and what it refuses with file, column, row and remedy."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast.errors import SourceRefused
from hazecast.sources.files import FilesSource

STATIONS = "station_id,name,latitude,longitude,timezone\na/1,Old Town,48.1,11.5,Europe/Berlin\nb,,,,\n"
OBSERVATIONS = "station_id,observed_at,pm25,no2\na/1,2020-01-01T00:00Z,3.5,\nb,2020-01-01T03:00:00+02:00,NA,12\n"
ALWAYS = {"since": datetime(1900, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dataset = tmp_path / "my_city"
    dataset.mkdir()
    (dataset / "stations.csv").write_text(STATIONS)
    (dataset / "observations.csv").write_text(OBSERVATIONS)
    return dataset


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_stations_without_name_place_or_zone_are_filled_in_as_documented(folder: Path):
    assert FilesSource(folder).fetch_stations().rows() == [
        ("a/1", "Old Town", 48.1, 11.5, "Europe/Berlin", "files", "my_city", "not stated"),
        ("b", "b", None, None, "UTC", "files", "my_city", "not stated"),
    ]


def test_only_station_id_is_needed_and_an_attribution_is_kept(folder: Path):
    (folder / "stations.csv").write_text("station_id,attribution,licence\n46250047,City of X,CC BY 4.0\n")
    assert FilesSource(folder).fetch_stations().rows() == [
        ("46250047", "46250047", None, None, "UTC", "files", "City of X", "CC BY 4.0")
    ]


def test_observations_are_long_without_nulls_in_utc_and_known_when_the_hour_has_ended(folder: Path):
    assert FilesSource(folder).fetch_observations(**ALWAYS).rows() == [
        ("a/1", "pm25", utc("2020-01-01T00:00"), 3.5, "files", utc("2020-01-01T01:00")),
        ("b", "no2", utc("2020-01-01T01:00"), 12.0, "files", utc("2020-01-01T02:00")),
    ]


def test_the_span_runs_to_the_end_of_the_last_hour(folder: Path):
    assert FilesSource(folder).fetch_span() == (utc("2020-01-01T00:00"), utc("2020-01-01T02:00"))


def test_a_window_includes_its_start_and_excludes_its_end(folder: Path):
    source = FilesSource(folder)
    observed = source.fetch_observations(since=utc("2020-01-01T00:00"), until=utc("2020-01-01T01:00"))
    assert observed["station_id"].to_list() == ["a/1"]
    assert source.fetch_observations(since=utc("2021-01-01T00:00"), until=utc("2022-01-01T00:00")).is_empty()


def test_a_year_with_one_observation_is_enough(folder: Path):
    (folder / "observations.csv").write_text("station_id,observed_at,o3\nb,2020-06-01T00:00Z,80\n")
    year = {"since": utc("2020-01-01T00:00"), "until": utc("2021-01-01T00:00")}
    assert FilesSource(folder).fetch_observations(**year).height == 1


def test_parquet_and_csv_give_the_same_rows(folder: Path):
    from_csv = FilesSource(folder).fetch_observations(**ALWAYS)
    wide = pl.DataFrame(
        {
            "station_id": ["a/1", "b"],
            "observed_at": [utc("2020-01-01T00:00"), utc("2020-01-01T01:00")],
            "pm25": pl.Series([3.5, float("nan")], dtype=pl.Float32),
            "no2": [None, 12],
        }
    )
    (folder / "observations.csv").unlink()
    wide.write_parquet(folder / "observations.parquet")
    assert FilesSource(folder).fetch_observations(**ALWAYS).equals(from_csv)


def test_a_repeated_hour_is_handed_on_for_the_quality_check_to_judge(folder: Path):
    rows = "b,2020-01-01T00:00Z,3\nb,2020-01-01T00:00Z,3\nb,2020-01-01T00:00Z,9\n"
    (folder / "observations.csv").write_text("station_id,observed_at,pm25\n" + rows)
    assert FilesSource(folder).fetch_observations(**ALWAYS)["concentration_ugm3"].to_list() == [3, 3, 9]


def test_blank_lines_and_a_byte_order_mark_are_no_obstacle(folder: Path):
    (folder / "observations.csv").write_text("\ufeff" + OBSERVATIONS + "\n,,,\n", encoding="utf-8")
    assert FilesSource(folder).fetch_observations(**ALWAYS).height == 2


def test_without_a_weather_file_there_is_no_weather(folder: Path):
    assert FilesSource(folder).fetch_weather(**ALWAYS).is_empty()


def test_weather_is_known_after_its_hour_and_a_forecast_from_its_issue_unless_the_file_has_it(folder: Path):
    (folder / "weather.csv").write_text(
        "station_id,valid_at,issued_at,available_at,temperature_c\n"
        "b,2020-01-02T00:00Z,,,4\n"
        "b,2020-01-02T00:00Z,2020-01-01T12:00Z,,5\n"
        "b,2020-01-02T00:00Z,2020-01-01T00:00Z,2020-01-01T06:00Z,\n"
    )
    weather = FilesSource(folder).fetch_weather(**ALWAYS)
    assert weather["available_at"].to_list() == [
        utc("2020-01-02T01:00"),
        utc("2020-01-01T12:00"),
        utc("2020-01-01T06:00"),
    ]
    assert weather["temperature_c"].to_list() == [4.0, 5.0, None]
    assert weather["wind_speed_ms"].null_count() == 3


def test_forecasts_belong_to_the_window_of_their_issue(folder: Path):
    (folder / "weather.csv").write_text(
        "station_id,valid_at,issued_at,temperature_c\nb,2020-01-02T00:00Z,,4\nb,2020-01-02T00:00Z,2020-01-01T12:00Z,5\n"
    )
    first_day = {"since": utc("2020-01-01T00:00"), "until": utc("2020-01-02T00:00")}
    assert FilesSource(folder).fetch_weather(**first_day)["temperature_c"].to_list() == [5.0]


HEAD = "station_id,observed_at,pm25\n"
MALFORMED = {
    "text for a number": (HEAD + "b,2020-01-01T00:00Z,1\nb,2020-01-01T01:00Z,<2\n", "column pm25, row 3: '<2'"),
    "decimal comma": (HEAD + 'b,2020-01-01T00:00Z,"1,5"\n', "decimal point"),
    "infinity": (HEAD + "b,2020-01-01T00:00Z,inf\n", "column pm25, row 2"),
    "time without zone": (HEAD + "b,2020-01-01 00:00:00,1\n", "column observed_at, row 2.*no time zone; add Z"),
    "day without zone": (HEAD + "b,2020-01-01,1\n", "no time zone"),
    "zone name": (HEAD + "b,2020-01-01T00:00 CET,1\n", "is not a time; write it as"),
    "day that never was": (HEAD + "b,2020-02-30T00:00Z,1\n", "column observed_at, row 2: '2020-02-30T00:00Z' is not a"),
    "half hour": (HEAD + "b,2020-01-01T00:30Z,1\n", "row 2: .2020-01-01T00:30Z. is not the start.*whole UTC hours"),
    "half-hour offset": (HEAD + "b,2020-01-01T00:00+05:30,1\n", "row 2.*whole UTC hours"),
    "no time": (HEAD + "b,,1\n", "column observed_at, row 2: a blank where a time is needed"),
    "no station": (HEAD + ",2020-01-01T00:00Z,1\n", "column station_id, row 2: a blank where a value is needed"),
    "unknown station": (HEAD + "b,2020-01-01T00:00Z,1\nc,2020-01-01T00:00Z,1\n", "row 3: 'c' is not in stations.csv"),
    "row below a blank line": (HEAD + "\nb,2020-01-01T00:00Z,x\n", "row 3: 'x'"),
    "no pollutant": ("station_id,observed_at,PM2.5\nb,2020-01-01T00:00Z,1\n", "no pollutant column; name one of pm25"),
    "no value": (HEAD + "b,2020-01-01T00:00Z,\n", "has no value in pm25"),
    "header only": (HEAD, "observations.csv: has no rows"),
    "empty": ("", "observations.csv: not readable"),
    "semicolons": ("station_id;observed_at;pm25\nb;2020-01-01T00:00Z;1\n", "separate columns with commas"),
    "too many cells": (HEAD + "b,2020-01-01T00:00Z,1,5\n", "not readable as comma-separated"),
    "time column absent": ("station_id,pm25\nb,1\n", "column observed_at is missing"),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_observations_are_refused_with_the_place_and_the_remedy(folder: Path, text: str, message: str):
    (folder / "observations.csv").write_text(text)
    with pytest.raises(SourceRefused, match=message) as refused:
        FilesSource(folder).fetch_observations(**ALWAYS)
    assert "observations.csv" in str(refused.value)


MALFORMED_STATIONS = {
    "unknown zone": ("station_id,timezone\nb,Europe/Atlantis\n", "column timezone, row 2: 'Europe/Atlantis' is not"),
    "latitude": ("station_id,latitude\na/1,90\nb,-90.5\n", "column latitude, row 3: '-90.5' is outside ±90"),
    "longitude": ("station_id,longitude\nb,181\n", "outside ±180"),
    "twice": ("station_id\nb\nb\n", "row 3: 'b' is there twice"),
    "no id column": ("id\nb\n", "column station_id is missing .found: id."),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED_STATIONS.values(), ids=MALFORMED_STATIONS)
def test_malformed_stations_are_refused_with_the_place_and_the_remedy(folder: Path, text: str, message: str):
    (folder / "stations.csv").write_text(text)
    with pytest.raises(SourceRefused, match=message):
        FilesSource(folder).fetch_stations()


MALFORMED_WEATHER = {
    "twice": ("station_id,valid_at\nb,2020-01-01T00:00Z\nb,2020-01-01T00:00Z\n", "row 3.*there twice"),
    "known before it was made": (
        "station_id,valid_at,issued_at,available_at\nb,2020-01-02T00:00Z,2020-01-01T12:00Z,2020-01-01T00:00Z\n",
        "column available_at, row 2.*before the forecast was issued",
    ),
    "naive issue": ("station_id,valid_at,issued_at\nb,2020-01-01T00:00Z,2020-01-01T00:00\n", "column issued_at, row 2"),
    "unknown station": ("station_id,valid_at\nz,2020-01-01T00:00Z\n", "weather.csv, column station_id, row 2: 'z'"),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED_WEATHER.values(), ids=MALFORMED_WEATHER)
def test_malformed_weather_is_refused_with_the_place_and_the_remedy(folder: Path, text: str, message: str):
    (folder / "weather.csv").write_text(text)
    with pytest.raises(SourceRefused, match=message):
        FilesSource(folder).fetch_weather(**ALWAYS)


def test_a_missing_folder_file_or_an_ambiguous_pair_is_refused(folder: Path, tmp_path: Path):
    elsewhere = FilesSource(tmp_path / "elsewhere")
    for fetch in (elsewhere.fetch_stations, elsewhere.fetch_span, lambda: elsewhere.fetch_weather(**ALWAYS)):
        with pytest.raises(SourceRefused, match="no such folder"):
            fetch()
    pl.DataFrame({"station_id": ["b"]}).write_parquet(folder / "observations.parquet")
    with pytest.raises(SourceRefused, match=r"both observations.parquet and observations.csv; keep one"):
        FilesSource(folder).fetch_observations(**ALWAYS)
    (folder / "stations.csv").unlink()
    with pytest.raises(SourceRefused, match=r"has no stations file; add stations.csv"):
        FilesSource(folder).fetch_stations()


def test_what_is_not_parquet_is_refused(folder: Path):
    (folder / "observations.csv").rename(folder / "observations.parquet")
    with pytest.raises(SourceRefused, match=r"observations.parquet: not readable as Parquet"):
        FilesSource(folder).fetch_observations(**ALWAYS)


def test_text_that_is_not_utf8_is_refused(folder: Path):
    (folder / "stations.csv").write_bytes("station_id,name\nb,Peña\n".encode("latin-1"))
    with pytest.raises(SourceRefused, match="UTF-8"):
        FilesSource(folder).fetch_stations()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"observed_at": [datetime(2020, 1, 1)], "pm25": [1.0]}, "column observed_at.*store times with their zone"),
        ({"observed_at": [utc("2020-01-01T00:00")], "pm25": [True]}, "column pm25: holds Boolean; store it as numbers"),
        ({"observed_at": [1577836800], "pm25": [1.0]}, "column observed_at: holds Int64"),
    ],
    ids=["naive time", "truth for number", "seconds"],
)
def test_mistyped_parquet_columns_are_refused(folder: Path, columns: dict, message: str):
    (folder / "observations.csv").unlink()
    pl.DataFrame({"station_id": ["b"], **columns}).write_parquet(folder / "observations.parquet")
    with pytest.raises(SourceRefused, match=message):
        FilesSource(folder).fetch_observations(**ALWAYS)


SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real datasets next to the checkout (../shared/data)")
@pytest.mark.parametrize(
    ("dataset", "n_stations", "pollutants"),
    [
        ("beijing", 12, {"pm25", "pm10", "no2", "o3", "so2", "co"}),
        ("valencia", 1, {"pm25", "pm10", "no2", "o3", "so2", "co"}),
        ("kathmandu", 4, {"pm25", "pm10", "o3"}),
        ("us_wildfire", 276, {"pm25"}),
    ],
)
def test_real_datasets_load_whole(dataset: str, n_stations: int, pollutants: set[str]):
    source = FilesSource(SHARED / dataset)
    wide = pl.read_parquet(SHARED / dataset / "observations.parquet")
    observed = source.fetch_observations(**ALWAYS)
    assert source.fetch_stations().height == n_stations
    assert set(observed["pollutant"].unique()) == pollutants
    assert observed.height == sum(wide[pollutant].count() for pollutant in pollutants)
    assert observed.select((pl.col("available_at") - pl.col("observed_at")).unique()).item() == timedelta(hours=1)
    assert source.fetch_weather(**ALWAYS).is_empty() == (dataset == "us_wildfire")
