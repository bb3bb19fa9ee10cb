"""The commands: help, start-up, errors, status and doctor."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from terminal import invoke, output_of

from hazecast.air.tables import Observations, Quality, Weather
from hazecast.cli import app
from hazecast.evaluation.dataset import read_dataset
from hazecast.store import Store
from ports import free_port


@pytest.fixture
def hazecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hazecast.cli.base.console.width", 160, raising=False)

    return invoke


def test_help_lists_the_commands_in_their_order(hazecast):
    text = output_of(hazecast("--help"))
    for word in ("up", "run", "collect", "train", "forecast", "status", "doctor", "HAZECAST_HOME"):
        assert word in text


# Each takes a second or more to import; `hazecast --help` needs none of them.
HEAVY_MODULES = {"mlflow", "sklearn", "pandas", "matplotlib", "lightgbm", "apprise", "prefect", "fastapi", "streamlit"}


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["backtest", "--help"], ["api-key", "--help"]])
def test_help_and_version_import_no_heavy_module(arguments: list[str]):
    program = f"import sys; from hazecast.cli import app; app({arguments}, standalone_mode=False); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert not HEAVY_MODULES & set(result.stdout.split())


def test_a_wrong_command_line_is_exit_code_2(hazecast):
    assert hazecast("status", "--no-such-option").exit_code == 2
    assert hazecast("no-such-command").exit_code == 2


@pytest.mark.parametrize("command", [info.name or info.callback.__name__ for info in app.registered_commands])
def test_every_command_has_help(command: str, hazecast):
    result = hazecast(command, "--help")
    assert result.exit_code == 0
    assert len(output_of(result)) > 100


def test_status_without_data_names_the_next_command(hazecast):
    result = hazecast("status", "--source", "simulated")
    assert result.exit_code == 0
    assert "SIMULATED" in output_of(result)
    assert "hazecast collect" in output_of(result)


def test_status_after_a_collection_shows_what_is_stored(hazecast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_HISTORY_DAYS", "40")
    assert hazecast("collect", "--source", "simulated", "--now", "2026-06-01T00:00Z").exit_code == 0
    text = output_of(hazecast("status", "--source", "simulated", "--now", "2026-06-01T00:00Z"))
    assert "5,760" in text
    assert "2026-05-31 23:00" in text
    assert "REPLAYED CLOCK" in text
    assert "champion none yet" in text


def test_doctor_passes_on_a_good_machine(hazecast, monkeypatch: pytest.MonkeyPatch):
    for name in ("API", "DASHBOARD", "MLFLOW", "PREFECT", "WORKER"):
        monkeypatch.setenv(f"HAZECAST_{name}_PORT", str(free_port()))
    result = hazecast("doctor", "--source", "simulated")
    assert "is writable" in output_of(result)
    assert "simulated offers 6 stations" in output_of(result)
    assert result.exit_code == 0, output_of(result)


def test_doctor_names_the_problem_and_fails(hazecast, tmp_path: Path):
    result = hazecast("doctor", "--data", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "nowhere" in output_of(result)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("status", "--now", "2016-06-01"), "HAZECAST_NOW", 2),
        (("collect", "--source", "files"), "HAZECAST_DATA", 2),
        (("collect", "--source", "moon"), "HAZECAST_SOURCE", 2),
        (("collect", "--source", "simulated", "--since", "yesterday"), "--since 'yesterday' is not a day", 2),
        (("replay", "--from", "soon", "--to", "2024-01-01T00:00Z"), "soon", 2),
        (("train", "--source", "simulated", "--set", "trees.rounds"), "--set trees.rounds has no value", 2),
        (("collect", "--data", "nowhere"), "no such folder", 1),
        (("train", "--source", "simulated"), "hazecast collect", 1),
    ],
)
def test_an_error_is_one_line_with_exit_code_2_for_arguments_and_1_for_data(
    arguments: tuple[str, ...], message: str, code: int, hazecast
):
    result = hazecast(*arguments)
    assert result.exit_code == code
    assert message in output_of(result)
    assert "Traceback" not in output_of(result)


def test_a_home_that_cannot_be_created_names_its_setting(hazecast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path / "file" / "home"))
    result = hazecast("status", "--source", "simulated")
    assert result.exit_code == 1
    assert "HAZECAST_HOME" in output_of(result)


def test_the_same_commands_work_on_s3(hazecast, monkeypatch: pytest.MonkeyPatch, s3_bucket: tuple[str, dict[str, str]]):
    root, options = s3_bucket
    monkeypatch.setenv("USE_S3", "true")
    monkeypatch.setenv("HAZECAST_S3_URI", root)
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, options[name])
    monkeypatch.setenv("HAZECAST_HISTORY_DAYS", "40")
    assert hazecast("run", "prediction", "--source", "simulated", "--now", "2026-06-01T00:00Z").exit_code == 0
    text = output_of(hazecast("status", "--source", "simulated", "--now", "2026-06-01T00:00Z"))
    assert f"{root}/simulated" in text
    assert "5,760" in text
    assert "baseline" in text


def write_city(folder: Path, *, weather: str = "8.5") -> Path:
    """Two stations at one point; five days with a sentinel in each tenth hour, and `weather` in one hour of three."""
    folder.mkdir()
    (folder / "stations.csv").write_text("station_id,lat,lon\na,60.2,24.9\nb,60.2,24.9\nc,,\n")
    times = [f"2024-03-{1 + hour // 24:02}T{hour % 24:02}:00Z" for hour in range(120)]
    rows = [f"{name},{time},{-999 if n % 10 == 0 else 20 + n % 7}" for n, time in enumerate(times) for name in "ab"]
    (folder / "observations.csv").write_text("station_id,observed_at,pm25\n" + "\n".join(rows) + "\n")
    values = [f"a,{time},{weather if n % 3 == 0 else 7 + n % 5}" for n, time in enumerate(times)]
    (folder / "weather.csv").write_text("station_id,valid_at,temperature_c\n" + "\n".join(values) + "\n")
    return folder


def test_inspect_shows_what_collect_then_stores(hazecast, tmp_path: Path):
    folder = write_city(tmp_path / "city", weather="999.9")
    shown = hazecast("inspect", str(folder))
    assert shown.exit_code == 0, output_of(shown)
    text = output_of(shown)
    assert "city: 3 stations, 240 observations from 2024-03-01 00:00 to 2024-03-05 23:00 UTC, 120 weather rows" in text
    for heading in ("station", "pollutant", "complete", "median [µg/m³]", "suspicious", "course"):
        assert heading in text
    assert "40 temperature_c outside the range of weather" in text
    assert "stations at one point: a, b" in text
    assert "stations without coordinates: c" in text
    assert not list(tmp_path.glob("home/tables/*"))
    assert hazecast("collect", "--data", str(folder)).exit_code == 0
    tables = tmp_path / "home" / "tables" / "city"
    report = Store(str(tables)).read(Quality).sort("station_id")
    assert report["n_observed"].to_list() == [108, 108]
    assert len(re.findall(r"108\s+90%", text)) == 2
    assert Store(str(tables)).read(Observations).height == 240


def test_weather_with_codes_is_stored_as_weather_with_blanks(hazecast, tmp_path: Path):
    """So a model trained on the one has the error of a model trained on the other."""
    stored = []
    for name, weather in (("blank", ""), ("codes", "999.9")):
        folder = write_city(tmp_path / name, weather=weather)
        assert hazecast("collect", "--data", str(folder)).exit_code == 0
        from_tables = Store(str(tmp_path / "home" / "tables" / name)).read(Weather)
        from_folder = read_dataset(folder).weather
        stored += [from_tables.sort("valid_at"), from_folder.sort("valid_at").select(from_tables.columns)]
    assert stored[0]["temperature_c"].null_count() == 40
    assert all(table.equals(stored[0]) for table in stored)


def short_record(folder: Path, hours: Iterable[int], value: Callable[[int], str]) -> Path:
    """One station with these hours from 1 March 2024 on."""
    folder.mkdir()
    (folder / "stations.csv").write_text("station_id\na\n")
    times = {hour: datetime(2024, 3, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in hours}
    rows = [f"a,{time:%Y-%m-%dT%H:%MZ},{value(hour)}" for hour, time in times.items()]
    (folder / "observations.csv").write_text("station_id,observed_at,pm25\n" + "\n".join(rows) + "\n")
    return folder


SHORT = {
    "ten hours": (range(10), lambda hour: f"{10 + hour}", "0.4 days of observations are too few"),
    "twenty days": (range(480), lambda hour: f"{10 + hour % 7}", "20.0 days of observations are too few"),
    "pairs of hours": (
        [hour for hour in range(1200) if hour % 17 in (0, 1, 5, 11)],
        lambda hour: f"{10 + hour % 7}",
        "follow one an hour before",
    ),
    "a stuck instrument": (range(900), lambda hour: "17.3", "follow one an hour before"),
}


@pytest.mark.parametrize(("hours", "value", "message"), SHORT.values(), ids=SHORT)
def test_training_on_too_little_is_one_sentence_and_exit_code_1(hazecast, tmp_path: Path, hours, value, message: str):
    folder = short_record(tmp_path / "short", hours, value)
    assert hazecast("collect", "--data", str(folder)).exit_code == 0
    result = hazecast("train", "--data", str(folder))
    assert result.exit_code == 1
    assert message in output_of(result)
    assert "Traceback" not in output_of(result)


def test_help_groups_the_commands_by_job(hazecast):
    text = output_of(hazecast("--help"))
    at = [text.index(f"─ {panel} ─") for panel in ("Start", "Data", "Forecasts", "Models", "Operation")]
    assert at == sorted(at)


def test_nothing_is_cut_in_a_pipe_nor_in_80_columns(tmp_path: Path):
    (tmp_path / "stations.csv").write_text("station_id\nhelsinki-mannerheimintie-roadside\n")
    rows = "\n".join(f"helsinki-mannerheimintie-roadside,2024-01-01T{hour:02d}:00Z,{hour}" for hour in range(24))
    (tmp_path / "observations.csv").write_text(f"station_id,observed_at,pm25\n{rows}\n")
    command = [sys.executable, "-m", "hazecast.cli", "inspect", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    piped = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    for word in ("pollutant", "complete", "suspicious", "helsinki-mannerheimintie-roadside"):
        assert word in piped
    narrow = subprocess.run(
        command, env=environment | {"COLUMNS": "80"}, capture_output=True, text=True, check=True, timeout=120
    ).stdout
    table = narrow.splitlines()[1:]
    assert max(map(len, table)) <= 80
    assert all(word in narrow for word in ("pollutant", "complete", "suspicious", "invalid", "course"))
    assert "…" not in narrow


def test_reading_commands_print_json_and_nothing_else(hazecast, tmp_path: Path):
    folder = str(short_record(tmp_path / "short", range(480), lambda hour: f"{10 + hour % 7}"))
    assert hazecast("collect", "--data", folder).exit_code == 0
    rows = json.loads(hazecast("forecast", "--data", folder, "--pollutant", "pm25", "--json").stdout)
    assert (rows[0]["station_id"], rows[0]["lead_hours"]) == ("a", 1)
    status = json.loads(hazecast("status", "--data", folder, "--json").stdout)
    assert status["observations"][0]["observations"] == 480
    assert status["forecast_issued_at"] == rows[0]["issued_at"] == "2024-03-21T00:00:00Z"
    assert json.loads(hazecast("inspect", folder, "--json").stdout)["series"][0]["n_observed"] == 480
    assert json.loads(hazecast("models", "--data", folder, "--json").stdout)["versions"] == []
    assert {"place", "key_is_set"} <= set(json.loads(hazecast("places", "--json").stdout)[0])
    assert any(check["check"] == "Python" for check in json.loads(hazecast("doctor", "--json").stdout))


def test_a_forecast_is_shown_and_written_for_chosen_series(hazecast, tmp_path: Path):
    folder = str(short_record(tmp_path / "short", range(480), lambda hour: f"{10 + hour % 7}"))
    assert hazecast("collect", "--data", folder).exit_code == 0
    out = tmp_path / "forecast.csv"
    assert hazecast("forecast", "--data", folder, "--station", "a", "--out", str(out)).exit_code == 0
    assert out.read_text().splitlines()[1].startswith("a,pm25,2024-03-21T00:00:00Z,2024-03-21T00:00:00Z,1,")
    unknown = hazecast("forecast", "--data", folder, "--station", "b")
    assert unknown.exit_code == 2
    assert "unknown station 'b'; known: a" in output_of(unknown)
    assert hazecast("forecast", "--data", folder, "--out", "x.doc").exit_code == 2
    page = tmp_path / "a b" / "bulletin.html"
    refused = hazecast("bulletin", "--data", folder, "--out", str(page))
    assert refused.exit_code == 2
    assert "name a file in a folder that is there" in output_of(refused)
    page.parent.mkdir()
    written = hazecast("bulletin", "--data", folder, "--format", "html", "--lang", "fi", "--out", str(page))
    assert written.exit_code == 0, output_of(written)
    assert "Ilmanlaatutiedote" in page.read_text(encoding="utf-8")
