"""The field's words: hours, limits, and contracts that really refuse."""

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.clock import floor_hour, hours_between, parse_utc
from hazecast.air.limits import LIMIT_KEYS, limits_of
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import Forecasts, Observations, Stations, Weather, conform, key_of, newest
from hazecast.air.verdicts import Verification
from hazecast.errors import ContractError

NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)


@given(st.datetimes(timezones=st.timezones()))
def test_an_hour_starts_at_most_an_hour_before(moment: datetime):
    start = floor_hour(moment)
    assert start.utcoffset() == timedelta(0)
    assert 0 <= hours_between(start, moment) < 1
    assert floor_hour(start) == start


def test_a_time_without_a_zone_means_nothing():
    with pytest.raises(ValueError, match="no time zone"):
        floor_hour(datetime(2024, 1, 1))
    with pytest.raises(ValueError, match="write 2024-03-28T00:00Z"):
        parse_utc("2024-03-28")


def test_offsets_are_converted():
    assert parse_utc("2024-03-31T17:45+05:45") == NOON
    assert parse_utc("2024-03-31T12:00Z").tzinfo == UTC
    assert floor_hour(NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))) == NOON


def test_every_pollutant_has_limits_and_plausible_ranges_in_order():
    for pollutant in Pollutant:
        assert pollutant.noise_floor_ugm3 < 0 < pollutant.suspicious_above_ugm3 < pollutant.invalid_above_ugm3
        assert [limit.key for limit in limits_of(pollutant)] == ["who", "eu"]
        assert all(0 < limit.concentration_ugm3 < pollutant.suspicious_above_ugm3 for limit in limits_of(pollutant))


def forecast_row(**changed: object) -> pl.DataFrame:
    row = {
        "station_id": "a",
        "pollutant": "pm25",
        "issued_at": NOON,
        "valid_at": NOON + timedelta(hours=4),
        "lead_hours": 5,
        "mean": 10.0,
        **{name: float(number) for number, name in enumerate(QUANTILES)},
        "p_exceed_who": 0.5,
        "p_exceed_eu": None,
        "status": "ok",
        "model_version": "1",
        "observations_version": 3,
        "data_age_hours": 0.0,
        "source": "test",
    }
    return pl.DataFrame([row | changed], schema=Forecasts.create_empty().schema)


def test_columns_of_quantiles_and_limits_follow_their_lists():
    columns = Forecasts.create_empty().columns
    assert [name for name in columns if name.startswith("q")] == list(QUANTILES)
    assert [name for name in columns if name.startswith("p_exceed")] == [f"p_exceed_{key}" for key in LIMIT_KEYS]
    verified = Verification.create_empty().columns
    assert {f"below_{quantile}" for quantile in QUANTILES} <= set(verified)
    assert {f"{key}_{part}" for key in LIMIT_KEYS for part in ("observed", "forecast", "hits", "brier")} <= set(
        verified
    )


def test_a_good_forecast_conforms():
    assert conform(Forecasts, forecast_row()).height == 1


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"q25": 9.0}, "quantiles_do_not_cross"),
        ({"lead_hours": 4}, "lead_ends_with_the_hour"),
        ({"lead_hours": 121, "valid_at": NOON + timedelta(hours=120)}, "lead_hours"),
        ({"q05": -0.1}, "q05"),
        ({"mean": float("nan")}, "mean"),
        ({"p_exceed_who": 1.01}, "p_exceed_who"),
        ({"status": "fine"}, "status"),
        ({"pollutant": "radon"}, "pollutant"),
    ],
)
def test_a_forecast_that_breaks_its_contract_is_refused(changed: dict[str, object], rule: str):
    with pytest.raises(ContractError, match=rule):
        conform(Forecasts, forecast_row(**changed))


def test_a_repeated_key_and_a_missing_column_are_refused():
    row = forecast_row()
    with pytest.raises(ContractError, match="primary_key"):
        conform(Forecasts, pl.concat([row, row]))
    with pytest.raises(ContractError, match="status"):
        conform(Forecasts, row.drop("status"))


def test_observed_and_forecast_weather_of_one_hour_have_different_keys():
    assert key_of(Weather) == ["station_id", "valid_at", "issued_at"]
    assert key_of(Observations) == ["station_id", "pollutant", "observed_at"]


def test_stations_may_lack_coordinates_but_not_have_wrong_ones():
    station = {"station_id": "a", "name": "A", "timezone": "UTC", "source": "test", "attribution": "", "licence": ""}
    schema = Stations.create_empty().schema
    conform(Stations, pl.DataFrame([station | {"latitude": None, "longitude": None}], schema=schema))
    with pytest.raises(ContractError, match="latitude"):
        conform(Stations, pl.DataFrame([station | {"latitude": 91.0, "longitude": 0.0}], schema=schema))


def test_the_newest_of_nothing_is_nothing():
    assert newest(pl.Series([], dtype=pl.Datetime("us", "UTC"))) is None
    assert newest(pl.Series([NOON, NOON - timedelta(hours=1)])) == NOON
