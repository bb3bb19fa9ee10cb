"""Answers recorded from OpenAQ itself are understood: needs ../shared/data/api_examples, not part of the project."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from servers.base import ContractServer, Reply

from hazecast.sources.area import Circle, Listed
from hazecast.sources.http import HttpClient
from hazecast.sources.openaq import OpenAQSource

RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "api_examples"
HOUR = timedelta(hours=1)
NOWHERE = Reply.of_text("NoSuchKey", status=404)


@pytest.fixture(autouse=True)
def needs_the_recordings():
    if not RECORDED.is_dir():
        pytest.skip("needs ../shared/data/api_examples, which is not part of the project")


class Replay(ContractServer):
    """Serves recorded lists, whatever window is requested."""

    def __init__(self, locations: str, measurements: dict[int, str]) -> None:
        super().__init__()
        self.route("/v3/locations(/[0-9]+)?", lambda request: recorded(locations))
        self.route(
            "/v3/sensors/[0-9]+/measurements",
            lambda request: recorded(measurements.get(int(request.path.split("/")[3]), "")),
        )
        self.route("/records/.*", lambda request: NOWHERE)


def recorded(name: str) -> Reply:
    return Reply.of_json(json.loads((RECORDED / name).read_text()) if name else {"results": []})


def source(server: ContractServer, client: HttpClient, area: Circle | Listed) -> OpenAQSource:
    return OpenAQSource(client, api_key="any", area=area, base_url=f"{server.url}/v3", archive_url=server.url)


def test_the_stations_of_kathmandu():
    listed = json.loads((RECORDED / "openaq_v3_locations_nepal_real.json").read_text())["results"]
    now = datetime(2025, 9, 22, 10, tzinfo=UTC)
    with Replay("openaq_v3_locations_nepal_real.json", {}) as server, HttpClient(clock=lambda: now) as client:
        stations = source(server, client, Circle(27.72, 85.32, 25)).fetch_stations()
    monitors = [f"openaq-{item['id']}" for item in listed if item["isMonitor"] and not item["isMobile"]]
    assert set(stations["station_id"]) <= set(monitors)
    assert {"openaq-3459", "openaq-3460"} <= set(stations["station_id"])
    assert stations["timezone"].unique().to_list() == ["Asia/Kathmandu"]
    embassy = stations.filter(pl.col("station_id") == "openaq-3459").row(0, named=True)
    assert embassy["licence"] == "US Public Domain"
    assert embassy["attribution"] == "Unknown Governmental Organization, AirNow, via OpenAQ; licence US Public Domain"


@pytest.mark.parametrize("file", ["openaq_v3_locations.json", "openaq_v3_locations_variation.json"])
def test_a_location_as_the_official_client_tests_it(file: str):
    with Replay(file, {}) as server, HttpClient() as client:
        stations = source(server, client, Listed(("2178",))).fetch_stations()
    assert stations["name"].to_list() == ["Del Norte"]
    assert stations["licence"].to_list() == ["not stated"]


def test_a_sentinel_among_real_hours_between_utc_hours():
    since, until = datetime(2017, 3, 3, 19, tzinfo=UTC), datetime(2017, 3, 4, tzinfo=UTC)
    now = until + HOUR
    replay = Replay("openaq_v3_locations_nepal_real.json", {7710: "openaq_v3_sensors_7710_measurements_real.json"})
    with replay as server, HttpClient(clock=lambda: now) as client:
        observed = source(server, client, Listed(("3459",))).fetch_observations(since=since, until=until)
    first = observed.filter(pl.col("pollutant") == "pm25").sort("observed_at").head(4)
    assert first["concentration_ugm3"].to_list() == [107.2, 80.6, 80.6, -999.0]
    assert first["observed_at"].to_list() == [since + number * HOUR for number in range(4)]
