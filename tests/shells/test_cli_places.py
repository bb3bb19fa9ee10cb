"""`hazecast places`, `discover`, `doctor --live` and `collect --place`, against the services as documented."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from servers.base import Instead, Reply
from servers.open_meteo import DEGREES_PER_HOUR, OpenMeteoServer
from servers.openaq import KEY, OpenAQServer
from servers.silam import SilamServer
from terminal import invoke, output_of

from hazecast.air.tables import Background, Observations, Stations, Weather
from hazecast.discover import index_of
from hazecast.features import FutureWeather, as_of
from hazecast.features.panel import WEATHER
from hazecast.features.view import PAST_WEATHER_HOURS
from hazecast.places import read_place
from hazecast.steps.inputs import read_inputs
from hazecast.store import Store

NOW = datetime(2026, 3, 10, 11, tzinfo=UTC)


@pytest.fixture
def fmi() -> Iterator[SilamServer]:
    with SilamServer(now=NOW) as server:
        yield server


@pytest.fixture
def open_meteo() -> Iterator[OpenMeteoServer]:
    with OpenMeteoServer(NOW) as server:
        yield server


@pytest.fixture
def openaq() -> Iterator[OpenAQServer]:
    with OpenAQServer(now=NOW) as server:
        yield server


@pytest.fixture
def hazecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fmi: SilamServer, open_meteo: OpenMeteoServer):
    for name, value in {
        "HAZECAST_HOME": str(tmp_path / "home"),
        "HAZECAST_NOW": NOW.isoformat(),
        "HAZECAST_HISTORY_DAYS": "40",
        "HAZECAST_FMI_URL": fmi.base_url,
        "HAZECAST_OPEN_METEO_URL": open_meteo.url,
        "HAZECAST_OPENAQ_URL": "http://127.0.0.1:9",
        "COLUMNS": "160",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hazecast.cli.commands.console.width", 160, raising=False)

    return invoke


def test_places_lists_sources_and_keys(hazecast, monkeypatch: pytest.MonkeyPatch):
    text = output_of(hazecast("places"))
    assert re.search(r"helsinki .*FMI .*fi-hsy .*nothing", text)
    assert re.search(r"beijing .*CAMS model data", text)
    assert re.search(r"delhi .*OpenAQ .*OpenAQ key \(not set\)", text)
    monkeypatch.setenv("HAZECAST_OPENAQ_API_KEY", "mine")
    assert re.search(r"delhi .*OpenAQ key \(set\)", output_of(hazecast("places")))


def test_an_unknown_place_lists_the_known_ones(hazecast):
    result = hazecast("status", "--place", "atlantis")
    assert result.exit_code == 2
    assert "unknown place 'atlantis'; known: beijing, delhi, helsinki" in output_of(result)


def test_collecting_helsinki_stores_data_of_four_services(hazecast, tmp_path: Path):
    result = hazecast("collect", "--place", "helsinki")
    assert result.exit_code == 0, output_of(result)
    store = Store(str(tmp_path / "home" / "tables" / "helsinki"))
    assert set(store.read(Observations)["source"]) == {"fmi"}
    for credit in store.read(Stations)["attribution"]:
        for owner in (
            "Municipalities",
            "Weather data by Open-Meteo.com",
            "Copernicus Atmosphere",
            "SILAM",
            "CC BY 4.0",
        ):
            assert credit.count(owner) >= 1
        assert credit.count("Copernicus") == 1
    assert store.newest(Observations, "observed_at") == NOW - timedelta(hours=1)
    assert store.read(Observations)["observed_at"].min() == NOW - timedelta(days=40)
    kinds = set(store.read(Weather)["source"])
    assert {"fmi", "open_meteo:ecmwf_ifs025:live", "open_meteo:ecmwf_ifs025:previous_runs"} <= kinds
    assert set(store.read(Background)["source"]) == {"cams_europe", "cams_global", "silam"}


def test_the_forecast_is_made_with_the_live_run(hazecast, tmp_path: Path):
    assert hazecast("collect", "--place", "helsinki").exit_code == 0
    inputs = read_inputs(Store(str(tmp_path / "home" / "tables" / "helsinki")))
    assert inputs.weather is FutureWeather.FORECAST
    issued = np.array([inputs.panel.hour_of(NOW)])
    view = as_of(inputs.panel, np.array([0]), issued, future=inputs.weather)
    ahead = view.weather[0, PAST_WEATHER_HOURS:, WEATHER.index("temperature_c")]
    run_began = NOW.replace(hour=0)
    hours_of_run = np.arange(72) + (NOW - run_began) // timedelta(hours=1)
    np.testing.assert_array_equal(ahead, hours_of_run * DEGREES_PER_HOUR)


def test_a_place_without_stations_is_labelled_model_data(hazecast, tmp_path: Path):
    assert hazecast("collect", "--place", "beijing").exit_code == 0
    store = Store(str(tmp_path / "home" / "tables" / "beijing"))
    assert set(store.read(Stations)["source"]) == {"cams_model"} == set(store.read(Observations)["source"])
    assert "CAMS model data" in output_of(hazecast("places"))


def test_a_background_that_is_down_does_not_fail_a_collection(hazecast, open_meteo: OpenMeteoServer, tmp_path: Path):
    down = Instead(Reply.of_json({"error": True, "reason": "No data is available for this location"}, status=400))
    open_meteo.breaks(down, when=lambda request: request.path == "/v1/air-quality")
    result = hazecast("collect", "--place", "helsinki")
    assert result.exit_code == 0
    store = Store(str(tmp_path / "home" / "tables" / "helsinki"))
    assert set(store.read(Background)["source"]) == {"silam"}
    assert "cams_europe not archived: Open-Meteo: HTTP 400 No data is available" in output_of(
        hazecast("status", "--place", "helsinki")
    )


def test_a_missing_key_is_an_error_of_collect_only(hazecast):
    assert hazecast("status", "--place", "delhi").exit_code == 0
    result = hazecast("collect", "--place", "delhi")
    assert result.exit_code == 1
    assert "HAZECAST_OPENAQ_API_KEY" in output_of(result)


def test_a_malformed_day_is_an_error(hazecast):
    result = hazecast("collect", "--place", "helsinki", "--since", "yesterday")
    assert result.exit_code == 2
    assert "--since 'yesterday' is not a day such as 2024-01-01" in output_of(result)


def test_doctor_queries_every_service(hazecast, open_meteo: OpenMeteoServer):
    result = hazecast("doctor", "--live", "--place", "helsinki")
    assert result.exit_code == 0, output_of(result)
    for what in ("stations", "observations", "weather", "cams_europe", "cams_global", "silam"):
        assert re.search(rf"✓ {what} ", output_of(result)), output_of(result)
    busy = Reply.of_json({"error": True, "reason": "No data is available for this location"}, status=400)
    open_meteo.breaks(Instead(busy), when=lambda request: request.params.get("domains") == "cams_europe")
    result = hazecast("doctor", "--live", "--place", "helsinki")
    assert result.exit_code == 1
    assert re.search(r"✗ cams_europe .*No data is available", output_of(result))
    assert re.search(r"✓ silam ", output_of(result))


def test_doctor_live_needs_a_place(hazecast):
    result = hazecast("doctor", "--live")
    assert result.exit_code == 1
    assert "--place" in output_of(result)


def test_discover_in_finland_finds_stations_and_writes_a_place_that_works(hazecast, tmp_path: Path):
    out = tmp_path / "config" / "uusimaa.yaml"
    out.parent.mkdir()
    result = hazecast("discover", "--lat", "60.18", "--lon", "24.95", "--radius-km", "5", "--out", str(out))
    assert result.exit_code == 0, output_of(result)
    place = read_place(out)
    assert place.observations.stations == ("100662", "100742")
    assert (place.timezone, place.index, place.background[2]) == ("Europe/Helsinki", "fi-hsy", "silam")
    assert hazecast("collect", "--place", "uusimaa").exit_code == 0


def test_discover_with_a_key_finds_openaq(hazecast, openaq: OpenAQServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_OPENAQ_URL", f"{openaq.url}/v3")
    monkeypatch.setenv("HAZECAST_OPENAQ_API_KEY", KEY)
    text = output_of(hazecast("discover", "--lat", "34.06", "--lon", "-118.23", "--radius-km", "10"))
    assert "OpenAQ: 1 stations" in text
    assert "- 7936" in text


def test_discover_without_stations_offers_labelled_model_data(hazecast):
    text = output_of(hazecast("discover", "--lat", "-49.35", "--lon", "70.22"))
    assert "using CAMS model data at the centre" in text
    assert "title: Here (model data)" in text


def test_discover_overwrites_nothing(hazecast, tmp_path: Path):
    out = tmp_path / "mine.yaml"
    out.write_text("keep me")
    result = hazecast("discover", "--lat", "60.18", "--lon", "24.95", "--out", str(out))
    assert result.exit_code == 1
    assert out.read_text() == "keep me"


@pytest.mark.parametrize(
    ("timezone", "index"),
    [
        ("Europe/Helsinki", "fi-hsy"),
        ("Europe/Oslo", "eu-eaqi"),
        ("America/Toronto", "ca-aqhi"),
        ("America/Denver", "us-epa"),
        ("Asia/Kolkata", "in-naqi"),
        ("Africa/Nairobi", "us-epa"),
    ],
)
def test_the_index_is_the_countrys_own(timezone: str, index: str):
    assert index_of(timezone) == index
