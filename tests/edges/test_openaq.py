"""OpenAQ as a source: stations, keys, pages and limits, against an API v3 test server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openaq_requests import HOUR, NOW, client_at, expected, rows_of, source_at
from servers.base import Altered, Instead, Reply
from servers.clock import Clock
from servers.openaq import OpenAQServer
from servers.openaq_stations import CLOSED, DELHI, KATHMANDU, LOS_ANGELES, Sensor, Station

from hazecast.errors import SourceRefused, SourceUnavailable
from hazecast.sources.area import Box, Circle, Listed
from hazecast.sources.http import HttpClient


@pytest.fixture
def server() -> Iterator[OpenAQServer]:
    with OpenAQServer(now=NOW) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def client(clock: Clock) -> Iterator[HttpClient]:
    with client_at(clock) as made:
        yield made


def test_stations_are_fixed_reference_instruments_with_owner_provider_and_licence(server, client):
    stations = source_at(server, client, KATHMANDU).fetch_stations()
    assert stations.to_dicts() == [
        {
            "station_id": "openaq-3459",
            "name": "Embassy Kathmandu",
            "latitude": 27.738703,
            "longitude": 85.336206,
            "timezone": "Asia/Kathmandu",
            "source": "openaq",
            "attribution": "Bureau of Clean Air, AirNow, via OpenAQ; licence US Public Domain",
            "licence": "US Public Domain",
        }
    ]


def test_a_licence_that_is_not_stated_is_not_invented(server, client):
    station = source_at(server, client, Listed(("235",))).fetch_stations().row(0, named=True)
    assert station["attribution"] == "Unknown Governmental Organization, AirNow, via OpenAQ; licence not stated"
    assert station["licence"] == "not stated"


def test_low_cost_sensors_come_when_listed_by_id(server, client):
    stations = source_at(server, client, Listed(("1236017", "3459"))).fetch_stations()
    assert stations["station_id"].to_list() == ["openaq-1236017", "openaq-3459"]


@pytest.mark.parametrize("coordinates", [b"null", b'{"latitude": null, "longitude": null}'])
def test_a_station_that_lies_nowhere_is_left_out(server, client, coordinates: bytes):
    placed = b'{"latitude": 27.738703, "longitude": 85.336206}'
    server.breaks(Altered(lambda body: body.replace(placed, coordinates)))
    with pytest.raises(SourceRefused, match="no reference station"):
        source_at(server, client, KATHMANDU).fetch_stations()


def test_a_box_is_requested_west_first(server, client):
    stations = source_at(server, client, Box(west=-119, south=33, east=-117, north=35)).fetch_stations()
    assert stations["station_id"].to_list() == ["openaq-7936"]
    assert server.requests[0].params["bbox"] == "-119.0,33.0,-117.0,35.0"


def test_a_circle_is_requested_latitude_first_in_metres(server, client):
    source_at(server, client, LOS_ANGELES).fetch_stations()
    assert server.requests[0].params["coordinates"] == "34.0664,-118.2268"
    assert server.requests[0].params["radius"] == "20000"


def test_a_station_silent_for_years_comes_only_when_listed(server, client):
    assert source_at(server, client, DELHI).fetch_stations()["station_id"].to_list() == ["openaq-235"]
    assert source_at(server, client, Listed(("236",))).fetch_stations()["station_id"].to_list() == ["openaq-236"]


def test_an_area_without_stations_is_refused(server, client):
    with pytest.raises(SourceRefused, match=r"no reference station that measures pm25.* in Circle"):
        source_at(server, client, Circle(0, 0, 10)).fetch_stations()


def test_without_a_key_nothing_is_requested(server, client):
    with pytest.raises(SourceRefused, match="needs a key; set HAZECAST_OPENAQ_API_KEY"):
        source_at(server, client, DELHI, api_key="").fetch_stations()
    assert not server.requests


def test_a_wrong_key_is_refused_with_the_remedy_and_never_shown(server, client):
    with pytest.raises(SourceRefused, match=r"HTTP 401 Invalid credentials.*set HAZECAST_OPENAQ_API_KEY") as raised:
        source_at(server, client, DELHI, api_key="wr0ng").fetch_stations()
    assert "wr0ng" not in str(raised.value)


def test_pages_are_followed_to_the_end_without_a_total_count(server, clock):
    since, until = NOW.replace(minute=0) - 100 * HOUR, NOW.replace(minute=0) - HOUR
    minutely = Station(11, "X", 1.0, 1.0, "UTC", (Sensor(110, "pm25", "µg/m³", 9.0),), step=2)
    server.stations = (minutely,)
    with HttpClient(clock=clock, sleep=clock.sleep) as client:
        observed = source_at(server, client, minutely).fetch_observations(since=since, until=until)
    assert rows_of(observed) == pytest.approx(expected(minutely, since, until), rel=1e-4)
    pages = [request.params["page"] for request in server.requests if "measurements" in request.path]
    assert pages == ["1", "2", "3", "4"]


def test_a_full_last_page_is_followed_by_an_empty_one(server, client):
    """2000 locations fill two pages exactly; the third is empty and ends it."""
    sensors = (Sensor(1, "pm25", "µg/m³", 9.0),)
    server.stations = tuple(Station(n, f"S{n}", 1.0, 1.0, "UTC", sensors) for n in range(2000))
    assert source_at(server, client, Circle(1.0, 1.0, 5)).fetch_stations().height == 2000
    assert len(server.requests) == 3


def test_stations_that_ended_before_are_not_requested(server, client):
    source = source_at(server, client, Listed((str(CLOSED.location_id), str(DELHI.location_id))), pollutants=("pm25",))
    source.fetch_observations(since=NOW - 3 * HOUR, until=NOW)
    assert [request.path for request in server.requests if "sensors" in request.path] == [
        "/v3/sensors/12234787/measurements"
    ]


def test_an_exhausted_key_waits_until_its_reset(server, client, clock: Clock):
    spent = Reply.of_json({"detail": "Too many requests"}, status=429, headers={"x-ratelimit-reset": "37"})
    server.breaks(Instead(spent), times=1)
    assert source_at(server, client, DELHI).fetch_stations().height == 1
    assert clock.slept == [37]


def test_it_pauses_before_the_key_is_refused(server, client, clock: Clock):
    server.used = 59
    source = source_at(server, client, DELHI, pollutants=("pm25",))
    source.fetch_stations()
    assert clock.slept == []
    source.fetch_observations(since=NOW - 2 * HOUR, until=NOW)
    assert clock.slept == [37]


def test_a_circle_wider_than_the_service_allows_is_refused_before_any_request():
    with pytest.raises(ValueError, match="less than or equal to 25"):
        Circle(28.6, 77.3, 40)


@pytest.mark.parametrize(
    "body",
    [b'{"meta": {}}', b'{"results": 7}', b'{"results": [{"id": 1}]}', b"[]", b'{"results": [null]}', b'{"results": ['],
)
def test_a_response_of_another_shape_is_refused(server, client, body: bytes):
    server.breaks(Altered(lambda _: body))
    with pytest.raises(SourceUnavailable, match="openaq: malformed response"):
        source_at(server, client, DELHI).fetch_stations()


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[: len(body) // 2],
        lambda body: b"<html>maintenance</html>",
        lambda body: Reply.of_gzip("location_id,value\n1,2\n").body,
    ],
    ids=["cut", "a web page", "other columns"],
)
def test_a_broken_day_of_the_archive_is_not_partly_used(server, client, change):
    server.breaks(Altered(change), when=lambda request: request.path.startswith("/records"))
    since = datetime(2026, 1, 5, tzinfo=UTC)
    with pytest.raises(SourceUnavailable, match="openaq-archive: malformed response: not a day of the archive"):
        source_at(server, client, KATHMANDU).fetch_observations(since=since, until=since + HOUR)


def test_an_unchanged_day_of_the_archive_is_not_sent_again(server, tmp_path: Path):
    since = datetime(2026, 1, 5, tzinfo=UTC)
    with HttpClient(cache_folder=tmp_path, clock=lambda: NOW) as client:
        source = source_at(server, client, KATHMANDU)
        first, second = (source.fetch_observations(since=since, until=since + 5 * HOUR) for _ in range(2))
    assert first.height == 10
    assert first.equals(second)
    days = [request for request in server.requests if request.path.startswith("/records")]
    assert [("if-none-match" in request.headers) for request in days] == [False, True]


def test_it_has_no_weather(server, client):
    assert source_at(server, client, DELHI).fetch_weather(since=NOW - HOUR, until=NOW).is_empty()
