"""A dataset folder as a source: what it accepts, and what it refuses with file, column, row and remedy."""

import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazecast.errors import SourceRefused
from hazecast.quality import flag
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
    assert FilesSource(folder).fetch_observations(**ALWAYS).drop("flag_reasons").rows() == [
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
    "zone name": (HEAD + "b,2020-01-01T00:00 CET,1\n", "is not a time: names of zones differ.*offsets such as"),
    "month names": (HEAD + "b,01-Mar-2024 00:00,1\n", "row 2: '01-Mar-2024 00:00' is not a time: months are read as"),
    "afternoon": (HEAD + "b,2024-03-01 01:00 PM,1\n", "is not a time: hours are read from 0 to 23; write it as"),
    "day and month": (HEAD + "b,03/04/2024 00:00,1\n", "is not a time: day and month are ambiguous; write it as"),
    "day number": (HEAD + "b,45352.041667,1\n", "is not a time but a day number of a spreadsheet, which has no zone"),
    "half past 24": (HEAD + "b,2024-03-01T24:30Z,1\n", "row 2: '2024-03-01T24:30Z' is not a time"),
    "below detection": (HEAD + "b,2020-01-01T00:00Z,<LOD\n", r"row 2: '<LOD' is not a number.*missing: \[...\]"),
    "two units": ("station_id,observed_at,o3_ppb,unit\nb,2020-01-01T00:00Z,3,ppm\n", "row 2: 'ppm' but ppb elsewhere"),
    "an index": (
        "station_id,observed_at,PM2.5_AQI\nb,2020-01-01T00:00Z,1\n",
        "a concentration is needed, not an index",
    ),
    "8-hour mean": ("station_id,observed_at,o3_8h\nb,2020-01-01T00:00Z,1\n", "hourly means are needed, not means over"),
    "nitric oxide": ("station_id,observed_at,NO\nb,2020-01-01T00:00Z,1\n", "'NO': Hazecast does not read it"),
    "long layout": (
        "station_id,observed_at,parameter,value\nb,2020-01-01T00:00Z,pm25,1\n",
        "one column per pollutant is needed",
    ),
    "a flag that is true": (
        HEAD.strip() + ",flag\nb,2020-01-01T00:00Z,1,true\n",
        "column flag, row 2: 'true' is not understood",
    ),
    "day that never was": (HEAD + "b,2020-02-30T00:00Z,1\n", "column observed_at, row 2: '2020-02-30T00:00Z' is not a"),
    "half hour": (HEAD + "b,2020-01-01T00:30Z,1\n", "row 2: .2020-01-01T00:30Z. is not the start.*whole UTC hours"),
    "no time": (HEAD + "b,,1\n", "column observed_at, row 2: a blank where a time is needed"),
    "no station": (HEAD + ",2020-01-01T00:00Z,1\n", "column station_id, row 2: a blank where a value is needed"),
    "unknown station": (HEAD + "b,2020-01-01T00:00Z,1\nc,2020-01-01T00:00Z,1\n", "row 3: 'c' is not in stations.csv"),
    "row below a blank line": (HEAD + "\nb,2020-01-01T00:00Z,x\n", "row 3: 'x'"),
    "no pollutant": (
        "station_id,observed_at,soot\nb,2020-01-01T00:00Z,1\n",
        "column 'soot' is not understood.*--ignore-columns",
    ),
    "no value": (HEAD + "b,2020-01-01T00:00Z,\n", "has no value in its pollutant columns"),
    "header only": (HEAD, "observations.csv: has no rows"),
    "empty": ("", "observations.csv: not readable"),
    "two columns for one pollutant": (
        "station_id,observed_at,PM2.5,pm25\nb,2020-01-01T00:00Z,1,2\n",
        "columns 'PM2.5' and 'pm25' are both pm25; keep one",
    ),
    "a column twice": (HEAD.strip() + ",pm25\nb,2020-01-01T00:00Z,1,2\n", "'pm25' and 'pm25' are both pm25"),
    "a mixing ratio of particles": (
        "station_id,observed_at,pm25_ppb\nb,2020-01-01T00:00Z,1\n",
        "'ppb' is not a unit of pm25",
    ),
    "an unknown unit": (HEAD.strip() + ",unit\nb,2020-01-01T00:00Z,1,furlongs\n", "column unit, row 2: 'furlongs'"),
    "an unknown quality code": (
        HEAD.strip() + ",qc\nb,2020-01-01T00:00Z,1,7\n",
        "column qc, row 2: '7' is not understood",
    ),
    "quarter hours": (
        HEAD + "".join(f"b,2020-01-01T00:{minute}Z,1\n" for minute in ("00", "15", "30", "45")),
        "row 3: .2020-01-01T00:15Z. is not the start.*--aggregate",
    ),
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
    "a latitude alone": ("station_id,lat,lon\nb,48.1,\n", "row 2: '48.1' without longitude: fill in both"),
    "degrees and minutes": ("station_id,lat,lon\nb,48°08'N,11\n", "column lat, row 2: .*is not a number"),
    "code for missing": ("station_id,lat,lon\nb,-999,-999\n", "outside ±90.*or nothing where unknown"),
    "projected": ("station_id,easting,northing\nb,691000,5335000\n", "columns? 'easting', 'northing'"),
    "offset for a zone": ("station_id,tz\nb,UTC+8\n", "column tz, row 2: 'UTC[+]8'.*Etc/GMT-8 for UTC[+]8"),
    "swapped": (
        "station_id,lat,lon,tz\nb,48.1,11.5,Europe/Berlin\nc,11.5,48.1,Europe/Berlin\n",
        "column lon, row 3: '48.1' is far from the station's time zone; swap latitude and longitude",
    ),
    "west without minus": ("station_id,lat,lon,tz\nb,40.7,74.0,America/New_York\n", "row 2: '74.0' .*west is negative"),
    "south without minus": ("station_id,lat,lon,tz\nb,33.9,151.2,Australia/Sydney\n", "south is negative"),
    "no id column": ("town\nb\n", "column 'town' is not understood"),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED_STATIONS.values(), ids=MALFORMED_STATIONS)
