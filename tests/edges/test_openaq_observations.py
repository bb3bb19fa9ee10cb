"""OpenAQ as a source: raw values of API and archive become hours in µg/m³."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from openaq_requests import HOUR, NOW, client_at, expected, rows_of, source_at
from servers.clock import Clock
from servers.openaq import OpenAQServer
from servers.openaq_stations import DELHI, KATHMANDU, LOS_ANGELES, LOW_COST, Sensor, Station, raw_truth

from hazecast.air.indices import INDICES
from hazecast.quality import flag
from hazecast.sources.area import Circle, Listed
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
            return observed, {
                request.path.split("/")[1] for request in server.requests if "locations" not in request.path
            }

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
    assert sum(request.path.startswith("/records") for request in server.requests) == 21
    assert observed.is_empty()


@pytest.mark.parametrize("step_hours", [3, 8])
def test_means_over_several_hours_in_the_archive_are_not_taken_for_hours(server, client, step_hours: int):
    slow = Station(13, "Slow", 1.0, 1.0, "UTC", (Sensor(130, "pm10", "µg/m³", 30.0),), step=step_hours * 60)
    server.stations = (slow,)
    since = datetime(2026, 1, 5, tzinfo=UTC)
    observed = source_at(server, client, slow).fetch_observations(since=since, until=since + timedelta(days=9))
    assert observed.is_empty()


def test_what_openaq_flags_is_stored_as_invalid(server, client):
    hour, sensor = datetime(2026, 3, 1, 5, tzinfo=UTC), LOS_ANGELES.sensors[1]
    server.flagged.add((sensor.sensor_id, hour))
    source = source_at(server, client, LOS_ANGELES, pollutants=("no2",))
    observed = source.fetch_observations(since=hour - HOUR, until=hour + 2 * HOUR)
    rows = flag(observed, recent=None, now=NOW).rows.sort("observed_at")
    assert rows.select("flag", "flag_reasons").rows() == [("ok", ""), ("invalid", "reported"), ("ok", "")]


def test_the_seam_between_archive_and_api_has_no_gap(server, client):
    since, until = datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 3, 1, 11, tzinfo=UTC)
    observed = source_at(server, client, KATHMANDU).fetch_observations(since=since, until=until)
    assert rows_of(observed) == pytest.approx(expected(KATHMANDU, since, until), rel=1e-4)


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


def test_the_us_index_gets_back_the_ppm_that_were_reported(server, client):
    hour = datetime(2026, 3, 1, 5, tzinfo=UTC)
    server.revised[LOS_ANGELES.sensors[1].sensor_id, hour] = 0.100
    source = source_at(server, client, LOS_ANGELES, pollutants=("no2",))
    answer = INDICES["us-epa"].from_hourly(source.fetch_observations(since=hour, until=hour + HOUR), hour)
    assert (answer.value, answer.unit) == (100, "ppb")
    assert answer.concentration == pytest.approx(100)


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
    assert observed["concentration_ugm3"].to_list() == [pytest.approx(raw_truth(twins[1], hour) * 1995.3, rel=1e-4)]


def test_a_unit_that_means_nothing_is_left_out_and_logged(server, client, caplog):
    sensors = (Sensor(10, "pm25", "ppm", 50.0), Sensor(20, "o3", "furlongs", 1.0), Sensor(30, "no2", "ppb", 12.0))
    server.stations = (Station(5, "Odd", 1.0, 1.0, "UTC", sensors),)
    hour = datetime(2026, 3, 1, 5, tzinfo=UTC)
    with caplog.at_level(logging.WARNING):
        observed = source_at(server, client, Circle(1, 1, 5)).fetch_observations(since=hour, until=hour + HOUR)
    assert observed["pollutant"].to_list() == ["no2"]
    assert "sensor 10 gives pm25 in ppm" in caplog.text
    assert "sensor 20 gives o3 in furlongs" in caplog.text


def test_a_low_cost_sensor_counts_particles_too_but_only_pollutants_are_kept(server, client):
    since, until = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC)
    observed = source_at(server, client, Listed(("1236017",))).fetch_observations(since=since, until=until)
    assert rows_of(observed) == pytest.approx(expected(LOW_COST, since, until))


def test_no_window_is_nothing(server, client):
    assert source_at(server, client, DELHI).fetch_observations(since=NOW, until=NOW).is_empty()
