"""From what networks report (any period, any unit) to hourly means in µg/m³."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.units import EU_REFERENCE_C, Unit, convert
from hazecast.sources.openaq.hours import COVERED, hourly_means, unit_of

START = datetime(2026, 3, 1, tzinfo=UTC)
GASES = sorted(pollutant for pollutant in Pollutant if pollutant.molar_mass_gmol)
WRITTEN = {"µg/m³": Unit.UGM3, "mg/m³": Unit.MGM3, "ppb": Unit.PPB, "ppm": Unit.PPM}
amounts = st.floats(1e-3, 9e3)  # 9999 is a sentinel


def raw(
    values: list[float | None], *, step_minutes: int = 60, phase_minutes: int = 0, **columns: object
) -> pl.DataFrame:
    starts = [START + timedelta(minutes=phase_minutes + step_minutes * number) for number in range(len(values))]
    described = {
        "station_id": "1",
        "sensor_id": 10,
        "pollutant": "pm25",
        "units": "µg/m³",
        "is_flagged": False,
        **columns,
    }
    rows = pl.DataFrame({"starts_at": starts, "value": pl.Series(values, dtype=pl.Float64)})
    ends_at = pl.col("starts_at") + timedelta(minutes=step_minutes)
    return rows.with_columns(ends_at=ends_at, **{name: pl.lit(value) for name, value in described.items()})


@given(value=amounts, gas=st.sampled_from(GASES), written=st.sampled_from(sorted(WRITTEN)))
def test_a_gas_in_any_unit_comes_back_as_it_was(value: float, gas: Pollutant, written: str):
    hours = hourly_means(raw([value], pollutant=gas.value, units=written))
    ugm3 = hours["concentration_ugm3"].item()
    assert convert(ugm3, gas, unit=Unit.UGM3, to=WRITTEN[written], reference_c=EU_REFERENCE_C) == pytest.approx(value)


@given(value=amounts, gas=st.sampled_from(GASES))
def test_a_ppm_is_a_thousand_ppb_and_a_milligram_a_thousand_micrograms(value: float, gas: Pollutant):
    def ugm3(amount: float, written: str) -> float:
        return hourly_means(raw([amount], pollutant=gas.value, units=written))["concentration_ugm3"].item()

    assert ugm3(value, "ppm") == pytest.approx(ugm3(1000 * value, "ppb"))
    assert ugm3(value, "mg/m³") == pytest.approx(ugm3(1000 * value, "μg/m³"))


@pytest.mark.parametrize(
    ("pollutant", "ugm3"), [("no2", 1.9125), ("o3", 1.9953), ("so2", 2.6632), ("co", 1.1644)], ids=lambda value: value
)
def test_a_ppb_is_what_the_conversion_tables_say_at_20_degrees(pollutant: str, ugm3: float):
    hours = hourly_means(raw([1.0], pollutant=pollutant, units="ppb"))
    assert hours["concentration_ugm3"].item() == pytest.approx(ugm3, abs=1e-4)


def test_particles_have_no_mixing_ratio_and_furlongs_are_unknown():
    assert [unit_of("pm25", written) for written in ("ppm", "ppb", "furlongs")] == [None, None, None]
    assert all(unit_of(pollutant, "\u03bcg/m³") is unit_of(pollutant, "\u00b5g/m³") for pollutant in POLLUTANTS)


@given(phase=st.integers(0, 59), n_hours=st.integers(1, 48))
def test_hours_of_any_local_clock_are_one_utc_hour_each(phase: int, n_hours: int):
    """Kathmandu's hours start 15 minutes past, India's 30: none is lost, none is doubled."""
    hours = hourly_means(raw([1.0] * n_hours, phase_minutes=phase))
    assert hours["observed_at"].to_list() == [START + timedelta(hours=number) for number in range(n_hours)]


@given(values=st.lists(st.floats(0, 500), min_size=4, max_size=4), order=st.permutations(range(4)))
def test_a_mean_lies_among_its_values_in_whatever_order_they_came(values: list[float], order: list[int]):
    rows = raw(values, step_minutes=15)
    mean = hourly_means(rows)["concentration_ugm3"].item()
    assert min(values) - 1e-9 <= mean <= max(values) + 1e-9
    assert hourly_means(rows[order])["concentration_ugm3"].item() == pytest.approx(mean)


@given(minutes=st.sampled_from([1, 2, 5, 10, 15, 20, 30]), data=st.data())
def test_an_hour_needs_three_quarters_of_itself(minutes: int, data: st.DataObject):
    n_steps = 60 // minutes
    n_there = data.draw(st.integers(0, n_steps))
    hours = hourly_means(raw([5.0] * n_there + [None] * (n_steps - n_there), step_minutes=minutes))
    assert hours.height == (n_there * timedelta(minutes=minutes) >= COVERED)


@given(values=st.lists(st.floats(0, 500), min_size=3, max_size=3), place=st.integers(0, 3))
def test_a_sentinel_changes_no_mean(values: list[float], place: int):
    with_sentinel = [*values[:place], -999.0, *values[place:]]
    mean = hourly_means(raw(with_sentinel, step_minutes=15))["concentration_ugm3"].item()
    assert mean == pytest.approx(sum(values) / 3)


def test_an_hour_of_sentinels_keeps_one_as_it_was():
    assert hourly_means(raw([-999.0], pollutant="o3", units="ppm"))["concentration_ugm3"].to_list() == [-999.0]


def test_the_mean_of_a_day_is_not_that_of_its_first_hour():
    assert hourly_means(raw([40.0, 50.0], step_minutes=24 * 60)).is_empty()


def test_a_correction_of_the_same_period_wins():
    twice = pl.concat([raw([5.0]), raw([7.0])])
    assert hourly_means(twice)["concentration_ugm3"].to_list() == [7.0]


def test_stations_and_pollutants_stay_apart():
    rows = pl.concat([raw([1.0]), raw([2.0], station_id="2", sensor_id=20), raw([3.0], pollutant="pm10", sensor_id=30)])
    hours = hourly_means(rows).select("station_id", "pollutant", "concentration_ugm3").rows()
    assert sorted(hours) == [("1", "pm10", 3.0), ("1", "pm25", 1.0), ("2", "pm25", 2.0)]


def test_flagged_values_do_not_count_where_the_hour_has_others():
    parts = raw([10.0, 90.0, 10.0, 10.0], step_minutes=15).with_columns(is_flagged=pl.col("value") > 50)
    assert hourly_means(parts).select("concentration_ugm3", "flag_reasons").row(0) == (10.0, "")
    only = hourly_means(raw([420.0]).with_columns(is_flagged=True))
    assert only.select("concentration_ugm3", "flag_reasons").row(0) == (420.0, "reported")