def test_malformed_stations_are_refused_with_the_place_and_the_remedy(folder: Path, text: str, message: str):
    (folder / "stations.csv").write_text(text)
    with pytest.raises(SourceRefused, match=message):
        FilesSource(folder).fetch_stations()


MALFORMED_WEATHER = {
    "twice": ("station_id,valid_at,rh\nb,2020-01-01T00:00Z,9\nb,2020-01-01T00:00Z,9\n", "row 3.*there twice"),
    "known before it was made": (
        "station_id,valid_at,issued_at,available_at,rh\nb,2020-01-02T00:00Z,2020-01-01T12:00Z,2020-01-01T00:00Z,9\n",
        "column available_at, row 2.*before the forecast was issued",
    ),
    "naive issue": (
        "station_id,valid_at,issued_at,rh\nb,2020-01-01T00:00Z,2020-01-01T00:00,9\n",
        "column issued_at, row 2",
    ),
    "no variable": ("station_id,valid_at\nb,2020-01-01T00:00Z\n", "has no weather column; name one of temperature_c"),
    "unknown station": (
        "station_id,valid_at,rh\nz,2020-01-01T00:00Z,9\n",
        "weather.csv, column station_id, row 2: 'z'",
    ),
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
    with pytest.raises(SourceRefused, match=r"has no stations file \(found: .*\); add or rename one to stations.csv"):
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
        (
            {"observed_at": [utc("2020-01-01T00:00")], "pm25": [True]},
            "column pm25: values are Boolean; store it as numbers",
        ),
        ({"observed_at": [20200101], "pm25": [1.0]}, "column observed_at, row 2: 20200101 has no time zone"),
    ],
    ids=["naive time", "truth for number", "day"],
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


def observed(folder: Path, text: str | bytes, **options: bool) -> pl.DataFrame:
    path = folder / "observations.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return FilesSource(folder, **options).fetch_observations(**ALWAYS).sort("station_id", "pollutant", "observed_at")


def day(header: str, value: str, *, hours: int = 24, station: str = "b") -> str:
    rows = "".join(f"{station},2020-01-01T{hour:02}:00Z,{value}\n" for hour in range(hours))
    return f"station_id,observed_at,{header}\n{rows}"


