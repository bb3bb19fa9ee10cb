"""OpenAQ as a source, against a server that speaks its API v3 and serves its archive."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers.base import Altered, Instead, Reply
from servers.openaq import (
    CLOSED,
    DELHI,
    KATHMANDU,
    KEY,
    LOS_ANGELES,
    LOW_COST,
    OpenAQServer,
    Sensor,
    Station,
    raw_truth,
)

from hazecast.errors import SourceRefused, SourceUnavailable
from hazecast.sources.area import Area, Box, Circle, Listed
from hazecast.sources.http import HttpClient, Patience
from hazecast.sources.openaq import OpenAQSource

NOW = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
UGM3 = {  # of one unit, at 25 °C where it is a mixing ratio (rounded factors of the conversion tables)
    ("o3", "ppm"): 1961.9,
    ("no2", "ppm"): 1880.4,
    ("co", "ppm"): 1144.9,
    ("so2", "ppb"): 2.6185,
    ("co", "mg/m³"): 1000.0,
}


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, now: datetime) -> None:
        self.now, self.slept = now, 0.0

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def server() -> Iterator[OpenAQServer]:
    with OpenAQServer(now=NOW) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def client(clock: Clock) -> Iterator[HttpClient]:
    with HttpClient(patience=Patience(attempts=2, backoff_seconds=0.001), clock=clock, sleep=clock.sleep) as made:
        yield made


def source_at(server: OpenAQServer, client: HttpClient, area: Area | Station, **kwargs: object) -> OpenAQSource:
    where = Circle(area.latitude, area.longitude, 20) if isinstance(area, Station) else area
    arguments = {"api_key": KEY, "base_url": server.base_url, "archive_url": server.url, **kwargs}
    return OpenAQSource(client, area=where, **arguments)


def rows_of(frame: pl.DataFrame) -> dict[tuple[str, str, datetime], float]:
    return {(row[0], row[1], row[2]): row[3] for row in frame.iter_rows()}


def expected(station: Station, since: datetime, until: datetime) -> dict[tuple[str, str, datetime], float]:
    """Hour by hour, from the periods that start in it: the long way round."""
    values = {}
    for number in range((until - since) // HOUR):
        hour = since + number * HOUR
        offset = station.zone.utcoffset(hour.replace(tzinfo=None)) % HOUR
        starts = [hour + timedelta(minutes=minute) for minute in range(60)]
        starts = [s for s in starts if (s + offset).minute % station.step == 0]
        for sensor in station.sensors:
            if sensor.parameter in ("pm25", "pm10", "no2", "o3", "so2", "co"):
                mean = sum(raw_truth(sensor, start) for start in starts) / len(starts)
                key = (f"openaq-{station.location_id}", sensor.parameter, hour)
                values[key] = mean * UGM3.get((sensor.parameter, sensor.units), 1.0)
    return values


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


def test_a_box_is_asked_for_west_first(server, client):
    stations = source_at(server, client, Box(west=-119, south=33, east=-117, north=35)).fetch_stations()
    assert stations["station_id"].to_list() == ["openaq-7936"]
    assert server.asked[0].params["bbox"] == "-119,33,-117,35"


def test_a_circle_is_asked_for_latitude_first_in_metres(server, client):
    source_at(server, client, LOS_ANGELES).fetch_stations()
    assert server.asked[0].params["coordinates"] == "34.0664,-118.2268"
    assert server.asked[0].params["radius"] == "20000"


def test_a_station_silent_for_years_comes_only_when_listed(server, client):
    assert source_at(server, client, DELHI).fetch_stations()["station_id"].to_list() == ["openaq-235"]
    assert source_at(server, client, Listed(("236",))).fetch_stations()["station_id"].to_list() == ["openaq-236"]


def test_where_nobody_measures_is_refused(server, client):
    with pytest.raises(SourceRefused, match=r"no reference station that measures pm25.* in Circle"):
        source_at(server, client, Circle(0, 0, 10)).fetch_stations()


def test_without_a_key_nothing_is_asked(server, client):
    with pytest.raises(SourceRefused, match="needs a key; set HAZECAST_OPENAQ_API_KEY"):
        source_at(server, client, DELHI, api_key="").fetch_stations()
    assert not server.asked


def test_a_wrong_key_is_refused_with_the_remedy_and_never_shown(server, client):
    with pytest.raises(SourceRefused, match=r"HTTP 401 Invalid credentials.*set HAZECAST_OPENAQ_API_KEY") as raised:
        source_at(server, client, DELHI, api_key="wr0ng").fetch_stations()
    assert "wr0ng" not in str(raised.value)


@pytest.mark.parametrize("station", [LOS_ANGELES, KATHMANDU, DELHI], ids=lambda station: station.timezone)
def test_recent_hours_in_ugm3_named_by_their_start(server, client, station: Station):
    """Los Angeles reports ppm, Kathmandu between the UTC hours, Delhi every 15 minutes in mg/m³, ppb and a Greek mu."""
    since, until = datetime(2026, 2, 28, 20, tzinfo=UTC), datetime(2026, 3, 1, 11, tzinfo=UTC)
    observed = source_at(server, client, station).fetch_observations(since=since, until=until)
    wanted = expected(station, since, until)
    assert rows_of(observed) == pytest.approx(wanted, rel=1e-4)
    assert observed.height == len(wanted) == 15 * observed["pollutant"].n_unique()


@pytest.mark.parametrize("station", [LOS_ANGELES, KATHMANDU, DELHI], ids=lambda station: station.timezone)
def test_old_hours_from_the_archive_are_the_same_as_from_the_api(client, station: Station):
    """Until 18:00 UTC: the last hour's period ends in Kathmandu's next day, in the next file."""
    since, until = datetime(2025, 12, 30, 20, tzinfo=UTC), datetime(2026, 1, 2, 18, tzinfo=UTC)

    def fetched(now: datetime) -> tuple[pl.DataFrame, set[str]]:
        with OpenAQServer(now=now) as server, HttpClient(clock=lambda: now) as client:
            observed = source_at(server, client, station).fetch_observations(since=since, until=until)
            return observed, {asked.path.split("/")[1] for asked in server.asked if "locations" not in asked.path}

    live, live_paths = fetched(until + 2 * HOUR)
    old, old_paths = fetched(until + timedelta(days=60))
    assert (live_paths, old_paths) == ({"v3"}, {"records"})
    assert old.sort("pollutant", "observed_at").equals(live.sort("pollutant", "observed_at"))


@pytest.mark.parametrize(
    ("station", "day"),
    [
        (LOS_ANGELES, "2025-03-09"),
        (LOS_ANGELES, "2025-11-02"),
        (KATHMANDU, "2025-03-30"),
        (KATHMANDU, "2025-10-26"),
    ],
    ids=lambda given: getattr(given, "timezone", given),
)
def test_a_change_of_the_clock_neither_drops_nor_doubles_an_hour(server, client, station: Station, day: str):
    """Los Angeles changes on these days; in Kathmandu nothing happens when Europe does."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(station.timezone))
    start = midnight.astimezone(UTC).replace(minute=0)
    since, until = start - 5 * HOUR, start + 30 * HOUR
    observed = source_at(server, client, station).fetch_observations(since=since, until=until)
    assert rows_of(observed) == pytest.approx(expected(station, since, until), rel=1e-4)
    assert observed.select("pollutant", "observed_at").is_unique().all()


