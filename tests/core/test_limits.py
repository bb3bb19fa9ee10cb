"""Law as data, and units."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.limits import LIMIT_KEYS, LIMITS, Limit, limit_values, limits_of
from hazecast.air.pollutants import Pollutant
from hazecast.air.rules import RULES, Authority, Kind, Rule, Statistic
from hazecast.air.units import Unit, convert, ugm3_per
from hazecast.errors import ContractError

HOURS = {1: Statistic.HOUR, 8: Statistic.MAX_8H, 24: Statistic.DAY}


def only(**criteria: object) -> Rule:
    found = [rule for rule in RULES if all(getattr(rule, name) == value for name, value in criteria.items())]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("pollutant", list(Pollutant))
def test_what_is_forecast_is_what_the_law_says(pollutant: Pollutant):
    who, eu = limits_of(pollutant)
    written = {"authority": Authority.WHO_2021, "kind": Kind.GUIDELINE}
    assert only(pollutant=pollutant, statistic=HOURS[who.averaging_hours], **written).value == who.concentration_ugm3
    kind = Kind.TARGET if pollutant is Pollutant.O3 else Kind.LIMIT
    written = {"authority": Authority.EU_2024, "kind": kind}
    assert only(pollutant=pollutant, statistic=HOURS[eu.averaging_hours], **written).value == eu.concentration_ugm3


def test_no_rule_is_written_twice():
    keys = [(r.authority, r.kind, r.pollutant, r.statistic, r.value) for r in RULES]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("criteria", "value", "allowed"),
    [
        ({"authority": Authority.EU_2024, "pollutant": Pollutant.NO2, "statistic": Statistic.HOUR}, 200, 3),
        ({"authority": Authority.EU_2008, "pollutant": Pollutant.NO2, "statistic": Statistic.HOUR}, 200, 18),
        ({"authority": Authority.EU_2024, "pollutant": Pollutant.PM25, "statistic": Statistic.DAY}, 25, 18),
        ({"authority": Authority.EU_2008, "pollutant": Pollutant.PM10, "statistic": Statistic.DAY}, 50, 35),
    ],
)
def test_limit_values_with_their_permitted_exceedances(criteria: dict[str, object], value: float, allowed: int):
    rule = only(kind=Kind.LIMIT, **criteria)
    assert (rule.value, rule.allowed) == (value, allowed)


def test_information_never_lies_above_alert_and_interim_targets_never_below_the_guideline():
    for rule in RULES:
        same = {"authority": rule.authority, "pollutant": rule.pollutant, "statistic": rule.statistic}
        if rule.kind is Kind.INFORMATION:
            assert rule.value <= only(kind=Kind.ALERT, **same).value
        if rule.kind is Kind.INTERIM:
            assert rule.value > only(kind=Kind.GUIDELINE, **same).value


def test_us_standards_are_read_at_20_degrees_as_observations_are():
    ozone = only(authority=Authority.US_NAAQS, pollutant=Pollutant.O3)
    assert ozone.concentration_ugm3 == pytest.approx(139.67, abs=0.01)
    monoxide = only(authority=Authority.US_NAAQS, pollutant=Pollutant.CO, statistic=Statistic.MAX_8H)
    assert monoxide.concentration_ugm3 == pytest.approx(9 * 1164.4, rel=1e-4)


@pytest.mark.parametrize(
    ("pollutant", "unit", "at_0", "at_20", "at_25"),
    [
        (Pollutant.NO2, Unit.PPB, 2.0525, 1.9125, 1.8804),
        (Pollutant.O3, Unit.PPB, 2.1414, 1.9953, 1.9619),
        (Pollutant.SO2, Unit.PPB, 2.8582, 2.6632, 2.6185),
        (Pollutant.CO, Unit.PPM, 1249.7, 1164.4, 1144.9),
    ],
)
def test_published_conversion_factors(pollutant: Pollutant, unit: Unit, at_0: float, at_20: float, at_25: float):
    for reference_c, factor in ((0.0, at_0), (20.0, at_20), (25.0, at_25)):
        assert ugm3_per(unit, pollutant, reference_c=reference_c) == pytest.approx(factor, rel=1e-4)


@given(
    st.sampled_from([p for p in Pollutant if p.molar_mass_gmol]),
    st.sampled_from(Unit),
    st.sampled_from(Unit),
    st.floats(0, 1e6),
)
def test_units_round_trip(pollutant: Pollutant, unit: Unit, other: Unit, value: float):
    there = convert(value, pollutant, unit=unit, to=other, reference_c=20.0)
    assert convert(there, pollutant, unit=other, to=unit, reference_c=20.0) == pytest.approx(value, rel=1e-12)


def test_particles_are_never_converted():
    with pytest.raises(ContractError, match="molar mass"):
        convert(1.0, Pollutant.PM10, unit=Unit.UGM3, to=Unit.PPB, reference_c=20.0)


def test_limits_are_rows_found_by_pollutant_and_by_key():
    assert LIMIT_KEYS == ("who", "eu")
    assert [limit.label for limit in limits_of("o3")] == ["WHO 2021 guideline, 8 h", "EU target, 8 h"]
    assert limits_of("benzene") == ()
    assert limit_values("eu")["no2"] == 200.0
    rows = [(limit.key, limit.pollutant) for limit in LIMITS]
    assert len(rows) == len(set(rows))


def test_a_limit_in_a_mixing_ratio_is_compared_at_20_degrees():
    ozone = Limit(
        "us", Authority.US_NAAQS, "US NAAQS", Pollutant.O3, Statistic.MAX_8H, 0.070, date(2015, 12, 28), Unit.PPM
    )
    assert ozone.concentration_ugm3 == pytest.approx(139.67, abs=0.01)
    assert ozone.averaging_hours == 8