@pytest.mark.parametrize("header", ["PM2.5", "pm2_5", " Pm25 ", "PM 2.5", "PM<sub>2.5</sub>", "pm2p5", "PM₂.₅"])
def test_pollutants_are_matched_by_their_common_names(folder: Path, header: str):
    rows = observed(folder, f"Station_ID , Observed_At,{header}\nb,2020-01-01T00:00Z,7\n")
    assert rows.select("pollutant", "concentration_ugm3").rows() == [("pm25", 7.0)]


@pytest.mark.parametrize(
    ("header", "value", "pollutant", "ugm3"),
    [
        ("co_mgm3", "0.3", "co", 300.0),
        ("CO [mg/m³]", "0.3", "co", 300.0),
        ("co_ppm", "0.3", "co", 349.3),
        ("o3 (ppb)", "30", "o3", 59.86),
        ("Ozone_ppb", "30", "o3", 59.86),
        ("NO2 (µg/m³)", "30", "no2", 30.0),
        ("pm25_mg_m3", "0.03", "pm25", 30.0),
        ("o3,unit", "0.030,ppm", "o3", 59.86),
        ("co,Units", "0.3,mg/m3", "co", 300.0),
        ("NO₂ (µg m⁻³)", "30", "no2", 30.0),
        ("Nitrogen dioxide", "30", "no2", 30.0),
        ("CO-mg/m3", "0.3", "co", 300.0),
        ("O3 in ppb", "30", "o3", 59.86),
        ("co,unit", "0.3,milligrams per cubic metre", "co", 300.0),
        ("PM2.5 (µg/m³)", "30", "pm25", 30.0),
        ("pm25 [ug/m^3]", "30", "pm25", 30.0),
        ("co (nmol mol-1)", "300", "co", 349.3),
    ],
)
def test_units_are_read_from_the_header_or_a_column(folder: Path, header: str, value: str, pollutant: str, ugm3: float):
    rows = observed(folder, day(header, value))
    assert set(rows["pollutant"]) == {pollutant}
    assert rows["concentration_ugm3"].to_list() == pytest.approx([ugm3] * 24, rel=1e-3)


def test_a_unit_in_two_places_is_refused_where_they_differ(folder: Path):
    (folder / "dataset.yaml").write_text("units: {o3: ppm}\n")
    with pytest.raises(SourceRefused, match=r"column o3_ppb: ppb in the header but ppm in dataset.yaml; keep one"):
        observed(folder, day("o3_ppb", "30"))


def test_words_that_mean_missing_may_be_given(folder: Path):
    (folder / "dataset.yaml").write_text('missing: [ND, "<LOD", 0]\n')
    text = "station_id,observed_at,pm25\n" + "".join(
        f"b,2020-01-01T0{hour}:00Z,{value}\n" for hour, value in enumerate(("7", "nd", "<LOD", "0", "n/a", "–", "8"))
    )
    assert observed(folder, text)["concentration_ugm3"].to_list() == [7.0, 8.0]


def test_units_and_columns_of_dataset_yaml_are_used_and_sentinels_are_not_converted(folder: Path):
    (folder / "dataset.yaml").write_text("units: {co: mg/m3}\ncolumns: {Kohle: co}\nignore_columns: [Notiz]\n")
    rows = observed(folder, day("Kohle,Notiz", "0.3,x") + "b,2020-01-02T00:00Z,-999,x\n")
    assert rows["concentration_ugm3"].to_list() == [300.0] * 24 + [-999.0]
    (folder / "dataset.yaml").write_text("units: {CO: mg/m3}\ncolumns: {Kohle: co}\nignore_columns: [Notiz]\n")
    assert FilesSource(folder).fetch_observations(**ALWAYS).equals(rows)
    for wrong, message in {
        "units: {soot: mg/m3}": "units: 'soot' is none of pm25, pm10",
        "columns: {Kohle: soot}": "columns: 'soot' is none of station_id",
        "units: {co: furlongs}\ncolumns: {Kohle: co}\nignore_columns: true": "'furlongs' is not a unit of co",
    }.items():
        (folder / "dataset.yaml").write_text(wrong)
        with pytest.raises(SourceRefused, match=message):
            FilesSource(folder).fetch_observations(**ALWAYS)
    (folder / "dataset.yaml").write_text("unit: mg/m3\n")
    with pytest.raises(SourceRefused, match=r"dataset.yaml: unit: .*its keys are columns, units"):
        FilesSource(folder).fetch_observations(**ALWAYS)


