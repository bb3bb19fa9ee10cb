"""`hazecast import`: published layouts become hourly means in UTC; what is left out is counted with its reason."""

import gzip
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import published
import pytest
from published import LAYOUTS

from hazecast.errors import SourceRefused
from hazecast.imports.formats import Hour
from hazecast.imports.purpleair import corrected_from_atm, corrected_from_cf1
from hazecast.imports.registry import FORMATS
from hazecast.imports.report import Report
from hazecast.imports.run import import_files
from hazecast.imports.titles import ALIASES, TITLES
from hazecast.sources.files import FilesSource

ALWAYS = {"since": datetime(1900, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}


def do(tmp_path: Path, name: str, paths: list[Path], **options: object) -> tuple[Report, FilesSource]:
    """The report of an import, and what Hazecast reads from it."""
    out = tmp_path / "out"
    report = import_files(name, paths, out, now=datetime.now(UTC), **options)  # type: ignore[arg-type]
    return report, FilesSource(out)


def series(source: FilesSource, pollutant: str) -> dict[datetime, float]:
    rows = source.fetch_observations(**ALWAYS).filter(pl.col("pollutant") == pollutant)
    return dict(rows.select("observed_at", "concentration_ugm3").rows())


def reasons(report: Report) -> dict[str, int]:
    return {part.reason: part.values for part in report.dropped}


NO_NO2 = [("no2", "sensor-community"), ("no2", "purpleair")]


@pytest.mark.parametrize("title", LAYOUTS)
def test_every_layout_gives_the_same_air_in_the_same_hours(title: str, tmp_path: Path):
    name, make = LAYOUTS[title]
    report, source = do(tmp_path, name, make(tmp_path))
    assert report.first == published.START
    for pollutant, value in (("pm25", published.pm25), ("no2", published.no2)):
        found = series(source, pollutant)
        expected = {published.START + timedelta(hours=n): value(n) for n in range(published.HOURS)}
        assert {at: pytest.approx(expected[at], rel=1e-3) for at in found} == found
        assert len(found) >= published.HOURS - 1 or (pollutant, name) in NO_NO2


@pytest.mark.parametrize("title", LAYOUTS)
def test_auto_finds_the_format_and_no_other_fits(title: str, tmp_path: Path):
    name, make = LAYOUTS[title]
    report, _ = do(tmp_path, "auto", make(tmp_path))
    assert report.format == name


def test_the_help_lists_the_formats_that_there_are():
    assert list(TITLES) == list(FORMATS)
    assert set(ALIASES.values()) <= set(FORMATS)


DROPPED = {
    "EEA Parquet": {"Validity -1 (not valid)": 2},
    "EEA E1a": {"not an hourly mean (day)": 1},
    "EEA E2a": {},
    "UK-AIR": {"not a variable of Hazecast: Nitric oxide": 30, "status S (suspect)": 1},
    "openair": {"not a variable of Hazecast: nox": 30},
    "AQS": {"another instrument at the same station": 6, "no measurement (AN - Machine Malfunction.)": 2},
    "AirNow": {"a code for a missing value": 30},
    "AirNow API": {},
    "OpenAQ": {},
    "PRSA": {"no value": 30},
    "CNEMC": {"no value": 90},
    "CPCB": {"not a variable of Hazecast: NO": 120, "no value": 1},
    "CPCB repository": {"not a variable of Hazecast: NOx": 30},
    "Sensor.Community": {},
    "PurpleAir": {
        "PM10 of PurpleAir is not usable and there is no correction": 31,
        "the two channels differ by 5 ug/m3 and 61 % or more": 1,
        "no humidity from 0 to 100 %, so it cannot be corrected": 1,
    },
}


@pytest.mark.parametrize("title", LAYOUTS)
def test_what_is_dropped_is_counted_with_its_reason(title: str, tmp_path: Path):
    name, make = LAYOUTS[title]
    report, _ = do(tmp_path, name, make(tmp_path))
    assert reasons(report) == DROPPED[title]


def test_the_report_names_file_and_line_of_the_first_value(tmp_path: Path):
    report, _ = do(tmp_path, "uk-air", published.uk_air(tmp_path))
    suspect = next(part for part in report.dropped if "suspect" in part.reason)
    line = (tmp_path / suspect.file).read_text().splitlines()[suspect.row - 1]
    assert line.startswith("02-01-2024,06:00,20.0,S")
    assert json.loads((tmp_path / "out" / "import.json").read_text())["kept"] == report.kept == 59


CO_UGM3 = {
    "EEA E2a": 200.0,  # 0.2 mg.m-3
    "openair": 300.0,  # mg/m3 without a unit in the file
    "PRSA": 300.0,  # ug/m3
    "CNEMC": 400.0,  # 0.4 mg/m3
    "CPCB": 500.0,  # 0.5 mg/m3
    "CPCB repository": 500.0,
}


@pytest.mark.parametrize("title", CO_UGM3)
def test_carbon_monoxide_is_in_the_unit_of_its_publisher(title: str, tmp_path: Path):
    name, make = LAYOUTS[title]
    _, source = do(tmp_path, name, make(tmp_path))
    assert list(series(source, "co").values()) == pytest.approx([CO_UGM3[title]] * published.HOURS)


def test_weather_is_read_in_its_units(tmp_path: Path):
    _, source = do(tmp_path, "cpcb", published.cpcb_repository(tmp_path))
    first = source.fetch_weather(**ALWAYS).row(0, named=True)
    assert first["pressure_hpa"] == pytest.approx(986.58, abs=0.01)  # 740 mmHg
    assert (first["temperature_c"], first["relative_humidity_pct"], first["wind_direction_deg"]) == (21, 55, 90)


def test_sensors_at_one_location_are_one_station(tmp_path: Path):
    report, source = do(tmp_path, "sensor-community", published.sensor_community(tmp_path))
    assert report.stations == ["85606"]
    weather = source.fetch_weather(**ALWAYS).row(0, named=True)
    assert (weather["station_id"], weather["pressure_hpa"]) == ("85606", pytest.approx(1009.505))
    assert source.fetch_stations().row(0, named=True)["latitude"] == 45.528


def test_beijing_wind_is_a_point_of_the_compass(tmp_path: Path):
    _, source = do(tmp_path, "prsa", published.prsa(tmp_path))
    assert source.fetch_weather(**ALWAYS)["wind_direction_deg"].unique().to_list() == [337.5]


def test_stations_say_whose_they_are_and_where_time_zone_and_place_are_known(tmp_path: Path):
    _, source = do(tmp_path, "eea", published.eea_e2a(tmp_path))
    assert source.fetch_stations().row(0) == (
        "FR04012",
        "Paris Centre",
        48.86,
        2.35,
        "Europe/Paris",
        "files",
        "European Environment Agency (EEA) and the reporting countries",
        "CC BY 4.0",
    )
    (tmp_path / "purple").mkdir()
    _, source = do(tmp_path / "purple", "purpleair", published.purpleair(tmp_path / "purple"))
    row = source.fetch_stations().row(0, named=True)
    assert "corrected" in row["name"]
    assert "corrected with the US EPA equation" in row["attribution"]


# --- containers


def _gzipped(path: Path) -> Path:
    new = path.with_name(path.name + ".gz")
    new.write_bytes(gzip.compress(path.read_bytes()))
    return new


def _zipped(path: Path) -> Path:
    new = path.with_suffix(".zip")
    with zipfile.ZipFile(new, "w") as archive:
        archive.write(path, f"folder/{path.name}")
    return new


def _zipped_gzip(path: Path) -> Path:
    return _zipped(_gzipped(path))


def _utf16(path: Path) -> Path:
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")
    return path


def _with_mark(path: Path) -> Path:
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    return path


def _windows(path: Path) -> Path:
    path.write_bytes(path.read_text(encoding="utf-8").replace("\n", "\r\n").encode("cp1252"))
    return path


def _separated(path: Path, separator: str, *, comma: bool = False) -> Path:
    frame = pl.read_csv(path, infer_schema=False)
    if comma:
        frame = frame.with_columns(
            pl.col("PM2.5 (µg/m³)", "NO2 (µg/m³)", "CO (mg/m³)").str.replace(".", ",", literal=True)
        )
    frame.write_csv(path, separator=separator)
    return path


CONTAINERS: dict[str, Callable[[Path], Path]] = {
    "gzip": _gzipped,
    "zip": _zipped,
    "gzip in a zip": _zipped_gzip,
    "UTF-16": _utf16,
    "byte order mark": _with_mark,
    "Windows code page and line ends": _windows,
    "tab": lambda path: _separated(path, "\t"),
    "semicolon and decimal comma": lambda path: _separated(path, ";", comma=True),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_make_no_difference(container: str, tmp_path: Path):
    path = CONTAINERS[container](published.cpcb_repository(tmp_path)[0])
    _, source = do(tmp_path, "cpcb", [path])
    assert list(series(source, "pm25").values())[:3] == [10, 11, 12]
    assert set(series(source, "co").values()) == {500.0}


def test_several_files_and_repeated_ones_are_one_record(tmp_path: Path):
    first = published.prsa(tmp_path)[0]
    lines = first.read_text().splitlines()
    second = tmp_path / "PRSA_Data_Dongsi.csv"
    second.write_text("\n".join(lines).replace("Aotizhongxin", "Dongsi"))
    again = tmp_path / "again.csv"
    again.write_text("\n".join([lines[0], lines[1].replace(",10.0,", ",11.5,"), *lines[2:5]]))
    report, source = do(tmp_path, "prsa", [first, second, again])
    assert report.stations == ["Aotizhongxin", "Dongsi"]
    assert reasons(report)["another value for the same time; the last counts"] == 1
    assert reasons(report)["repeated"] > 10
    rows = source.fetch_observations(**ALWAYS).filter(
        pl.col("station_id") == "Aotizhongxin", pl.col("pollutant") == "pm25"
    )
    assert rows["concentration_ugm3"][0] == 11.5


# --- refusals


def test_a_file_of_another_format_is_named_with_the_command(tmp_path: Path):
    with pytest.raises(
        SourceRefused, match=r"hourly_88101_2024.csv: is not eea; it looks like aqs .*; use hazecast import aqs"
    ):
        do(tmp_path, "eea", published.aqs(tmp_path))


def test_an_unknown_table_shows_how_it_begins(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("when,what\n2024,3\n")
    with pytest.raises(
        SourceRefused, match=r"x.csv: is of no known format \(begins: when,what\); known are eea, uk-air"
    ):
        do(tmp_path, "auto", [path])


def test_a_spreadsheet_is_refused_with_the_remedy(tmp_path: Path):
    path = tmp_path / "report.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")
    with pytest.raises(SourceRefused, match="is a spreadsheet; save its sheet as CSV"):
        do(tmp_path, "cpcb", [path])


def test_where_nothing_is_left_the_reasons_are_named_and_nothing_is_written(tmp_path: Path):
    path = published.cpcb_repository(tmp_path)[0]
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([lines[0].split(",AT")[0], *(f"2024-01-{day:02d} 00:00:00,50,20,30,1" for day in range(2, 12))])
    )
    with pytest.raises(SourceRefused, match=r"no hourly value is left of 40 .*values are 24 h apart"):
        do(tmp_path, "cpcb", [path])
    assert not (tmp_path / "out").exists()


def test_an_hour_option_is_refused_where_the_file_has_start_and_end(tmp_path: Path):
    with pytest.raises(SourceRefused, match="states its times itself; leave --hour out"):
        do(tmp_path, "eea", published.eea_parquet(tmp_path), hour=Hour.END)


# --- options


def test_the_hour_can_be_named_otherwise(tmp_path: Path):
    _, source = do(tmp_path, "prsa", published.prsa(tmp_path), hour=Hour.END)
    assert min(series(source, "pm25")) == published.START - timedelta(hours=1)


def test_a_series_in_another_unit_is_left_out_and_can_be_read_with_its_unit(tmp_path: Path):
    path = published.cpcb_repository(tmp_path)[0]
    path.write_text(path.read_text().replace("CO (mg/m³)", "CO (µg/m³)"))
    report, _ = do(tmp_path, "cpcb", [path])
    assert reasons(report)["its series has the magnitude of mg/m³ or ppm; give it with --unit"] == 30
    _, source = do(tmp_path, "cpcb", [path], units={"co": "mg/m3"})
    assert set(series(source, "co").values()) == {500.0}


def test_single_stations_can_be_kept(tmp_path: Path):
    report, _ = do(tmp_path, "cnemc", published.cnemc(tmp_path), only_stations=["1002A"])
    assert report.stations == ["1002A"]
    with pytest.raises(SourceRefused, match="no value of 9 in these files; their stations are 1001A, 1002A"):
        do(tmp_path, "cnemc", published.cnemc(tmp_path), only_stations=["9"])


# --- lists of stations


def test_a_list_of_stations_is_read_by_the_column_that_has_their_ids(tmp_path: Path):
    listed = tmp_path / "站点列表.csv"
    listed.write_text("监测点编码,监测点名称,城市,经度,纬度,对照点\n1001A,万寿西宫,北京,116.3621,39.8784,N\n")
    _, source = do(tmp_path, "cnemc", [*published.cnemc(tmp_path), listed])
    assert source.fetch_stations().select("station_id", "name", "latitude", "longitude").rows() == [
        ("1001A", "万寿西宫", 39.8784, 116.3621),
        ("1002A", "1002A", None, None),
    ]


def test_sampling_points_become_stations_by_the_metadata_of_eea(tmp_path: Path):
    paths = published.eea_parquet(tmp_path)
    for path, pollutant in zip(paths, (10, 8), strict=True):
        frame = pl.read_parquet(path).with_columns(Samplingpoint=pl.lit(f"ES/SP_28079004_{pollutant}_8"))
        frame.write_parquet(path)
    report, _ = do(tmp_path, "eea", paths)
    assert report.stations == ["ES/SP_28079004_10_8", "ES/SP_28079004_8_8"]
    metadata = tmp_path / "DataExtract.csv"
    metadata.write_text(
        "Country,Air Quality Station EoI Code,Air Quality Station Name,Sampling Point Id,Pollutant,Longitude,Latitude\n"
        "Spain,ES1422A,PLAZA DE ESPAÑA,SP_28079004_10_8,PM2.5,-3.71,40.42\n"
        "Spain,ES1422A,PLAZA DE ESPAÑA,SP_28079004_8_8,NO2,-3.71,40.42\n"
    )
    report, source = do(tmp_path, "eea", paths, station_list=metadata)
    assert report.stations == ["ES1422A"]
    assert source.fetch_stations().row(0)[:5] == ("ES1422A", "PLAZA DE ESPAÑA", 40.42, -3.71, "Europe/Madrid")
    assert len(series(source, "pm25")) == len(series(source, "no2")) == published.HOURS


def test_airnow_sites_get_their_places_from_its_list(tmp_path: Path):
    listed = tmp_path / "Monitoring_Site_Locations_V2.dat"
    listed.write_text(
        "StationID|AQSID|FullAQSID|Parameter|SiteName|Latitude|Longitude|GMTOffset\n"
        "060371103|060371103|840060371103|PM2.5|Los Angeles - N. Main|34.06659|-118.22688|-8\n"
        "060371103|060371103|840060371103|NO2|Los Angeles - N. Main|34.06659|-118.22688|-8\n"
    )
    _, source = do(tmp_path, "airnow", published.airnow(tmp_path), station_list=listed, timezone="America/Los_Angeles")
    assert source.fetch_stations().row(0)[:5] == (
        "060371103",
        "Los Angeles - N. Main",
        34.06659,
        -118.22688,
        "America/Los_Angeles",
    )


# --- single rules


def test_verified_values_of_eea_replace_preliminary_ones(tmp_path: Path):
    path = published.eea_e1a(tmp_path)[0]
    lines = path.read_text(encoding="utf-16").splitlines()
    preliminary = [line.replace(",10.0000000000,", ",99.0000000000,")[:-1] + "3" for line in lines[1:2]]
    path.write_text("\n".join([*lines, *preliminary]), encoding="utf-8")
    _, source = do(tmp_path, "eea", [path])
    assert series(source, "pm25")[published.START] == 10


def test_particles_of_the_airnow_api_need_the_raw_concentration(tmp_path: Path):
    path = published.airnow_api(tmp_path)[0]
    lines = [
        ",".join(part for at, part in enumerate(line.split(",")) if at != 6) for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines))
    report, source = do(tmp_path, "airnow", [path])
    assert reasons(report) == {"a NowCast, not a mean over an hour; request includerawconcentrations=1": 30}
    assert series(source, "no2")


