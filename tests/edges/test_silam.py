"""SILAM by WFS: its run as it was issued, its failures as they are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from servers.base import Cut, Instead, Late, Reply, Reset
from servers.silam import SilamServer, exception, level, with_nan

from hazecast.errors import SourceRefused, SourceUnavailable
from hazecast.sources.http import HttpClient, RetryPolicy
from hazecast.sources.silam import SilamForecast

NOW = datetime(2026, 3, 10, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
POINTS = pl.DataFrame({"station_id": ["fmi-100662", "delhi"], "latitude": [60.19, 28.6], "longitude": [24.95, 77.2]})
QUICK = RetryPolicy(connect_seconds=5, read_seconds=5, total_seconds=10, attempts=2, backoff_seconds=0.001)
SHORT_TIMEOUT = RetryPolicy(connect_seconds=5, read_seconds=0.3, total_seconds=10, attempts=2, backoff_seconds=0.001)


@pytest.fixture
def server() -> Iterator[SilamServer]:
    with SilamServer(now=NOW) as running:
        yield running


def fetch(server: SilamServer, *, now: datetime = NOW, retry_policy: RetryPolicy = QUICK) -> pl.DataFrame:
    with HttpClient(retry_policy=retry_policy) as client:
        return SilamForecast(client, url=server.base_url).fetch_background(POINTS, now=now)


def test_the_run_is_kept_by_its_issue_for_stations_in_europe(server: SilamServer):
    rows = fetch(server)
    assert rows["station_id"].unique().to_list() == ["fmi-100662"]
    assert rows["issued_at"].unique().to_list() == [NOW.replace(hour=0, minute=0)]
    assert rows["available_at"].unique().to_list() == [NOW]
    assert rows["source"].unique().to_list() == ["silam"]
    assert (rows["valid_at"].min(), rows["valid_at"].max()) == (
        NOW.replace(minute=0),
        NOW.replace(hour=0, minute=0) + 95 * HOUR,
    )
    assert set(rows["pollutant"]) == {"pm25", "pm10", "no2", "o3", "so2"}
    assert len(server.requests) == 1


def test_an_hour_is_the_mean_of_its_two_ends(server: SilamServer):
    rows = fetch(server).filter(pl.col("pollutant") == "o3", pl.col("valid_at") == NOW.replace(minute=0))
    ends = [level("O3Concentration", NOW.replace(hour=hour)) for hour in (11, 12)]
    assert rows["concentration_ugm3"].to_list() == [sum(ends) / 2]


def test_a_missing_value_is_a_missing_hour(server: SilamServer):
    whole = fetch(server).filter(pl.col("pollutant") == "pm25").height
    midnight = NOW + timedelta(days=1)
    server.breaks(with_nan())
    hurt = fetch(server).filter(pl.col("pollutant") == "pm25")
    assert hurt.height == whole - 2
    assert midnight.replace(hour=0, minute=0) not in hurt["valid_at"]


def test_a_replayed_clock_knows_nothing(server: SilamServer):
    assert fetch(server, now=NOW - timedelta(days=30)).is_empty()


FAILURES = {
    "exception with 400": (Instead(exception("Unknown parameter")), SourceRefused, "400 Unknown parameter"),
    "exception with 200": (Instead(exception("No data", status=200)), SourceRefused, "SILAM: No data"),
    "503": (Instead(Reply.of_text("busy", status=503)), SourceUnavailable, "HTTP 503 busy"),
    "not XML": (Instead(Reply.of_text("<html>")), SourceUnavailable, "not XML"),
    "a web page": (Instead(Reply.of_text("<html/>")), SourceUnavailable, "no WFS response but html"),
    "cut off": (Cut(), SourceUnavailable, "no response"),
    "reset": (Reset(), SourceUnavailable, "no response"),
    "too slow": (Late(0.8), SourceUnavailable, "no response"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_raises(failure: str, server: SilamServer):
    fault, error, message = FAILURES[failure]
    server.breaks(fault)
    with pytest.raises(error, match=message):
        fetch(server, retry_policy=SHORT_TIMEOUT if failure == "too slow" else QUICK)


def test_an_empty_collection_is_nothing(server: SilamServer):
    server.breaks(
        Instead(Reply.of_text('<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0"/>', kind="text/xml"))
    )
    assert fetch(server).is_empty()