@pytest.mark.parametrize(
    ("pollutant", "value", "unit"),
    [
        ("co", "0.3", "mg/m³ or ppm"),
        ("o3", "0.03", "mg/m³ or ppm"),
        ("pm25", "0.02", "mg/m³"),
        ("no2", "0.04", "mg/m³ or ppm"),
    ],
)
def test_a_series_of_the_magnitude_of_another_unit_is_refused_with_that_unit(
    folder: Path, pollutant: str, value: str, unit: str
):
    with pytest.raises(
        SourceRefused, match=f"column {pollutant}, station b: median {value} .*looks like {unit}: name the"
    ):
        observed(folder, day(pollutant, value))


def test_a_unit_that_changes_within_the_record_is_refused_with_the_day(folder: Path):
    later = day("co", "0.31").partition("\n")[2].replace("2020-01-01", "2020-01-02")
    with pytest.raises(
        SourceRefused, match=r"median 0.31 from 2020-01-02 on is not outdoor air.*looks like mg/m³ or ppm"
    ):
        observed(folder, day("co", "312") + later)


def test_a_station_or_weather_hour_in_two_files_is_refused(folder: Path):
    (folder / "stations_2.csv").write_text("station_id\nb\n")
    with pytest.raises(SourceRefused, match="stations: 'b' is in two files"):
        FilesSource(folder).fetch_stations()
    (folder / "stations_2.csv").unlink()
    for number in (1, 2):
        (folder / f"weather_{number}.csv").write_text(WEATHER.format("temperature_c") + "b,2020-01-01T00:00Z,4\n")
    with pytest.raises(SourceRefused, match="weather: 'b' at 2020-01-01T00:00Z is in two files"):
        FilesSource(folder).fetch_weather(**ALWAYS)


def test_a_column_that_is_not_understood_is_named_and_left_out_only_on_request(folder: Path):
    text = "station_id,observed_at,pm25,nox\nb,2020-01-01T00:00Z,7,9\n"
    with pytest.raises(SourceRefused, match="column 'nox' is not understood"):
        observed(folder, text)
    assert observed(folder, text, ignore_columns=True)["concentration_ugm3"].to_list() == [7.0]
    assert FilesSource(folder).fetch_span() == (utc("2020-01-01T00:00"), utc("2020-01-01T01:00"))


def test_stations_at_the_far_ends_of_a_zone_are_where_they_are(folder: Path):
    far = "k,39.5,76.0,Asia/Shanghai\ne,-27.1,-109.4,Pacific/Easter\nc,28.0,-15.4,Atlantic/Canary\nu,48.0,11.0,UTC\n"
    (folder / "stations.csv").write_text("station_id,lat,lon,tz\n" + far)
    assert FilesSource(folder).fetch_stations()["longitude"].to_list() == [76.0, -109.4, -15.4, 11.0]


def test_coordinates_and_zone_are_matched_by_their_common_names(folder: Path):
    (folder / "stations.csv").write_text("Station_ID,Name,LAT,LONG,tz,Elevation\nb,B,51.5,-0.12,europe/london,9\n")
    row = FilesSource(folder).fetch_stations().row(0, named=True)
    assert (row["latitude"], row["longitude"], row["timezone"]) == (51.5, -0.12, "Europe/London")


@pytest.mark.parametrize(
    ("column", "value"), [("validity", "-1"), ("pm25_flag", "invalid"), ("Valid", "false"), ("qc", "bad")]
)
def test_what_the_network_marks_invalid_is_reported_so(folder: Path, column: str, value: str):
    good = "1" if column == "validity" else {"pm25_flag": "ok", "Valid": "true", "qc": "good"}[column]
    text = f"station_id,observed_at,pm25,{column}\nb,2020-01-01T00:00Z,7,{good}\nb,2020-01-01T01:00Z,420,{value}\n"
    assert observed(folder, text)["flag_reasons"].to_list() == ["", "reported"]


