"""The simulated network gives the same rows in any window, with realistic concentrations."""

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.sources.simulated import SimulatedSource
from hazecast.sources.simulated.air import SIMULATED
from hazecast.sources.simulated.noise import normal, smooth, stream, uniform
from hazecast.sources.simulated.weather import actual_weather, daylight

START = datetime(2023, 1, 1, tzinfo=UTC)
YEAR = {"since": START, "until": START + timedelta(days=365)}
SEED = 4
TRAFFIC, URBAN, RURAL = "simulated-ring-road", "simulated-old-town", "simulated-meadows"


@cache
def year() -> pl.DataFrame:
    """One year of readings, one column per pollutant, with the local clock."""
    rows = SimulatedSource(seed=SEED).fetch_observations(**YEAR)
    wide = rows.pivot(on="pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    local = pl.col("observed_at").dt.convert_time_zone("Europe/Lisbon")
    return wide.with_columns(hour=local.dt.hour(), weekday=local.dt.weekday(), month=local.dt.month())


@cache
def weather() -> pl.DataFrame:
    return SimulatedSource(seed=SEED, n_stations=3).fetch_weather(**YEAR)


def mean_by(pollutant: str, station: str, by: str, *conditions: pl.Expr) -> dict[int, float]:
    rows = year().filter(pl.col("station_id") == station, *conditions)
    return dict(rows.group_by(by).agg(pl.col(pollutant).mean()).rows())


def test_stations_say_that_they_are_simulated():
    stations = SimulatedSource(n_stations=20).fetch_stations()
    assert stations["name"].str.starts_with("Simulated ").all()
    assert stations["attribution"].unique().to_list() == ["Simulated by Hazecast; not real measurements"]
    assert stations.height == stations["name"].n_unique() == 20
    assert stations.select("latitude", "longitude").n_unique() == 20
    assert SimulatedSource().fetch_stations().height == 6
    assert SimulatedSource.simulated


def test_it_offers_any_hour():
    assert SimulatedSource().fetch_span() is None
    far = datetime(1950, 6, 1, tzinfo=UTC)
    assert SimulatedSource().fetch_observations(since=far, until=far + timedelta(hours=2)).height == 6 * 6 * 2


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 71), offset=st.integers(0, 9000))
def test_windows_split_anywhere_give_the_same_rows(cut: int, offset: int):
    source = SimulatedSource(seed=SEED, n_stations=3)
    since = START + timedelta(hours=offset)
    middle, until = since + timedelta(hours=cut), since + timedelta(hours=72)
    for fetch in (source.fetch_observations, source.fetch_weather):
        whole = fetch(since=since, until=until)
        parts = pl.concat([fetch(since=since, until=middle), fetch(since=middle, until=until)])
        assert parts.sort(pl.all()).equals(whole.sort(pl.all()))


def test_a_window_covers_the_hours_that_start_in_it():
    source = SimulatedSource(n_stations=1)
    observed = source.fetch_observations(
        since=START + timedelta(minutes=20), until=START + timedelta(hours=2, minutes=1)
    )
    assert observed["observed_at"].unique().to_list() == [START + timedelta(hours=1), START + timedelta(hours=2)]
    nothing = {"since": START + timedelta(minutes=1), "until": START + timedelta(minutes=2)}
    assert source.fetch_observations(**nothing).is_empty()
    assert source.fetch_weather(**nothing).is_empty()


@pytest.mark.parametrize("horizon_hours", [48, 72, 120])
def test_every_weather_forecast_reaches_the_horizon_when_it_is_used(horizon_hours: int):
    source = SimulatedSource(n_stations=1, horizon_hours=horizon_hours)
    runs = source.fetch_weather(since=START, until=START + timedelta(days=2)).drop_nulls("issued_at")
    last = runs.group_by("issued_at", "available_at").agg(pl.col("valid_at").max())
    # A run is the newest one available for twelve hours.
    latest_use = pl.col("available_at") + timedelta(hours=12)
    assert last.select((pl.col("valid_at") >= latest_use + timedelta(hours=horizon_hours - 1)).all()).item()


def test_a_pollutant_that_is_not_simulated_is_left_out():
    rows = SimulatedSource(n_stations=1, pollutants=("co", "benzene")).fetch_observations(
        since=START, until=START + timedelta(hours=1)
    )
    assert rows["pollutant"].to_list() == ["co"]


def test_the_seed_decides():
    day = {"since": START, "until": START + timedelta(days=1)}
    first, again, other = (SimulatedSource(seed=seed).fetch_observations(**day) for seed in (1, 1, 2))
    assert first.equals(again)
    assert (first["concentration_ugm3"] != other["concentration_ugm3"]).mean() > 0.9


