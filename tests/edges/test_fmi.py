"""FMI as a source, against a WFS test server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import isnan
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers.base import Altered, Instead
from servers.fmi import AIR_STATIONS, FmiServer, air_truth, at, collection, exception, weather_truth

from hazecast.errors import SourceRefused, SourceUnavailable
from hazecast.sources.area import Box, Circle, Listed
from hazecast.sources.fmi import FmiSource
from hazecast.sources.http import HttpClient, RetryPolicy

HELSINKI = Box(west=24.5, south=60.1, east=25.3, north=60.4)
NOW = at("2026-03-01T12:00")
HOUR = timedelta(hours=1)


@pytest.fixture
def server() -> Iterator[FmiServer]:
    with FmiServer(now=NOW) as running:
        yield running


@pytest.fixture
def source(server: FmiServer) -> Iterator[FmiSource]:
    with HttpClient(retry_policy=RetryPolicy(attempts=2, backoff_seconds=0.001)) as client:
        yield FmiSource(client, area=HELSINKI, base_url=server.base_url)


def rows_of(frame: pl.DataFrame) -> dict[tuple[str, str, datetime], float]:
    return {(row[0], row[1], row[2]): row[3] for row in frame.iter_rows()}


def expected(since: datetime, until: datetime) -> dict[tuple[str, str, datetime], float]:
    names = {"pm25": "PM25", "pm10": "PM10", "no2": "NO2", "o3": "O3", "so2": "SO2", "co": "CO"}
    hours = [since + HOUR * number for number in range((until - since) // HOUR)]
    values = {
        (f"fmi-{fmisid}", pollutant, hour): air_truth(fmisid, name, hour)
        for fmisid in ("100662", "100742")
        for pollutant, name in names.items()
        for hour in hours
    }
    return {key: value for key, value in values.items() if not isnan(value)}


def test_stations_lie_in_the_area_and_credit_their_owners(source: FmiSource):
    stations = source.fetch_stations()
    assert stations["station_id"].to_list() == ["fmi-100662", "fmi-100742"]
    assert stations["name"].to_list() == ["Helsinki Kallio 2", "Helsinki Mannerheimintie"]
    assert stations["latitude"].to_list() == [60.18739, 60.16964]
    assert stations["timezone"].unique().to_list() == ["Europe/Helsinki"]
    assert "CC BY 4.0" in stations["attribution"][0]


@pytest.mark.parametrize(
    "area", [Listed(("103097",)), Circle(62.9, 27.6, radius_km=10)], ids=["listed", "near a point"]
)
def test_stations_may_be_listed_or_near_a_point(server: FmiServer, area):
    with HttpClient() as client:
        stations = FmiSource(client, area=area, base_url=server.base_url).fetch_stations()
    assert stations["name"].to_list() == ["Kuopio Kasarmipuisto"]


def test_a_station_without_a_position_is_left_out(source: FmiSource, server: FmiServer):
    server.breaks(Altered(lambda body: body.replace(b"<gml:pos>60.187390 24.950600</gml:pos>", b"")), times=1)
    assert source.fetch_stations()["station_id"].to_list() == ["fmi-100742"]


def test_an_area_without_stations_is_refused(server: FmiServer):
    with HttpClient() as client, pytest.raises(SourceRefused, match="no air-quality station in Listed"):
        FmiSource(client, area=Listed(("1",)), base_url=server.base_url).fetch_stations()


def test_an_hour_is_named_by_its_start(source: FmiSource, server: FmiServer):
    since, until = at("2026-02-28T20:00"), at("2026-03-01T03:00")
    observed = source.fetch_observations(since=since, until=until)
    assert rows_of(observed) == expected(since, until)
    request = server.requests[-1].params
    assert (request["starttime"], request["endtime"]) == ("2026-02-28T21:00:00Z", "2026-03-01T03:00:00Z")


def test_months_come_week_by_week_without_a_gap_or_a_repeat(source: FmiSource, server: FmiServer):
    since, until = at("2025-12-20T05:00"), at("2026-03-01T12:00")
    observed = source.fetch_observations(since=since, until=until)
    assert rows_of(observed) == expected(since, until)
    assert observed.select("station_id", "pollutant", "observed_at").is_unique().all()
    assert len(server.requests) == 1 + 11


@pytest.mark.parametrize("day", ["2025-03-30", "2025-10-26"], ids=["spring", "autumn"])
def test_a_change_of_the_clock_in_helsinki_moves_nothing(source: FmiSource, day: str):
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Helsinki"))
    since, until = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
    observed = source.fetch_observations(since=since, until=until)
    hours = 23 if day == "2025-03-30" else 25
    assert observed.filter(pl.col("station_id") == "fmi-100662", pl.col("pollutant") == "no2").height == hours
    assert rows_of(observed) == expected(since, until)


def test_no_window_is_no_request(source: FmiSource):
    assert source.fetch_observations(since=NOW, until=NOW).is_empty()


def test_the_future_is_empty(source: FmiSource):
    assert source.fetch_observations(since=NOW, until=NOW + 3 * HOUR).is_empty()


def test_missing_is_absent_and_a_sentinel_stays_for_the_checks(source: FmiSource, server: FmiServer):
    hour = at("2026-03-01T05:00")
    server.revised |= {("100662", "PM25", hour): float("nan"), ("100662", "NO2", hour): -999.0}
    observed = rows_of(source.fetch_observations(since=hour, until=hour + HOUR))
    assert ("fmi-100662", "pm25", hour) not in observed
    assert observed["fmi-100662", "no2", hour] == -999.0


def test_what_was_revised_or_late_comes_with_the_next_fetch(source: FmiSource, server: FmiServer):
    hour = at("2026-03-01T05:00")
    server.revised["100742", "PM10", hour] = float("nan")
    assert ("fmi-100742", "pm10", hour) not in rows_of(source.fetch_observations(since=hour, until=NOW))
    server.revised["100742", "PM10", hour] = 33.3
    assert rows_of(source.fetch_observations(since=hour, until=NOW))["fmi-100742", "pm10", hour] == 33.3


def test_carbon_monoxide_in_milligrams_is_seen_by_its_magnitude(source: FmiSource, server: FmiServer):
    since = at("2026-03-01T00:00")
    hours = [since + HOUR * number for number in range(6)]
    server.revised |= {("100742", "CO", hours[n]): value for n, value in enumerate([0.2, 0.3, 0.0, 1.4, 0.2, -999.0])}
    observed = rows_of(source.fetch_observations(since=since, until=hours[-1] + HOUR))
    assert [observed["fmi-100742", "co", hour] for hour in hours] == pytest.approx([200, 300, 0, 1400, 200, -999])


def test_an_observation_is_known_after_its_hour_has_ended(source: FmiSource):
    observed = source.fetch_observations(since=NOW - 3 * HOUR, until=NOW)
    delays = (observed["available_at"] - observed["observed_at"]).unique().to_list()
    assert delays == [timedelta(hours=1, minutes=40)]


def test_only_the_requested_pollutants(server: FmiServer):
    with HttpClient() as client:
        source = FmiSource(client, area=HELSINKI, pollutants=("o3",), base_url=server.base_url)
        observed = source.fetch_observations(since=NOW - HOUR, until=NOW)
    assert observed["pollutant"].unique().to_list() == ["o3"]


def test_weather_is_that_of_the_nearest_station(source: FmiSource):
    since = NOW - 2 * HOUR
    weather = source.fetch_weather(since=since, until=NOW)
    assert sorted(weather["station_id"].unique()) == ["fmi-100662", "fmi-100742"]
    first = weather.filter(pl.col("station_id") == "fmi-100662", pl.col("valid_at") == since).row(0, named=True)
    assert first["temperature_c"] == weather_truth("100971", "TA_PT1H_AVG", since)
    assert first["pressure_hpa"] == weather_truth("100971", "PA_PT1H_AVG", since)
    assert first["dew_point_c"] is None and first["issued_at"] is None


def test_where_no_weather_station_is_near_there_is_no_weather(source: FmiSource, server: FmiServer):
    server.breaks(Instead(collection([])), when=lambda request: request.params.get("networkid") == "121")
    assert source.fetch_weather(since=NOW - HOUR, until=NOW).is_empty()


def test_an_exception_document_in_place_of_data_is_refused_in_its_words(source: FmiSource, server: FmiServer):
    server.breaks(Instead(exception("OperationProcessingFailed", "Too long time interval requested!", status=200)))
    with pytest.raises(SourceRefused, match="fmi: exception in place of data: Too long time interval requested!"):
        source.fetch_stations()


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b"</gml:doubleOrNilReasonTupleList>", b" 1.0 2.0</gml:doubleOrNilReasonTupleList>"),
        lambda body: body.replace(b"</gml:doubleOrNil", b" 1 2 3 4 5 6 7 8 9</gml:doubleOrNil"),
        lambda body: body.replace(b"NaN", b"", 1),
        lambda body: body.replace(b"NaN", b"none", 1),
        lambda body: body.replace(b"point-100662", b"point-1").replace(b"60.18739 24.95060 <", b"60.1 24.9 <"),
        lambda body: body[:-40],
        lambda body: b"<html><body>maintenance</body></html>",
    ],
    ids=[
        "two values more",
        "a row more",
        "a value less",
        "not a number",
        "a position without station",
        "cut XML",
        "a web page",
    ],
)
def test_a_broken_table_is_never_partly_used(source: FmiSource, server: FmiServer, change):
    server.breaks(Altered(change), when=lambda request: "coverage" in request.params["storedquery_id"])
    with pytest.raises(SourceUnavailable, match="fmi: malformed response"):
        source.fetch_observations(since=NOW - 3 * HOUR, until=NOW)


def test_the_server_keeps_the_documented_limit(server: FmiServer):
    """The contract server itself: a week and an hour is refused, as by the real one."""
    import httpx

    params = {
        "storedquery_id": "urban::observations::airquality::hourly::multipointcoverage",
        "fmisid": next(iter(AIR_STATIONS)),
        "starttime": "2026-02-01T00:00:00Z",
        "endtime": "2026-02-08T01:00:00Z",
        "timestep": "60",
    }
    answer = httpx.get(server.base_url, params=params, trust_env=False)
    assert answer.status_code == 400
    assert "No more than 168.000000 hours allowed." in answer.text