def test_the_meaning_of_quality_codes_may_be_given(folder: Path):
    (folder / "dataset.yaml").write_text("invalid: {qc: [3, 4]}\n")
    text = "station_id,observed_at,pm25,qc\nb,2020-01-01T00:00Z,7,1\nb,2020-01-01T01:00Z,420,4\n"
    assert observed(folder, text)["flag_reasons"].to_list() == ["", "reported"]


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2024-01-01 01:00:00 +01:00", "2024-01-01T00:00"),
        ("2024-01-01 01:00:00+00", "2024-01-01T01:00"),
        ("2024-01-01 02:00:00 UTC", "2024-01-01T02:00"),
        ("2024-01-01T24:00Z", "2024-01-02T00:00"),
        ("2024/01/01 03:00Z", "2024-01-01T03:00"),
        ("20240101T0400Z", "2024-01-01T04:00"),
        ("2024-01-01T05:00:00.000+0000", "2024-01-01T05:00"),
        ("2024-01-01T06Z", "2024-01-01T06:00"),
        ("2024-01-01T00:00+05:30", "2023-12-31T18:00"),
        ("2024-01-01 08:00 UTC+8", "2024-01-01T00:00"),
        ("2024-01-01 05:00 UTC+05:00", "2024-01-01T00:00"),
        ("2024-01-01T00:00−03:00", "2024-01-01T03:00"),
        ("2024-01-01T01:00+01:00[Europe/Berlin]", "2024-01-01T00:00"),
        ("2024-1-1 7:00Z", "2024-01-01T07:00"),
        ("1704067200", "2024-01-01T00:00"),
        ("1704067200.0", "2024-01-01T00:00"),
        ("1704067200000", "2024-01-01T00:00"),
        ("2024-01-01T00:00+05:45", "2023-12-31T18:00"),
    ],
)
def test_unambiguous_times_are_read(folder: Path, written: str, time: str):
    assert observed(folder, f"station_id,observed_at,pm25\nb,{written},7\n")["observed_at"].to_list() == [utc(time)]


@pytest.mark.parametrize("header", ["datetime_utc", "Date (UTC)", "Time GMT", "observed_at [UTC]", "observed_at_utc"])
def test_a_header_may_state_that_its_times_are_utc(folder: Path, header: str):
    rows = observed(folder, f"station_id,{header},pm25\nb,2024-01-01 05:00,7\n")
    assert rows["observed_at"].to_list() == [utc("2024-01-01T05:00")]


def test_utc_hours_of_a_half_hour_zone_belong_to_the_hour_they_start_in(folder: Path):
    (folder / "stations.csv").write_text("station_id,timezone\nb,Asia/Kolkata\n")
    rows = observed(folder, "station_id,observed_at,pm25\nb,2023-12-31T18:30Z,7\nb,2023-12-31T19:30Z,8\n")
    assert rows["observed_at"].to_list() == [utc("2023-12-31T18:00"), utc("2023-12-31T19:00")]


def test_values_within_an_hour_are_averaged_on_request(folder: Path):
    quarters = "".join(
        f"b,2020-01-01T{hour:02}:{minute},{hour}\n" for hour in range(3) for minute in ("00Z", "15Z", "30Z", "45Z")
    )
    text = "station_id,observed_at,pm25\n" + quarters + "b,2020-01-01T03:00Z,9\n"
    rows = observed(folder, text, aggregate=True)
    assert rows.select("observed_at", "concentration_ugm3").rows() == [
        (utc(f"2020-01-01T0{hour}:00"), float(hour)) for hour in range(3)
    ]


@pytest.mark.parametrize("step", [3, 8, 24])
def test_means_over_longer_periods_are_refused(folder: Path, step: int):
    times = [utc("2020-01-01T00:00") + timedelta(hours=step * number) for number in range(20)]
    rows = "".join(f"b,{time:%Y-%m-%dT%H:%MZ},{number + 5}\n" for number, time in enumerate(times))
    with pytest.raises(SourceRefused, match=rf"values are {step} h apart from 2020-01-01T00:00Z on"):
        observed(folder, "station_id,observed_at,pm25\n" + rows)


def test_daily_means_within_an_hourly_record_are_refused(folder: Path):
    hourly = [utc("2020-01-01T00:00") + timedelta(hours=number) for number in range(200)]
    daily = [utc("2020-02-01T00:00") + timedelta(days=number) for number in range(10)]
    rows = "".join(f"b,{time:%Y-%m-%dT%H:%MZ},{5 + time.hour}\n" for time in hourly + daily)
    with pytest.raises(SourceRefused, match="24 h apart from 2020-02-01"):
        observed(folder, "station_id,observed_at,pm25\n" + rows)