def test_the_readings_are_complete_positive_and_known_after_their_hour():
    rows = SimulatedSource(seed=SEED).fetch_observations(**YEAR)
    assert rows.height == 6 * len(SIMULATED) * 365 * 24
    assert rows["concentration_ugm3"].min() > 0
    assert (rows["available_at"] - rows["observed_at"]).unique().to_list() == [timedelta(hours=1)]


@pytest.mark.parametrize(
    ("pollutant", "station", "lowest", "highest"),
    [
        ("pm25", URBAN, 8, 25),
        ("pm10", URBAN, 12, 40),
        ("no2", TRAFFIC, 30, 65),
        ("no2", RURAL, 4, 18),
        ("o3", RURAL, 40, 80),
        ("so2", URBAN, 1, 10),
        ("co", URBAN, 250, 800),
    ],
)
def test_annual_means_have_the_magnitude_of_a_european_city(
    pollutant: str, station: str, lowest: float, highest: float
):
    rows = year().filter(pl.col("station_id") == station)
    assert lowest < rows[pollutant].mean() < highest


def test_no2_peaks_in_the_weekday_rush_hours_and_less_at_weekends():
    weekday = mean_by("no2", TRAFFIC, "hour", pl.col("weekday") <= 5)
    weekend = mean_by("no2", TRAFFIC, "hour", pl.col("weekday") > 5)
    assert max(range(12), key=weekday.__getitem__) in (7, 8, 9)
    assert max(range(12, 24), key=weekday.__getitem__) in (17, 18, 19)
    assert weekday[8] > 1.4 * weekday[13]
    assert weekday[8] > 1.5 * weekend[8]


def test_traffic_follows_the_clocks_through_summer_time():
    winter = mean_by("no2", TRAFFIC, "hour", pl.col("weekday") <= 5, pl.col("month").is_in([1, 2, 12]))
    summer = mean_by("no2", TRAFFIC, "hour", pl.col("weekday") <= 5, pl.col("month").is_in([6, 7]))
    assert {max(range(4, 12), key=cycle.__getitem__) for cycle in (winter, summer)} <= {7, 8}


def test_ozone_peaks_in_the_afternoon_and_in_the_warm_half_of_the_year():
    by_hour, by_month = mean_by("o3", URBAN, "hour"), mean_by("o3", URBAN, "month")
    assert 13 <= max(by_hour, key=by_hour.__getitem__) <= 16
    assert 4 <= max(by_month, key=by_month.__getitem__) <= 8
    assert min(by_month, key=by_month.__getitem__) in (11, 12, 1, 2)


def test_ozone_is_low_where_no2_is_high():
    near_traffic = year().filter(pl.col("station_id") == TRAFFIC)
    assert near_traffic.select(pl.corr("o3", "no2", method="spearman")).item() < -0.4
    means = year().group_by("station_id").agg(pl.col("o3", "no2").mean())
    assert means.select(pl.corr("o3", "no2")).item() < -0.9


def test_heating_makes_particles_a_winter_matter():
    by_month = mean_by("pm25", URBAN, "month")
    assert np.mean([by_month[month] for month in (12, 1, 2)]) > 1.5 * np.mean([by_month[month] for month in (6, 7, 8)])


def test_pm25_never_exceeds_pm10():
    assert (year()["pm25"] <= year()["pm10"]).all()


def observed_weather(station: str = URBAN) -> pl.DataFrame:
    rows = weather().filter(pl.col("issued_at").is_null(), pl.col("station_id") == station)
    return rows.rename({"valid_at": "observed_at"})


def test_rain_washes_particles_out_but_hardly_carbon_monoxide():
    joined = year().join(observed_weather(), on=["station_id", "observed_at"]).sort("observed_at")
    rained = pl.col("precipitation_mm").rolling_sum(6)
    change = (pl.col("pm25").log() - pl.col("co").log()).alias("pm25_to_co")
    ratios = joined.with_columns(change, rained=rained, before=change.shift(12), before_dry=rained.shift(12) < 0.01)
    wet = ratios.filter(pl.col("rained") > 3, pl.col("before_dry"))
    assert wet.height > 30
    assert wet.select((pl.col("pm25_to_co") - pl.col("before")).median()).item() < -0.3


def test_calm_air_is_dirty_air():
    joined = year().join(observed_weather(), on=["station_id", "observed_at"])
    calm, windy = (
        joined.filter(wind)["no2"].mean() for wind in (pl.col("wind_speed_ms") < 1, pl.col("wind_speed_ms") > 3)
    )
    assert calm > 1.7 * windy