def test_daily_means_in_the_archive_are_not_taken_for_hours(server, client):
    daily = Station(12, "Filters", 1.0, 1.0, "UTC", (Sensor(120, "pm10", "µg/m³", 30.0),), step=24 * 60)
    server.stations = (daily,)
    since = datetime(2026, 1, 5, tzinfo=UTC)
    observed = source_at(server, client, daily).fetch_observations(since=since, until=since + timedelta(days=20))
    assert sum(asked.path.startswith("/records") for asked in server.asked) == 21
    assert observed.is_empty()


def test_the_seam_between_archive_and_api_has_no_gap(server, client):
    since, until = datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 3, 1, 11, tzinfo=UTC)
    observed = source_at(server, client, KATHMANDU).fetch_observations(since=since, until=until)
    assert rows_of(observed) == pytest.approx(expected(KATHMANDU, since, until), rel=1e-4)


def test_pages_are_followed_to_the_end_though_nobody_says_how_many(server, clock):
    since, until = NOW.replace(minute=0) - 100 * HOUR, NOW.replace(minute=0) - HOUR
    minutely = Station(11, "X", 1.0, 1.0, "UTC", (Sensor(110, "pm25", "µg/m³", 9.0),), step=2)
    server.stations = (minutely,)
    with HttpClient(clock=clock, sleep=clock.sleep) as client:
        observed = source_at(server, client, minutely).fetch_observations(since=since, until=until)
    assert rows_of(observed) == pytest.approx(expected(minutely, since, until), rel=1e-4)
    asked = [asked.params["page"] for asked in server.asked if "measurements" in asked.path]
    assert asked == ["1", "2", "3", "4"]