@pytest.mark.parametrize(
    "stray", ["2042-01-01T05:00Z", "1970-01-01T00:00Z", "2020-03-01T00:00Z", "9999-12-31T23:00Z", "0001-01-01T00:00Z"]
)
def test_a_stray_time_moves_neither_clock_nor_span_and_is_named(
    folder: Path, stray: str, caplog: pytest.LogCaptureFixture
):
    rows = observed(folder, day("pm25", "7", hours=24) * 1 + f"b,{stray},9\n")
    assert rows["observed_at"].max() == utc("2020-01-01T23:00")
    assert FilesSource(folder).fetch_span() == (utc("2020-01-01T00:00"), utc("2020-01-02T00:00"))
    assert stray.lstrip("0") in caplog.text
    assert "1 of 25 values left out" in caplog.text


def test_a_logger_that_began_at_1970_is_left_out_and_a_record_in_the_future_is_refused(folder: Path):
    reset = day("pm25", "7") + day("pm25", "8").replace("2020-", "1970-").partition("\n")[2]
    assert observed(folder, reset)["observed_at"].min() == utc("2020-01-01T00:00")
    with pytest.raises(SourceRefused, match=r"every time is in the future, from 2099-01-01T00:00Z .*the clock of this"):
        observed(folder, day("pm25", "7").replace("2020-", "2099-"))


def test_older_years_are_no_stray_times(folder: Path):
    years = day("pm25", "7") + day("pm25", "8").replace("2020-", "2017-").partition("\n")[2]
    assert observed(folder, years).height == 48


PLAIN = "station_id,observed_at,pm25\nb,2020-01-01T00:00Z,10.5\nb,2020-01-01T01:00Z,11\n"
GERMAN = PLAIN.replace(",", ";").replace(".", ",")