def test_quarters_of_an_hour_are_averaged_in_utc_hours_of_which_three_quarters_are_there(tmp_path: Path):
    path = published.cpcb(tmp_path)[0]
    lines = path.read_text().splitlines()
    del lines[17:19]
    path.write_text("\n".join(lines))
    report, source = do(tmp_path, "cpcb", [path])
    assert published.START not in series(source, "pm25")
    assert reasons(report)["less than three quarters of the hour are measured"] == 2 * 3


def test_the_correction_is_that_of_the_papers_and_continuous():
    def at(correct: Callable[[pl.Expr, pl.Expr], pl.Expr], value: float) -> float:
        return pl.select(correct(pl.lit(value), pl.lit(50.0))).item()

    assert at(corrected_from_cf1, 20.0) == pytest.approx(0.524 * 20 - 0.0862 * 50 + 5.75)
    assert at(corrected_from_cf1, 570.0) == pytest.approx(300.0, abs=1.0)
    assert at(corrected_from_cf1, 611.0) == pytest.approx(400.0, abs=1.0)
    assert at(corrected_from_cf1, 0.0) == pytest.approx(1.44)
    for value, expected in ((30.0, 17.16), (50.0, 40.74), (210.0, 166.50), (260.0, 242.12)):
        assert at(corrected_from_atm, value) == pytest.approx(expected, abs=0.01)
        assert at(corrected_from_atm, value - 1e-6) == pytest.approx(expected, abs=0.01)