def test_a_full_last_page_is_followed_by_an_empty_one(server, client):
    """2000 locations fill two pages exactly; the third is empty and ends it."""
    sensors = (Sensor(1, "pm25", "µg/m³", 9.0),)
    server.stations = tuple(Station(n, f"S{n}", 1.0, 1.0, "UTC", sensors) for n in range(2000))
    assert source_at(server, client, Circle(1.0, 1.0, 5)).fetch_stations().height == 2000
    assert len(server.asked) == 3


def test_an_hour_needs_three_quarters_of_its_values(server, client):
    hour = datetime(2026, 3, 1, 5, tzinfo=UTC)
    sensor = DELHI.sensors[0]
    quarter = timedelta(minutes=15)
    server.revised |= {(sensor.sensor_id, hour): None}
    server.revised |= {(sensor.sensor_id, hour + HOUR + quarter * n): None for n in range(2)}
    source = source_at(server, client, DELHI, pollutants=("pm25",))
    observed = rows_of(source.fetch_observations(since=hour, until=hour + 2 * HOUR))
    three = [raw_truth(sensor, hour + quarter * n) for n in (1, 2, 3)]
    assert observed == pytest.approx({("openaq-235", "pm25", hour): sum(three) / 3})


def test_a_sentinel_is_neither_averaged_nor_converted_but_kept_for_the_checks(server, client):
    hour = datetime(2026, 3, 1, 5, tzinfo=UTC)
    ozone, nitrogen = LOS_ANGELES.sensors[:2]
    server.revised |= {(ozone.sensor_id, hour): -999.0, (nitrogen.sensor_id, hour): None}
    observed = rows_of(source_at(server, client, LOS_ANGELES).fetch_observations(since=hour, until=hour + HOUR))
    assert observed["openaq-7936", "o3", hour] == -999.0
    assert ("openaq-7936", "no2", hour) not in observed
    pm25 = DELHI.sensors[0]
    server.revised[pm25.sensor_id, hour] = -999.0
    source = source_at(server, client, DELHI, pollutants=("pm25",))
    three = [raw_truth(pm25, hour + timedelta(minutes=15 * n)) for n in (1, 2, 3)]
    assert list(rows_of(source.fetch_observations(since=hour, until=hour + HOUR)).values()) == [
        pytest.approx(sum(three) / 3)
    ]


def test_late_and_revised_values_come_with_the_next_fetch(server, client):
    hour, sensor = datetime(2026, 3, 1, 5, tzinfo=UTC), KATHMANDU.sensors[0]
    start = hour + timedelta(minutes=15)
    source = source_at(server, client, KATHMANDU, pollutants=("pm25",))
    server.revised[sensor.sensor_id, start] = None
    assert source.fetch_observations(since=hour, until=hour + HOUR).is_empty()
    server.revised[sensor.sensor_id, start] = 77.0
    fetched = source.fetch_observations(since=hour, until=hour + HOUR)
    assert rows_of(fetched) == {("openaq-3459", "pm25", hour): 77.0}
    assert fetched["available_at"].to_list() == [start + 2 * HOUR]


def test_of_two_instruments_for_one_pollutant_the_newer_counts(server, client):
    twins = (Sensor(10, "o3", "µg/m³", 50.0), Sensor(20, "o3", "ppm", 0.03))
    server.stations = (Station(5, "Twins", 1.0, 1.0, "UTC", twins),)
    hour = datetime(2026, 3, 1, 5, tzinfo=UTC)
    observed = source_at(server, client, Circle(1, 1, 5)).fetch_observations(since=hour, until=hour + HOUR)
    assert observed["concentration_ugm3"].to_list() == [pytest.approx(raw_truth(twins[1], hour) * 1961.9, rel=1e-4)]


