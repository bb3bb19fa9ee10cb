"""Open-Meteo: weather no better than it was known, CAMS as its own runs, and every documented failure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import polars as pl
import pytest
from servers.base import Altered, Cut, Instead, Late, Reset
from servers.open_meteo import (
    DEGREES_PER_HOUR,
    LIMITS,
    OpenMeteoServer,
    air_at,
    broken_in_midstream,
    limited,
    refused,
    unequal,
)

from hazecast.air.tables import Weather
from hazecast.errors import SourceRefused, SourceUnavailable
from hazecast.sources.http import HttpClient, RetryPolicy
from hazecast.sources.open_meteo import CamsForecast, OpenMeteo, OpenMeteoSource, OpenMeteoWeather
from hazecast.sources.open_meteo.api import Query
from hazecast.sources.open_meteo.source import Spot

NOW = datetime(2026, 3, 10, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POINTS = pl.DataFrame({"station_id": ["kallio", "tikkurila"], "latitude": [60.19, 60.29], "longitude": [24.95, 25.04]})
QUICK = RetryPolicy(connect_seconds=5, read_seconds=10, total_seconds=10, attempts=2, backoff_seconds=0.001)
SHORT_TIMEOUT = RetryPolicy(connect_seconds=5, read_seconds=0.3, total_seconds=10, attempts=2, backoff_seconds=0.001)


@pytest.fixture
def server() -> Iterator[OpenMeteoServer]:
    with OpenMeteoServer(NOW) as running:
        yield running


@pytest.fixture
def api(server: OpenMeteoServer) -> Iterator[OpenMeteo]:
    with HttpClient(retry_policy=QUICK) as client:
        yield OpenMeteo(client, url=server.url)


@pytest.fixture
def weather(api: OpenMeteo) -> OpenMeteoWeather:
    return OpenMeteoWeather(api)


def of(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    return rows.filter(pl.col("source") == f"open_meteo:ecmwf_ifs025:{kind}").sort(
        "station_id", "issued_at", "valid_at"
    )


def run_start(rows: pl.DataFrame) -> pl.Series:
    """When the run behind each row began: its temperature is its age."""
    return rows.select(
        pl.col("valid_at") - pl.duration(hours=(pl.col("temperature_c") / DEGREES_PER_HOUR).cast(pl.Int64))
    ).to_series()


def test_a_past_run_uses_only_runs_that_had_started_by_its_issue(weather: OpenMeteoWeather):
    rows = of(weather.at(POINTS, since=NOW - 20 * DAY, until=NOW - 13 * DAY), "previous_runs")
    assert rows["issued_at"].dt.hour().unique().sort().to_list() == [0, 12]
    ahead = (rows["valid_at"] - rows["issued_at"]).dt.total_hours()
    assert (ahead.min(), ahead.max()) == (0, 95)
    assert rows.height == 2 * 14 * 96
    assert (run_start(rows) <= rows["issued_at"]).all()
    assert (run_start(rows) >= rows["issued_at"] - DAY).all()
    assert (rows["available_at"] - rows["issued_at"]).unique().to_list() == [9 * HOUR]


def test_the_live_run_is_the_newest_with_its_availability(weather: OpenMeteoWeather):
    rows = of(weather.at(POINTS, since=NOW - 3 * DAY, until=NOW), "live")
    newest = NOW.replace(hour=0)
    assert rows["issued_at"].unique().to_list() == [newest]
    assert rows["available_at"].unique().to_list() == [newest + 8 * HOUR]
    assert (run_start(rows) == newest).all()
    assert rows.group_by("station_id").len()["len"].to_list() == [120, 120]


def test_history_has_no_live_run(weather: OpenMeteoWeather):
    assert of(weather.at(POINTS, since=NOW - 20 * DAY, until=NOW - 13 * DAY), "live").is_empty()


def test_the_analysis_ends_where_the_next_run_begins(weather: OpenMeteoWeather):
    rows = of(weather.at(POINTS, since=NOW - 3 * DAY, until=NOW), "analysis")
    assert rows["issued_at"].null_count() == rows.height
    assert rows["valid_at"].min() == NOW - 3 * DAY
    assert rows["valid_at"].max() == NOW.replace(hour=5)
    assert ((rows["available_at"] - rows["valid_at"]) == 9 * HOUR).all()
    assert rows["temperature_c"].max() < 6 * DEGREES_PER_HOUR


def test_no_run_is_made_up_before_those_behind_it_are_out(weather: OpenMeteoWeather):
    rows = weather.at(POINTS, since=NOW - 3 * DAY, until=NOW)
    assert of(rows, "previous_runs")["issued_at"].max() == NOW.replace(hour=12) - DAY
    assert of(rows, "previous_runs")["temperature_c"].null_count() == 0


def test_precipitation_is_named_by_the_start_of_its_hour(weather: OpenMeteoWeather):
    rows = of(weather.at(POINTS, since=NOW - 20 * DAY, until=NOW - 19 * DAY), "analysis")
    assert (rows["precipitation_mm"] == (rows["valid_at"].dt.hour().cast(pl.Float64) + 1) % 24).all()


def test_nothing_is_lost_or_doubled_between_windows(weather: OpenMeteoWeather):
    since, middle, until = NOW - 20 * DAY, NOW - 16 * DAY - 7 * HOUR, NOW - 13 * DAY
    whole = weather.at(POINTS, since=since, until=until)
    parts = pl.concat([weather.at(POINTS, since=since, until=middle), weather.at(POINTS, since=middle, until=until)])
    key = ["station_id", "issued_at", "valid_at", "source"]
    both = of(whole, "previous_runs")
    assert of(parts, "previous_runs").equals(both)
    assert not parts.select(key).is_duplicated().any()


def test_the_request_parameters(weather: OpenMeteoWeather, server: OpenMeteoServer):
    weather.at(POINTS, since=NOW - 20 * DAY, until=NOW - 19 * DAY)
    request = next(request for request in server.requests if "hourly" in request.params)
    assert request.params["models"] == "ecmwf_ifs025"
    assert request.params["timezone"] == "GMT"
    assert request.params["wind_speed_unit"] == "ms"
    assert request.params["cell_selection"] == "nearest"
    assert "temperature_2m_previous_day4" in request.params["hourly"]
    assert request.headers["user-agent"].startswith("hazecast/")


def test_a_station_without_coordinates_has_no_weather(weather: OpenMeteoWeather, server: OpenMeteoServer):
    nowhere = POINTS.with_columns(latitude=pl.lit(None, pl.Float64))
    assert weather.at(nowhere, since=NOW - 3 * DAY, until=NOW).equals(Weather.create_empty())
    assert server.requests == []


def test_runs_without_an_archive_are_not_requested(weather: OpenMeteoWeather, server: OpenMeteoServer):
    assert weather.at(POINTS, since=datetime(2015, 1, 1, tzinfo=UTC), until=datetime(2015, 2, 1, tzinfo=UTC)).is_empty()
    assert server.requests == []
    across = weather.at(POINTS, since=datetime(2015, 1, 1, tzinfo=UTC), until=datetime(2024, 1, 2, tzinfo=UTC))
    assert across["valid_at"].min() == datetime(2024, 1, 1, tzinfo=UTC)


def test_many_points_are_requested_in_batches(weather: OpenMeteoWeather, server: OpenMeteoServer):
    many = pl.DataFrame(
        {
            "station_id": [f"s{n}" for n in range(27)],
            "latitude": [60.0 + n / 1000 for n in range(27)],
            "longitude": 25.0,
        }
    )
    rows = weather.at(many, since=NOW - 20 * DAY, until=NOW - 20 * DAY + HOUR)
    assert rows["station_id"].n_unique() == 27
    assert [
        request.params["latitude"].count(",") + 1 for request in server.requests if "latitude" in request.params
    ] == [25, 2]


def test_a_background_run_starts_at_its_issue_and_ends_with_its_domain(api: OpenMeteo):
    rows = CamsForecast(api, "cams_europe").fetch_background(POINTS, now=NOW)
    issued = NOW.replace(hour=0)
    assert rows["issued_at"].unique().to_list() == [issued]
    assert rows["available_at"].unique().to_list() == [issued + 9 * HOUR]
    assert rows["source"].unique().to_list() == ["cams_europe"]
    assert (rows["valid_at"].min(), rows["valid_at"].max()) == (issued, issued + 95 * HOUR)
    assert rows.height == 2 * 6 * 96


def test_an_hour_is_the_mean_of_its_two_ends(api: OpenMeteo):
    rows = CamsForecast(api, "cams_global").fetch_background(POINTS, now=NOW)
    ten = rows.filter(pl.col("station_id") == "kallio", pl.col("valid_at") == NOW.replace(hour=10)).sort("pollutant")
    expected = {"pm25": "pm2_5", "pm10": "pm10", "co": "carbon_monoxide"}
    found = dict(zip(ten["pollutant"], ten["concentration_ugm3"], strict=True))
    for ours, theirs in expected.items():
        ends = [air_at(theirs, NOW.replace(hour=hour), 60.19) for hour in (10, 11)]
        assert found[ours] == pytest.approx(sum(ends) / 2)


def test_each_domain_is_requested_by_name(api: OpenMeteo, server: OpenMeteoServer):
    CamsForecast(api, "cams_global").fetch_background(POINTS, now=NOW)
    assert [request.params["domains"] for request in server.requests if "domains" in request.params] == ["cams_global"]


def test_a_replayed_clock_knows_no_background(api: OpenMeteo):
    assert CamsForecast(api, "cams_global").fetch_background(POINTS, now=NOW - 30 * DAY).is_empty()


def test_the_european_model_is_not_requested_for_delhi(api: OpenMeteo, server: OpenMeteoServer):
    delhi = pl.DataFrame({"station_id": ["delhi"], "latitude": [28.6], "longitude": [77.2]})
    assert CamsForecast(api, "cams_europe").fetch_background(delhi, now=NOW).is_empty()
    assert server.requests == []


@pytest.fixture
def stand_in(api: OpenMeteo) -> OpenMeteoSource:
    spots = [Spot("beijing-dongcheng", "Dongcheng", 39.93, 116.42)]
    return OpenMeteoSource(api, spots=spots, timezone="Asia/Shanghai", pollutants=["pm25", "o3"])


def test_model_data_in_place_of_observations_are_labelled(stand_in: OpenMeteoSource):
    rows = stand_in.fetch_observations(since=NOW - 3 * DAY, until=NOW)
    assert set(rows["source"]) == {"cams_model"} == set(stand_in.fetch_stations()["source"])
    assert "Model data, not measured" in stand_in.fetch_stations()["attribution"][0]
    assert set(rows["pollutant"]) == {"pm25", "o3"}
    assert rows.height == 2 * 72
    assert ((rows["available_at"] - rows["observed_at"]) == 12 * HOUR).all()


FAILURES = {
    "400 with a reason": (Instead(refused("No data is available for this location")), SourceRefused, "No data is"),
    "429 by the hour": (
        Instead(limited("hour")),
        SourceUnavailable,
        "Hourly API request limit.*try again after .*12:00",
    ),
    "429 by the day": (Instead(limited("day")), SourceUnavailable, "Daily.*try again after 2026-03-11 00:00"),
    "503": (
        Instead(refused("The service is overloaded", status=503)),
        SourceUnavailable,
        "503 The service is overloaded",
    ),
    "broken in mid-stream": (broken_in_midstream(), SourceUnavailable, "streaming data: timeoutReached"),
    "cut off": (Cut(), SourceUnavailable, "no response"),
    "reset": (Reset(), SourceUnavailable, "no response"),
    "too slow": (Late(0.8), SourceUnavailable, "no response"),
    "unequal arrays": (unequal(), SourceUnavailable, "arrays of unequal length"),
    "an error with HTTP 200": (
        Instead(refused("Timeout", status=200)),
        SourceUnavailable,
        "malformed response: Timeout",
    ),
    "other units": (
        Altered(lambda body: body.replace("μg/m³".encode(), b"ppb")),
        SourceRefused,
        "comes in 'ppb', expected 'µg/m³'",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_raises_and_nothing_is_filled_in(failure: str, server: OpenMeteoServer):
    fault, error, message = FAILURES[failure]
    server.breaks(fault, when=lambda request: request.path == "/v1/air-quality")
    retry_policy = SHORT_TIMEOUT if failure == "too slow" else QUICK
    with HttpClient(retry_policy=retry_policy, clock=lambda: NOW) as client:
        cams = CamsForecast(OpenMeteo(client, url=server.url), "cams_global")
        with pytest.raises(error, match=rf"(?s)Open-Meteo.*{message}"):
            cams.fetch_background(POINTS, now=NOW)


@pytest.mark.parametrize(
    "failure", [name for name, (_, error, _) in FAILURES.items() if error is SourceUnavailable and "429" not in name]
)
def test_a_passing_failure_is_overcome(failure: str, server: OpenMeteoServer):
    server.breaks(FAILURES[failure][0], times=1, when=lambda request: request.path == "/v1/air-quality")
    with HttpClient(retry_policy=SHORT_TIMEOUT if failure == "too slow" else QUICK) as client:
        cams = CamsForecast(OpenMeteo(client, url=server.url), "cams_global")
        assert cams.fetch_background(POINTS, now=NOW).height == 2 * 6 * 120
    assert sum(request.path == "/v1/air-quality" for request in server.requests) == 2


@pytest.mark.parametrize(("window", "seconds"), [("minute", 30.0), ("crowd", 5.0)])
def test_a_short_limit_is_waited_out(window: str, seconds: float, server: OpenMeteoServer):
    slept: list[float] = []
    now = [NOW + timedelta(minutes=2, seconds=30)]

    def sleep(pause: float) -> None:
        slept.append(pause)
        now[0] += timedelta(seconds=pause)

    server.breaks(Instead(limited(window)), times=1)
    with HttpClient(retry_policy=QUICK, clock=lambda: now[0], sleep=sleep) as client:
        assert (
            not CamsForecast(OpenMeteo(client, url=server.url), "cams_global")
            .fetch_background(POINTS, now=NOW)
            .is_empty()
        )
    assert slept == [seconds]
    assert set(LIMITS) == {"minute", "hour", "day", "crowd"}


def test_nulls_are_missing(server: OpenMeteoServer, api: OpenMeteo):
    with_null = partial(bytes.replace)
    server.breaks(
        Altered(lambda body: with_null(body, b'"pm2_5": [0.6, 1.6,', b'"pm2_5": [0.6, null,')),
        when=lambda request: request.path == "/v1/air-quality",
    )
    rows = CamsForecast(api, "cams_global").fetch_background(POINTS, now=NOW)
    hurt = rows.filter(pl.col("station_id") == "kallio", pl.col("pollutant") == "pm25")
    assert hurt.height == 118
    assert rows.filter(pl.col("station_id") == "kallio", pl.col("pollutant") == "pm10").height == 120


def test_an_unknown_model_is_refused_with_the_reason(api: OpenMeteo):
    with pytest.raises(SourceRefused, match="seamless_nonsense for key models"):
        OpenMeteoWeather(api, "seamless_nonsense").at(POINTS, since=NOW - 3 * DAY, until=NOW)


def test_customers_use_the_customer_hosts_and_the_key_is_not_shown():
    with HttpClient(retry_policy=QUICK) as client:
        api = OpenMeteo(client, url="http://127.0.0.1:9/{api}", api_key="top-secret")
        with pytest.raises(SourceUnavailable, match="customer-api") as caught:
            api.newest_run("api", "ecmwf_ifs025")
    assert "top-secret" not in str(caught.value)


def test_the_free_service_has_rate_limits():
    with HttpClient(retry_policy=QUICK) as client:
        budgets = [OpenMeteo(client)._service().budgets, OpenMeteo(client, url="http://own:8080")._service().budgets]
    assert [(budget.weight, budget.seconds) for budget in budgets[0]] == [(600, 60), (5_000, 3_600), (10_000, 86_400)]
    assert budgets[1] == ()


@pytest.mark.parametrize(
    ("variables", "days", "weight"), [(10, 14, 1.0), (7, 3, 1.0), (35, 12, 3.5), (20, 28, 4.0), (6, 28, 1.2)]
)
def test_a_request_costs_what_the_service_counts(variables: int, days: int, weight: float):
    names = {f"v{number}": "m" for number in range(variables)}
    question = Query("api", "/v1/forecast", names, NOW.date(), NOW.date() + (days - 1) * DAY, {})
    assert question.weight_per_point == pytest.approx(weight)


def test_the_timezone_of_a_point_is_known(api: OpenMeteo):
    assert api.timezone_at(60.2, 24.9) == "Europe/Helsinki"