def zipped(files: dict[str, str | bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


CONTAINERS = {
    "semicolon and decimal comma": ("observations.csv", GERMAN.encode("utf-8-sig")),
    "hint of Excel": ("observations.csv", b"sep=;\r\n" + GERMAN.replace("\n", "\r\n").encode()),
    "tab": ("observations.tsv", PLAIN.replace(",", "\t").encode()),
    "tab in .csv": ("observations.csv", PLAIN.replace(",", "\t").encode()),
    "UTF-16": ("observations.csv", PLAIN.encode("utf-16")),
    "gzip": ("observations.csv.gz", gzip.compress(PLAIN.encode())),
    "upper case": ("OBSERVATIONS.CSV", PLAIN.encode()),
    "comments": ("observations.txt", b"# a network\n\n" + PLAIN.encode()),
    "UTF-16 without mark": ("observations.csv", PLAIN.encode("utf-16-be")),
    "UTF-32": ("observations.csv", PLAIN.encode("utf-32")),
    "line ends of old": ("observations.csv", PLAIN.replace("\n", "\r").encode()),
    "quoted": ("observations.csv", "\n".join('"' + line.replace(",", '","') + '"' for line in PLAIN.split()).encode()),
    "zip": ("observations.csv.zip", zipped({"a/b.csv.gz": gzip.compress(PLAIN.encode()), "README.txt": "hello"})),
    "zip of a Mac": ("observations.zip", zipped({"a.csv": PLAIN, "__MACOSX/._a.csv": "\0"})),
}


@pytest.mark.parametrize(("name", "content"), CONTAINERS.values(), ids=CONTAINERS)
def test_containers_give_the_same_rows(folder: Path, name: str, content: bytes):
    (folder / "observations.csv").unlink()
    (folder / name).write_bytes(content)
    assert FilesSource(folder).fetch_observations(**ALWAYS)["concentration_ugm3"].to_list() == [10.5, 11.0]


NOT_READ = {
    "workbook": ("observations.xlsx", b"PK", "observations.xlsx: a spreadsheet is not read: save it as CSV"),
    "workbook in disguise": (
        "observations.csv",
        zipped({"xl/workbook.xml": "<x/>"}),
        "spreadsheet is not read: save it",
    ),
    "JSON": ("observations.json", b"{}", "this format is not read: save it as CSV or Parquet"),
    "bzip2": ("observations.csv.bz2", b"BZ", "this compression is not read: unpack it"),
    "another name": (
        "data.csv",
        PLAIN.encode(),
        r"no observations file \(found: data.csv, stations.csv\); add or rename",
    ),
    "web page": ("observations.csv", b"<!DOCTYPE html><html></html>", "it is a web page or XML, not a table"),
    "cut gzip": ("observations.csv.gz", gzip.compress(PLAIN.encode())[:-9], "not readable .*copy the file again"),
    "title": ("observations.csv", b"Air quality\n" + PLAIN.encode(), "row 2 has 3 cells where the header has 1"),
    "latin-1": ("observations.csv", PLAIN.replace("pm25", "pm25 (µg/m³)").encode("latin-1"), "row 1 is not UTF-8 text"),
}


@pytest.mark.parametrize(("name", "content", "message"), NOT_READ.values(), ids=NOT_READ)
def test_what_is_not_read_is_refused_with_the_reason_and_the_remedy(
    folder: Path, name: str, content: bytes, message: str
):
    (folder / "observations.csv").unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(SourceRefused, match=message):
        FilesSource(folder).fetch_observations(**ALWAYS)


def test_a_file_a_year_and_a_zip_of_files_are_one_table(folder: Path, caplog: pytest.LogCaptureFixture):
    (folder / "observations.csv").unlink()
    later = PLAIN.replace("2020", "2021")
    (folder / "observations_2020.csv").write_text(PLAIN)
    (folder / "observations-2021.csv.gz").write_bytes(gzip.compress(later.encode()))
    (folder / "observations_old.csv").write_text(PLAIN)
    split = FilesSource(folder).fetch_observations(**ALWAYS)
    assert split.height == 4
    assert "observations_old.csv: not read" in caplog.text
    for path in folder.glob("observations*"):
        path.unlink()
    with zipfile.ZipFile(folder / "observations.zip", "w") as archive:
        archive.writestr("2020.csv", PLAIN)
        archive.writestr("2021.csv", later)
    key = ["station_id", "observed_at"]
    assert FilesSource(folder).fetch_observations(**ALWAYS).sort(key).equals(split.sort(key))


WEATHER = "station_id,valid_at,{}\n"


@pytest.mark.parametrize(
    ("header", "value", "variable", "ours"),
    [
        ("temperature_k", "281.15", "temperature_c", 8.0),
        ("Temp (°F)", "50", "temperature_c", 10.0),
        ("air_temperature", "8", "temperature_c", 8.0),
        ("pressure_pa", "101200", "pressure_hpa", 1012.0),
        ("wind_speed_kmh", "36", "wind_speed_ms", 10.0),
        ("RH", "80", "relative_humidity_pct", 80.0),
        ("pressure (inHg)", "29.92", "pressure_hpa", 1013.2),
        ("wind speed (m s**-1)", "5", "wind_speed_ms", 5.0),
        ("wind_speed_mph", "22.37", "wind_speed_ms", 10.0),
        ("rh (0-1)", "0.8", "relative_humidity_pct", 80.0),
        ("wind_direction (rad)", "3.14159", "wind_direction_deg", 180.0),
    ],
)
def test_weather_is_matched_by_name_and_unit(folder: Path, header: str, value: str, variable: str, ours: float):
    rows = "".join(f"b,2020-01-01T{hour:02}:00Z,{value}\n" for hour in range(24))
    (folder / "weather.csv").write_text(WEATHER.format(header) + rows)
    assert FilesSource(folder).fetch_weather(**ALWAYS)[variable].to_list() == pytest.approx([ours] * 24, rel=1e-4)


def test_units_of_weather_may_be_given_and_codes_are_not_converted(folder: Path):
    (folder / "dataset.yaml").write_text("units: {temperature_c: K, wind_speed_ms: km/h}\n")
    (folder / "weather.csv").write_text(WEATHER.format("temperature,ws") + "b,2020-01-01T00:00Z,281.15,-9999\n")
    row = FilesSource(folder).fetch_weather(**ALWAYS).row(0, named=True)
    assert (row["temperature_c"], row["wind_speed_ms"]) == (8.0, -9999.0)


@pytest.mark.parametrize("header", ["wind_direction_to", "wind direction towards", "u10"])
def test_wind_that_is_no_direction_it_comes_from_is_refused(folder: Path, header: str):
    (folder / "weather.csv").write_text(WEATHER.format(header) + "b,2020-01-01T00:00Z,90\n")
    with pytest.raises(SourceRefused, match=r"comes from is needed|not components"):
        FilesSource(folder).fetch_weather(**ALWAYS)


@pytest.mark.parametrize(
    ("variable", "value", "unit"),
    [
        ("temperature_c", "281.3", "Kelvin"),
        ("pressure_hpa", "101200", "Pascal"),
        ("relative_humidity_pct", "0.8", "a fraction of 1"),
        ("temperature_c", "68.5", "Fahrenheit"),
        ("pressure_hpa", "29.92", "inHg"),
        ("pressure_hpa", "1.013", "atm or bar"),
        ("wind_speed_ms", "450", "km/h, mph or cm/s"),
        ("wind_direction_deg", "3.1", "radians"),
    ],
)
def test_weather_of_the_magnitude_of_another_unit_is_refused(folder: Path, variable: str, value: str, unit: str):
    rows = "".join(f"b,2020-01-01T{hour:02}:00Z,{value}\n" for hour in range(24))
    (folder / "weather.csv").write_text(WEATHER.format(variable) + rows)
    with pytest.raises(
        SourceRefused, match=rf"weather.csv, column {variable}, station b: median {value}.*looks like {unit}"
    ):
        FilesSource(folder).fetch_weather(**ALWAYS)


NAMES = {"station_id": "Station ID", "observed_at": "DateTime", "pm25": "PM2.5 (µg/m³)", "no2": "Nitrogen dioxide"}
ENCODERS = {
    "csv": lambda text: text.encode(),
    "csv.gz": lambda text: gzip.compress(text.encode("utf-8-sig")),
    "tsv": lambda text: text.replace(",", "\t").encode("utf-16"),
    "txt": lambda text: ("sep=;\n" + text.replace(",", ";").replace(".5", ",5")).replace("\n", "\r\n").encode(),
    "csv.zip": lambda text: zipped({"deep/part.csv": text}),
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.permutations(list(NAMES)),
    rows=st.permutations(range(12)),
    case=st.sampled_from([str, str.upper, str.lower, NAMES.__getitem__]),
    blanks=st.sampled_from(["", " ", "  "]),
    kinds=st.lists(st.sampled_from(sorted(ENCODERS)), min_size=3, max_size=3),
    cuts=st.lists(st.integers(0, 12), min_size=2, max_size=2).map(sorted),
)
def test_header_case_blanks_order_splits_and_compression_change_nothing_that_is_stored(
    folder: Path,
    columns: list[str],
    rows: list[int],
    case: Callable[[str], str],
    blanks: str,
    kinds: list[str],
    cuts: list[int],
):
    table = [
        {
            "station_id": "b" if n < 6 else "a/1",
            "observed_at": f"2020-01-01T0{n % 6}:00Z",
            "pm25": f"{n + 5}.5",
            "no2": "" if n == 3 else f"{30 - n}",
        }
        for n in range(12)
    ]

    def stored() -> pl.DataFrame:
        now = utc("2024-01-01T00:00")
        fetched = FilesSource(folder).fetch_observations(**ALWAYS)
        return flag(fetched, recent=None, now=now).rows.sort("station_id", "pollutant", "observed_at")

    def write(file: str, order: list[str], header: str, part: Sequence[int], encode: Callable[[str], bytes]) -> None:
        text = "\n".join([header, *(",".join(table[row][name] for name in order) for row in part)]) + "\n"
        (folder / file).write_bytes(encode(text))

    for path in folder.glob("observations*"):
        path.unlink()
    write("observations.csv", list(NAMES), ",".join(NAMES), range(12), str.encode)
    expected = stored()
    (folder / "observations.csv").unlink()
    header = ",".join(blanks + case(name) + blanks for name in columns)
    parts = [rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]]
    for number, (part, kind) in enumerate(zip(parts, kinds, strict=True)):
        if part:
            write(f"observations_{number}.{kind}", columns, header, part, ENCODERS[kind])
    assert expected.height == 23
    assert stored().equals(expected)