def test_a_unit_that_means_nothing_is_left_out_and_said(server, client, caplog):
    sensors = (Sensor(10, "pm25", "ppm", 50.0), Sensor(20, "o3", "furlongs", 1.0), Sensor(30, "no2", "ppb", 12.0))
    server.stations = (Station(5, "Odd", 1.0, 1.0, "UTC", sensors),)
    hour = datetime(2026, 3, 1, 5, tzinfo=UTC)
    with caplog.at_level(logging.WARNING):
        observed = source_at(server, client, Circle(1, 1, 5)).fetch_observations(since=hour, until=hour + HOUR)
    assert observed["pollutant"].to_list() == ["no2"]
    assert "sensor 10 gives pm25 in ppm" in caplog.text
    assert "sensor 20 gives o3 in furlongs" in caplog.text


def test_stations_that_ended_before_are_not_asked(server, client):
    source = source_at(server, client, Listed((str(CLOSED.location_id), str(DELHI.location_id))), pollutants=("pm25",))
    source.fetch_observations(since=NOW - 3 * HOUR, until=NOW)
    assert [asked.path for asked in server.asked if "sensors" in asked.path] == ["/v3/sensors/12234787/measurements"]


def test_a_low_cost_sensor_counts_particles_too_but_only_pollutants_are_kept(server, client):
    since, until = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC)
    observed = source_at(server, client, Listed(("1236017",))).fetch_observations(since=since, until=until)
    assert rows_of(observed) == pytest.approx(expected(LOW_COST, since, until))


def test_no_window_is_nothing(server, client):
    assert source_at(server, client, DELHI).fetch_observations(since=NOW, until=NOW).is_empty()


def test_a_spent_key_waits_as_long_as_the_service_says(server, client, clock: Clock):
    spent = Reply.of_json({"detail": "Too many requests"}, status=429, headers={"x-ratelimit-reset": "37"})
    server.breaks(Instead(spent), times=1)
    assert source_at(server, client, DELHI).fetch_stations().height == 1
    assert clock.slept == 37


def test_it_pauses_before_the_key_is_refused(server, client, clock: Clock):
    server.used = 59
    source = source_at(server, client, DELHI, pollutants=("pm25",))
    source.fetch_stations()
    assert clock.slept == 0
    source.fetch_observations(since=NOW - 2 * HOUR, until=NOW)
    assert clock.slept == 37


def test_a_query_that_is_wrong_is_refused_in_the_words_of_the_service(server, client):
    with pytest.raises(
        SourceRefused, match=r"HTTP 422 query\.radius: ensure this value is less than or equal to 25000"
    ):
        source_at(server, client, Circle(28.6, 77.3, 40)).fetch_stations()


@pytest.mark.parametrize(
    "body",
    [b'{"meta": {}}', b'{"results": 7}', b'{"results": [{"id": 1}]}', b"[]", b'{"results": [null]}', b'{"results": ['],
)
def test_an_answer_of_another_shape_is_not_believed(server, client, body: bytes):
    server.breaks(Altered(lambda _: body))
    with pytest.raises(SourceUnavailable, match="openaq: broken answer"):
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
def test_a_broken_day_of_the_archive_is_not_half_believed(server, client, change):
    server.breaks(Altered(change), when=lambda asked: asked.path.startswith("/records"))
    since = datetime(2026, 1, 5, tzinfo=UTC)
    with pytest.raises(SourceUnavailable, match="openaq-archive: broken answer: not a day of the archive"):
        source_at(server, client, KATHMANDU).fetch_observations(since=since, until=since + HOUR)


def test_an_unchanged_day_of_the_archive_is_not_sent_again(server, tmp_path: Path):
    since = datetime(2026, 1, 5, tzinfo=UTC)
    with HttpClient(cache_folder=tmp_path, clock=lambda: NOW) as client:
        source = source_at(server, client, KATHMANDU)
        first, second = (source.fetch_observations(since=since, until=since + 5 * HOUR) for _ in range(2))
    assert first.height == 10
    assert first.equals(second)
    days = [asked for asked in server.asked if asked.path.startswith("/records")]
    assert [("if-none-match" in asked.headers) for asked in days] == [False, True]


def test_it_has_no_weather(server, client):
    assert source_at(server, client, DELHI).fetch_weather(since=NOW - HOUR, until=NOW).is_empty()