def test_smoke_of_the_harbour_arrives_downwind_hours_later_and_not_upwind():
    """Meadows lies 20 km east-north-east of the harbour: about three hours at 1.7 m/s."""
    hours = np.arange(365 * 24) + int(START.timestamp()) // 3600
    wind = actual_weather(SEED, hours)
    along = (wind.wind_east_ms * 19 + wind.wind_north_ms * 7) / np.hypot(19, 7) / wind.wind_speed_ms
    steady = (wind.wind_speed_ms > 1.2) & (wind.wind_speed_ms < 2.2) & (np.arange(hours.size) > 12)
    so2 = {
        station: np.log(year().filter(pl.col("station_id") == station)["so2"].to_numpy())
        for station in ("simulated-harbour", RURAL)
    }

    def lagged_correlations(when: np.ndarray) -> list[float]:
        at = np.flatnonzero(when)
        return [float(np.corrcoef(so2[RURAL][at], so2["simulated-harbour"][at - lag])[0, 1]) for lag in range(9)]

    downwind, upwind = lagged_correlations(steady & (along > 0.9)), lagged_correlations(steady & (along < -0.5))
    assert int(np.argmax(downwind)) in (2, 3, 4)
    assert downwind[3] > downwind[0] + 0.2
    assert downwind[3] > upwind[3] + 0.3


def test_weather_is_physically_possible():
    rows = observed_weather()
    assert rows["relative_humidity_pct"].is_between(20, 100).all()
    assert rows["wind_direction_deg"].is_between(0, 360).all()
    assert rows["pressure_hpa"].is_between(970, 1060).all()
    assert 0.04 < (rows["precipitation_mm"] > 0).mean() < 0.2
    assert (rows["wind_speed_ms"] >= 0).all()
    july, january = (rows.filter(pl.col("observed_at").dt.month() == month)["temperature_c"].mean() for month in (7, 1))
    assert july > january + 10


def test_weather_lasts():
    rows = observed_weather()
    for variable, hours, least in [("pressure_hpa", 24, 0.6), ("temperature_c", 24, 0.8), ("wind_speed_ms", 3, 0.7)]:
        assert rows.select(pl.corr(variable, pl.col(variable).shift(hours))).item() > least


def test_runs_are_issued_at_00_and_12_utc_for_96_hours_and_known_four_hours_later():
    runs = weather().filter(pl.col("issued_at").is_not_null())
    assert sorted(runs["issued_at"].dt.hour().unique()) == [0, 12]
    assert (runs["available_at"] - runs["issued_at"]).unique().to_list() == [timedelta(hours=4)]
    spans = runs.group_by("station_id", "issued_at").agg(
        pl.len(), first=pl.col("valid_at").min() - pl.col("issued_at").first()
    )
    assert spans.select("len", "first").unique().rows() == [(96, timedelta(0))]


@pytest.mark.parametrize("variable", ["temperature_c", "wind_speed_ms", "pressure_hpa"])
def test_forecasts_err_more_with_lead_and_their_errors_last(variable: str):
    truth = observed_weather().select(valid_at="observed_at", truth=variable)
    runs = weather().filter(pl.col("issued_at").is_not_null(), pl.col("station_id") == URBAN)
    lead = (pl.col("valid_at") - pl.col("issued_at")).dt.total_hours()
    errors = runs.join(truth, on="valid_at").with_columns(error=pl.col(variable) - pl.col("truth"), day=lead // 24)
    by_day = errors.group_by("day").agg(pl.col("error").pow(2).mean().sqrt()).sort("day")["error"].to_list()
    assert by_day == sorted(by_day)
    assert by_day[3] > 1.8 * by_day[0]
    lasting = errors.sort("issued_at", "valid_at").with_columns(before=pl.col("error").shift(3).over("issued_at"))
    assert lasting.select(pl.corr("error", "before")).item() > 0.5


def test_draws_are_uniform_normal_and_independent_between_streams():
    index = np.arange(-50_000, 50_000)
    draws, other = normal(stream(1, "a"), index), normal(stream(1, "b"), index)
    flat = uniform(stream(1, "c"), index)
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.02
    assert abs(np.corrcoef(draws, other)[0, 1]) < 0.02
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.02
    assert np.histogram(flat, bins=10, range=(0, 1))[0] == pytest.approx(10_000, rel=0.05)


def test_smooth_noise_wanders_with_unit_variance():
    walk = smooth(stream(1, "walk"), np.arange(200_000), every_hours=12)
    assert abs(walk.std() - 1) < 0.03
    assert np.corrcoef(walk[3:], walk[:-3])[0, 1] > 0.9
    assert abs(np.corrcoef(walk[60:], walk[:-60])[0, 1]) < 0.05


def test_the_sun_is_up_by_day():
    noon, midnight = (int(datetime(2024, 6, 21, hour, tzinfo=UTC).timestamp()) // 3600 for hour in (12, 0))
    assert daylight(np.array([noon]))[0] > 0.9
    assert daylight(np.array([midnight]))[0] == 0.0
