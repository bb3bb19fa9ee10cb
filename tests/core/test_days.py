"""Trajectories and day statistics: exact marginals, reproducible members, local days, and their distributions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.averages import DAY_STATISTICS, daily_max_8h_means, daily_means
from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES, ForecastSpec
from hazecast.air.tables import HIGHEST_STATION, MEAN_OF_STATIONS, PLACE, STATION, DayForecasts, conform
from hazecast.features import Panel, build_panel
from hazecast.models.config import TrajectoriesConfig
from hazecast.models.days import DayMembers, DayModel, exceedance
from hazecast.models.trajectories import fit_dependence, member_levels, members, normal_scores, prior
from hazecast.scoring.days import day_statistics, local_days, observed_days
from hazecast.scoring.probability import p_exceed, quantile_function

HOUR = timedelta(hours=1)
ISSUE = datetime(2025, 3, 28, 5, tzinfo=UTC)
SPAN = [10.0, 12.0, 15.0, 20.0, 27.0, 40.0, 50.0]
CONFIG = TrajectoriesConfig(members=100)


def town(timezone: str, *, stations: int = 2, pollutants: tuple[str, ...] = ("pm25",), days: int = 4) -> Panel:
    """Stations observed hourly at 10, 11 … µg/m³ until the issue, the last hour late."""
    ids = [f"s{k}" for k in range(stations)]
    hours = pl.datetime_range(ISSUE - days * timedelta(days=1), ISSUE - HOUR, "1h", eager=True)
    observed = pl.concat(
        pl.DataFrame({"observed_at": hours.dt.cast_time_unit("us")}).with_columns(
            station_id=pl.lit(station),
            pollutant=pl.lit(pollutant),
            concentration_ugm3=pl.lit(10.0 + k),
            flag=pl.lit("ok"),
            available_at=pl.col("observed_at") + pl.duration(hours=2),
        )
        for k, station in enumerate(ids)
        for pollutant in pollutants
    )
    sites = pl.DataFrame({"station_id": ids, "latitude": 50.0, "longitude": 10.0, "timezone": timezone})
    weather = pl.DataFrame(
        schema={
            "station_id": pl.String,
            "valid_at": pl.Datetime("us", "UTC"),
            "issued_at": pl.Datetime("us", "UTC"),
            "available_at": pl.Datetime("us", "UTC"),
            **dict.fromkeys(
                (
                    "temperature_c",
                    "pressure_hpa",
                    "dew_point_c",
                    "precipitation_mm",
                    "wind_direction_deg",
                    "wind_speed_ms",
                    "relative_humidity_pct",
                ),
                pl.Float64,
            ),
        }
    )
    return build_panel(observed, weather, sites)


def issued(panel: Panel, horizon_hours: int, quantiles: list[float] = SPAN) -> pl.DataFrame:
    leads = range(1, horizon_hours + 1)
    return pl.DataFrame(
        [
            (station, pollutant, ISSUE, ISSUE + (lead - 1) * HOUR, lead, *quantiles, "ok")
            for station in panel.stations
            for pollutant in panel.pollutants
            for lead in leads
        ],
        schema=["station_id", "pollutant", "issued_at", "valid_at", "lead_hours", *QUANTILES, "status"],
        orient="row",
    )


def model(panel: Panel, horizon_hours: int) -> DayModel:
    return DayModel.assumed(panel.pollutants, ForecastSpec(horizon_hours), CONFIG)


@given(
    st.lists(st.floats(0, 500), min_size=7, max_size=7).map(sorted),
    st.lists(st.floats(0.001, 0.999), min_size=1, max_size=20).map(sorted),
)
def test_the_quantile_function_is_the_inverse_of_the_exceedance_probability(quantiles, levels):
    values = quantile_function([quantiles], np.array(levels)[:, None])[:, 0]
    assert (np.diff(values) >= 0).all()
    assert np.allclose(quantile_function([quantiles], np.array(QUANTILE_LEVELS)[:, None])[:, 0], quantiles)
    distinct = np.diff(quantiles).min() > 0.01 and quantiles[0] > 0.01
    if distinct:
        assert np.allclose(1 - p_exceed([quantiles] * len(values), values), levels, atol=1e-6)


@pytest.mark.parametrize("horizon_hours", [48, 120])
def test_members_of_every_hour_have_exactly_the_issued_quantiles(horizon_hours):
    dependence = prior(("pm25", "o3"), horizon_hours)
    levels = member_levels(dependence, ["a", "b"], ISSUE, n_members=100)
    assert levels.shape == (2, 2, horizon_hours, 100)
    assert np.allclose(np.sort(levels, axis=3), (np.arange(100) + 0.5) / 100)
    quantiles = np.broadcast_to(np.array(SPAN), (2, 2, horizon_hours, 7))
    found = members(quantiles, levels)
    for level, quantile in zip(QUANTILE_LEVELS, SPAN, strict=True):
        assert ((found <= quantile).sum(axis=3) == round(100 * level)).all()


def test_members_depend_on_the_issue_and_the_station_alone():
    dependence = prior(("pm25",), 48)
    both = member_levels(dependence, ["a", "b"], ISSUE, n_members=100)
    alone = member_levels(dependence, ["b"], ISSUE, n_members=100)
    assert np.array_equal(both[1], alone[0])
    assert not np.array_equal(both[0], both[1])
    assert not np.array_equal(alone, member_levels(dependence, ["b"], ISSUE + HOUR, n_members=100))


def test_the_fitted_dependence_repeats_that_of_the_errors():
    """Errors half shared by the stations, persistent over hours, and opposite in the second pollutant."""
    rng = np.random.default_rng(1)
    shared, own = rng.normal(size=(400, 1, 1)), rng.normal(size=(400, 5, 1))
    level = np.sqrt(0.5) * shared + np.sqrt(0.5) * own + 0.3 * rng.normal(size=(400, 5, 24))
    scores = np.stack([level, -level], axis=2)
    scores[:, 3, 1] = np.nan
    found = fit_dependence(scores, ("pm25", "o3"), prior_origins=5)
    total = sum(np.einsum("plf,qmf->plqm", part, part) for part in (found.shared, found.own))
    assert np.allclose(np.einsum("plpl->pl", total), 1, atol=1e-5)
    assert np.allclose((found.shared**2).sum(axis=2), 0.46, atol=0.1)
    assert total[0, 3, 0, 20] == pytest.approx(0.92, abs=0.05)
    assert total[0, 3, 1, 20] == pytest.approx(-0.92, abs=0.07)


def test_a_pollutant_without_hindcasts_gets_the_assumed_dependence():
    found = prior(("pm25",), 48).covering(("o3", "pm25"))
    assert found.pollutants == ("pm25", "o3")
    assert np.allclose((found.shared**2).sum(2) + (found.own**2).sum(2), 1, atol=1e-5)
    assert np.allclose(np.einsum("lf,mf->lm", found.shared[0], found.shared[1]), 0)
    assert prior((), 48).covering(("o3",)).own.shape[:2] == (1, 48)


def test_normal_scores_are_those_of_the_levels():
    assert normal_scores([SPAN] * 2, [20.0, 40.0]) == pytest.approx([0, 1.2816], abs=1e-3)


@pytest.mark.parametrize(
    ("timezone", "since", "n_hours"),
    [
        ("Europe/Berlin", datetime(2025, 3, 29, 22, tzinfo=UTC), [23, 24]),
        ("Europe/Berlin", datetime(2025, 10, 24, 12, tzinfo=UTC), [24, 25]),
        ("Asia/Kathmandu", datetime(2025, 5, 1, 18, tzinfo=UTC), [24, 24]),
        ("Asia/Kolkata", datetime(2025, 5, 1, 19, tzinfo=UTC), [24, 24]),
    ],
)
def test_local_days_are_whole_and_follow_the_clocks(timezone, since, n_hours):
    found = local_days(since, since + 74 * HOUR, timezone)
    assert found.n_hours[:2].tolist() == n_hours
    starts = [since + int(first) * HOUR for first in found.first]
    local = pl.Series(starts, dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone(timezone)
    assert local.dt.date().to_list() == list(found.days)
    assert set(local.dt.hour()) == {0}


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
def test_statistics_of_members_follow_the_rules_for_observations(timezone):
    rng = np.random.default_rng(3)
    start, n = datetime(2025, 3, 20, tzinfo=UTC), 24 * 20
    values = np.where(rng.random(n) < 0.2, np.nan, rng.gamma(2, 10, n))
    rows = pl.DataFrame(
        {"observed_at": [start + k * HOUR for k in range(n)], "concentration_ugm3": values}
    ).with_columns(pl.col("observed_at").cast(pl.Datetime("us", "UTC")), station_id=pl.lit("s"), pollutant=pl.lit("o3"))
    valid = rows.filter(pl.col("concentration_ugm3").is_not_nan())
    found = observed_days(valid.with_columns(flag=pl.lit("ok")), {"s": timezone})
    for name, expected, column in (
        ("mean_24h", daily_means(valid, timezone), "mean_ugm3"),
        ("mda8", daily_max_8h_means(valid, timezone), "max_8h_ugm3"),
    ):
        mine = found.filter(statistic=name)
        assert mine["day"].to_list() == expected["day"].to_list()
        assert np.allclose(mine["observed_ugm3"], expected[column])
    days = local_days(start, start + n * HOUR, timezone)
    assert set(day_statistics(values, days)) == set(DAY_STATISTICS)


@pytest.mark.parametrize(("timezone", "horizon_hours"), [("Europe/Berlin", 48), ("Asia/Kathmandu", 72), ("UTC", 120)])
def test_day_forecasts_fulfil_their_contract(timezone, horizon_hours):
    panel = town(timezone, pollutants=("pm25", "o3"))
    found = model(panel, horizon_hours).forecast(issued(panel, horizon_hours), panel)
    rows = conform(DayForecasts, found.with_columns(model_version=pl.lit("1")))
    assert set(rows["scope"]) == {STATION, HIGHEST_STATION, MEAN_OF_STATIONS}
    assert set(rows.filter(pl.col("scope") != STATION)["station_id"]) == {PLACE}
    today = rows.filter(day_ahead=0, scope=STATION)
    hour = ISSUE.astimezone(ZoneInfo(timezone)).hour
    assert set(today["n_observed"]) == {hour - 1}  # the last hour has not arrived
    assert set(today["n_hours"]) == {23}
    later = rows.filter(pl.col("day_ahead") > 0)
    assert set(later["n_observed"]) == {0}
    assert later["n_hours"].min() >= 23
    assert later["day_ahead"].max() == (horizon_hours - 24 + hour) // 24
    limits = rows.filter(pollutant="pm25", scope=STATION).drop_nulls("p_exceed_who")
    assert set(limits["statistic"]) == {"mean_24h"}
    assert set(rows.filter(pollutant="o3").drop_nulls("p_exceed_eu")["statistic"]) == {"mda8"}


def test_observed_hours_of_today_are_facts():
    panel = town("UTC", stations=1)
    found = model(panel, 48).forecast(issued(panel, 48, [0.0] * 6 + [0.1]), panel)
    today = found.filter(scope=STATION, day_ahead=0, statistic="max_1h")
    assert today.select(QUANTILES).unique().row(0) == pytest.approx((10.0,) * 7)
    mean = found.filter(scope=STATION, day_ahead=0, statistic="mean_24h")["q50"][0]
    assert mean == pytest.approx(4 * 10 / 23, abs=0.01)


def test_one_station_is_its_own_place_and_the_highest_of_more_is_above_their_mean():
    alone = town("UTC", stations=1)
    found = model(alone, 48).forecast(issued(alone, 48), alone)
    by_scope = {scope: found.filter(scope=scope).select(QUANTILES).to_numpy() for scope in found["scope"].unique()}
    assert np.allclose(by_scope[STATION], by_scope[HIGHEST_STATION])
    panel = town("UTC", stations=4)
    many = model(panel, 48).forecast(issued(panel, 48), panel).filter(day_ahead=1)
    highest, mean = (many.filter(scope=scope)["q50"].to_numpy() for scope in (HIGHEST_STATION, MEAN_OF_STATIONS))
    assert (highest > mean).all()


def test_the_exceedance_of_members_falls_with_the_limit():
    values = np.random.default_rng(2).gamma(2, 10, (1, 200)).astype(np.float32)
    keys = pl.DataFrame({"scope": [STATION]})
    limits = np.array([0.1, 5.0, 20.0, 60.0, 200.0, 1000.0])
    p = exceedance(DayMembers(keys[[0] * 6], values.repeat(6, axis=0)), limits)
    assert (np.diff(p) < 0).all()
    assert p[2] == pytest.approx((values > 20).mean(), abs=0.01)
    assert 0 < p[-1] < 1e-6
    assert np.isnan(exceedance(DayMembers(keys, values), np.array([np.nan]))).all()
