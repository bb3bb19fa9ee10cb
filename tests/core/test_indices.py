"""Every index: no gaps, never falling, a band for every concentration, and `insufficient data` instead of a guess."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.indices import EDITIONS, INDICES, INSUFFICIENT, OK, SUB_INDEX, Index, Reading, find_index
from hazecast.air.indices.scales import Line, Risk, Steps
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit
from hazecast.errors import ContractError, NotKnown

SCALES = [(i, p, a, scale) for i in EDITIONS for p, scales in i.scales.items() for a, scale in scales.items()]
LINES = [pytest.param(s, id=f"{i.name} {p} {a}") for i, p, a, s in SCALES if isinstance(s, Line)]
STEPS = [pytest.param(s, id=f"{i.name} {i.version} {p} {a}") for i, p, a, s in SCALES if isinstance(s, Steps)]
AT = datetime(2026, 3, 29, 12, tzinfo=UTC)
PM25, PM10, NO2, O3, SO2, CO = Pollutant


def named(index: Index) -> str:
    return f"{index.name} {index.version}"


def hourly(**values: list[float | None]) -> pl.DataFrame:
    """One station's hours ending with AT, oldest first; None is an absent row."""
    rows = [
        {
            "pollutant": name,
            "observed_at": AT - timedelta(hours=len(series) - 1 - n),
            "concentration_ugm3": float(value),
        }
        for name, series in values.items()
        for n, value in enumerate(series)
        if value is not None
    ]
    schema = {"pollutant": pl.String, "observed_at": pl.Datetime("us", "UTC"), "concentration_ugm3": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


# The tables


@pytest.mark.parametrize("line", LINES)
def test_pieces_join_without_a_gap_at_the_resolution_of_the_table(line: Line):
    has_gaps = line.decimals is not None and not line.rounds_concentration
    step = 10**-line.decimals if has_gaps else 0
    for one, other in pairwise(line.segments):
        assert float(other.lower - one.upper) == pytest.approx(step)
        assert other.index_lower - one.index_upper == (1 if has_gaps else 0)
    assert all(s.lower < s.upper and s.index_lower < s.index_upper for s in line.segments)


@pytest.mark.parametrize("steps", STEPS)
def test_bounds_rise_and_belong_to_the_lower_band(steps: Steps):
    assert all(one < other for one, other in pairwise((0.0, *steps.uppers)))
    assert [steps.rank(upper) for upper in steps.uppers] == list(range(1, len(steps.uppers) + 1))


@pytest.mark.parametrize("index", EDITIONS, ids=named)
def test_bands_rise_and_every_scale_reaches_only_bands_that_exist(index: Index):
    assert all(one.upto < other.upto and one.level <= other.level for one, other in pairwise(index.bands))
    assert len({band.colour for band in index.bands}) == len(index.bands)
    for scales in index.scales.values():
        for steps in scales.values():
            if isinstance(steps, Steps):
                assert len(steps.uppers) + (not steps.bounded) == len(index.bands)


def test_a_concentration_between_two_integer_bounds_stays_in_the_lower_band_only_up_to_the_bound():
    """EEA writes 0-5 and 6-15: what lies between is above 5."""
    bands = [INDICES["eu-eaqi"].evaluate([Reading(PM25, "1h", c)]).band for c in (5.0, 5.4, 15.0, 15.01, 1e6)]
    assert bands == ["Good", "Fair", "Fair", "Moderate", "Extremely poor"]


def test_only_the_bands_changed_between_the_versions_of_the_european_index():
    reading = [Reading(O3, "1h", 115.0)]
    assert find_index("eu-eaqi").evaluate(reading).band == "Moderate"
    assert find_index("eu-eaqi", "before-2024").evaluate(reading).band == "Moderate"
    assert find_index("eu-eaqi", "2017").evaluate(reading).band == "Fair"
    erroneous = find_index("eu-eaqi", "before-2024").evaluate([Reading(O3, "1h", 801.0)])
    assert (erroneous.status, erroneous.band) == (INSUFFICIENT, None)
    assert "erroneous" in erroneous.notes[0]


# Properties

concentrations = st.floats(0, 1e5, allow_nan=False)


@given(st.sampled_from(SCALES), concentrations, concentrations)
def test_more_pollution_is_never_a_better_index(known, one: float, other: float):
    ranks = [known[3].rank(concentration) for concentration in sorted((one, other))]
    if None not in ranks:
        assert ranks[0] <= ranks[1]


@given(st.sampled_from(SCALES), concentrations)
def test_every_concentration_has_a_band_or_a_reason(known, concentration: float):
    index, pollutant, averaging, scale = known
    result = index.evaluate([Reading(pollutant, averaging, concentration)])
    starts = float(scale.segments[0].lower) if isinstance(scale, Line) else 0.0
    bounded = isinstance(scale, Steps) and scale.bounded and concentration > scale.top
    if concentration < starts or bounded or isinstance(scale, Risk):
        assert (result.status, result.band, result.value) == (INSUFFICIENT, None, None)
        assert result.notes
    else:
        assert result.band in {band.name for band in index.bands}
        assert (result.value is not None) == index.has_value


@given(st.sampled_from([index for index in EDITIONS if index.name != "ca-aqhi"]), st.data())
def test_the_worst_pollutant_decides(index: Index, data: st.DataObject):
    readings = [Reading(p, next(iter(s)), data.draw(st.floats(0, 300))) for p, s in index.scales.items()]
    result = index.evaluate(readings)
    ranked = [sub for sub in result.sub_indices if sub.rank is not None]
    if result.status == OK:
        worst = max(ranked, key=lambda sub: sub.rank)
        assert (result.band, result.pollutant) == (worst.band, worst.pollutant)


# Rules of single countries


def test_us_sulphur_dioxide_from_305_ppb_needs_the_24_hour_mean():
    us = INDICES["us-epa"]
    assert us.evaluate([Reading(SO2, "1h", 400)]).value == 200
    assert us.evaluate([Reading(SO2, "1h", 400), Reading(SO2, "24h", 100)]).value == 200
    assert us.evaluate([Reading(SO2, "1h", 400), Reading(SO2, "24h", 305)]).value == 201
    undefined = us.evaluate([Reading(SO2, "24h", 304)])
    assert (undefined.status, undefined.notes[0]) == (INSUFFICIENT, "SO₂ 24h: defined only from 305 ppb")
    assert us.evaluate([Reading(SO2, "1h", 40), Reading(SO2, "24h", 20)]).notes == ()


def test_us_ozone_takes_the_higher_of_8_hours_and_1_hour():
    result = INDICES["us-epa"].evaluate([Reading(O3, "8h", 0.070), Reading(O3, "1h", 0.405)])
    assert (result.value, result.averaging) == (301, "1h")
    beyond = INDICES["us-epa"].evaluate([Reading(O3, "8h", 0.3)])
    assert beyond.value == 300
    assert "no AQI above 300" in beyond.notes[0]


def test_india_needs_three_pollutants_and_particles_among_them():
    india = INDICES["in-naqi"]
    gases = [Reading(NO2, "24h", 40), Reading(SO2, "24h", 40), Reading(CO, "8h", 1)]
    assert india.evaluate(gases).status == INSUFFICIENT
    assert india.evaluate([Reading(PM25, "24h", 30), *gases[:1]]).status == INSUFFICIENT
    assert india.evaluate([Reading(PM25, "24h", 45), *gases[:2]]).value == 75
    alone = india.evaluate([Reading(PM25, "24h", 45)])
    assert (alone.status, alone.value) == (SUB_INDEX, 75)


def test_two_averages_of_one_pollutant_are_still_one_pollutant():
    ozone = INDICES["in-naqi"].evaluate([Reading(O3, "8h", 250), Reading(O3, "1h", 478)])
    assert (ozone.status, ozone.value) == (SUB_INDEX, 350)


def test_india_goes_on_above_its_table_to_500_and_says_so():
    results = [INDICES["in-naqi"].evaluate([Reading(PM25, "24h", c)]) for c in (250, 263, 1000)]
    assert [result.value for result in results] == [400, 410, 500]
    assert "no official upper bound" in results[1].notes[-2]


def test_india_ozone_above_208_is_judged_by_its_hour():
    readings = [Reading(O3, "8h", 250), Reading(O3, "1h", 478), Reading(PM25, "24h", 1), Reading(PM10, "24h", 1)]
    assert INDICES["in-naqi"].evaluate(readings).value == 350


@pytest.mark.parametrize("year", [2012, 2026])
def test_china_names_a_primary_pollutant_only_above_50_and_ends_at_500(year: int):
    china = INDICES[f"cn-hj633-{year}"]
    assert china.evaluate([Reading(PM25, "24h", 35)]).dominant_pollutant is None
    assert china.evaluate([Reading(PM25, "24h", 36)]).dominant_pollutant is PM25
    assert china.evaluate([Reading(PM25, "24h", 900)]).value == 500
    assert china.evaluate([Reading(SO2, "1h", 900)]).value == 200
    assert china.evaluate([Reading(O3, "8h", 900)]).value == 300
    assert china.evaluate([Reading(SO2, "24h", 475)]).value == 150


def test_canada_is_no_index_of_one_pollutant():
    result = INDICES["ca-aqhi"].evaluate([Reading(PM25, "3h", 100)])
    assert (result.status, result.value, result.band) == (INSUFFICIENT, None, None)


# Units


def test_units_are_converted_at_the_index_own_temperature():
    us = INDICES["us-epa"].evaluate([Reading(O3, "8h", 137.33, Unit.UGM3)])
    assert us.concentration == pytest.approx(0.0700, abs=1e-5)
    daqi = INDICES["uk-daqi"].evaluate([Reading(NO2, "1h", 100, Unit.PPB)])
    assert daqi.concentration == pytest.approx(191.25, abs=0.01)
    china = INDICES["cn-hj633-2026"].evaluate([Reading(NO2, "1h", 100, Unit.PPB)])
    assert china.concentration == pytest.approx(188.04, abs=0.01)
    assert INDICES["fi-hsy"].evaluate([Reading(CO, "1h", 4_000, Unit.UGM3)]).band == "Good"
    with pytest.raises(ContractError, match="molar mass"):
        INDICES["us-epa"].evaluate([Reading(PM25, "24h", 10, Unit.PPB)])


# Refusals


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_what_is_no_concentration_is_refused(wrong: float):
    with pytest.raises(ContractError, match="≥ 0"):
        INDICES["us-epa"].evaluate([Reading(PM25, "24h", wrong)])


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(NotKnown, match="us-epa, eu-eaqi"):
        find_index("moon")
    with pytest.raises(NotKnown, match="2024, before-2024, 2017"):
        find_index("eu-eaqi", "1999")
    with pytest.raises(NotKnown, match="24h, nowcast"):
        INDICES["us-epa"].evaluate([Reading(PM25, "1h", 1)])
    with pytest.raises(NotKnown, match="pm25, pm10, o3, no2, so2"):
        INDICES["eu-eaqi"].evaluate([Reading(CO, "1h", 1)])


def test_nothing_at_all_is_insufficient():
    result = INDICES["eu-eaqi"].evaluate([])
    assert (result.status, result.band, result.dominant_pollutant) == (INSUFFICIENT, None, None)


def test_an_answer_is_plain_json():
    result = INDICES["cn-hj633-2026"].evaluate([Reading(PM25, "24h", 90)])
    plain = json.loads(json.dumps(result.as_dict()))
    assert plain["index"] == "cn-hj633-2026"
    assert plain["version"] == "HJ 633-2026"
    assert plain["advice"]["sensitive"]
    assert plain["colour_blind_safe"] != plain["colour"]
    assert plain["sub_indices"] == [
        {
            "pollutant": "pm25",
            "averaging": "24h",
            "concentration": 90,
            "unit": "ugm3",
            "value": 128,
            "band": "轻度污染 (Lightly Polluted)",
        }
    ]


# From hourly means


def test_an_hour_is_averaged_as_each_country_does_it():
    hours = hourly(pm25=[20.0] * 24, pm10=[30.0] * 24, no2=[10.0] * 23 + [90.0], o3=[60.0] * 24, so2=[5.0] * 24)
    assert INDICES["eu-eaqi"].from_hourly(hours, AT).band == "Poor"  # NO₂ of this hour
    assert INDICES["uk-daqi"].from_hourly(hours, AT).value == 2
    assert INDICES["in-naqi"].from_hourly(hours, AT).averaging == "8h"
    assert INDICES["cn-hj633-2012"].from_hourly(hours, AT).value == 45
    us = INDICES["us-epa"].from_hourly(hours, AT)
    assert (us.pollutant, us.averaging, us.value) == (PM25, "nowcast", 71)
    assert INDICES["ca-aqhi"].from_hourly(hours, AT).status == OK


def test_only_hours_up_to_the_asked_one_count():
    hours = hourly(pm25=[10.0] * 24 + [500.0])
    result = INDICES["uk-daqi"].from_hourly(hours, AT - timedelta(hours=1))
    assert result.concentration == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("name", "present", "status"),
    [
        ("uk-daqi", 18, OK),
        ("uk-daqi", 17, INSUFFICIENT),
        ("in-naqi", 16, SUB_INDEX),
        ("in-naqi", 15, INSUFFICIENT),
        ("cn-hj633-2026", 20, OK),
        ("cn-hj633-2026", 19, INSUFFICIENT),
    ],
)
def test_a_day_needs_its_hours(name: str, present: int, status: str):
    result = INDICES[name].from_hourly(hourly(pm25=[None] * (24 - present) + [10.0] * present), AT)
    assert result.status == status
    assert (result.band is None) == (status == INSUFFICIENT)
    assert any("too few hours" in note for note in result.notes) == (status == INSUFFICIENT)


def test_no_hour_now_means_no_hourly_index_now():
    hours = hourly(pm25=[10.0, 10.0, None])
    assert INDICES["eu-eaqi"].from_hourly(hours, AT).status == INSUFFICIENT
    assert INDICES["fi-hsy"].from_hourly(hours, AT).status == INSUFFICIENT
    assert INDICES["us-epa"].from_hourly(hours, AT).value == 53  # two of the newest three hours are enough


def test_what_hourly_means_cannot_tell_is_said():
    result = INDICES["uk-daqi"].from_hourly(hourly(so2=[900.0] * 24, no2=[10.0] * 24), AT)
    assert (result.value, result.pollutant) == (1, NO2)
    assert "SO₂: hourly means are too coarse" in result.notes


def test_our_ozone_is_read_at_our_temperature():
    result = INDICES["us-epa"].from_hourly(hourly(o3=[1.9953 * 100.0]), AT)
    assert result.concentration == pytest.approx((0.85 * 100 + 4.5) / 1000, abs=1e-5)


def test_noise_below_zero_is_clean_air():
    result = INDICES["eu-eaqi"].from_hourly(hourly(no2=[-2.0]), AT)
    assert (result.band, result.concentration) == ("Good", 0.0)


def test_two_stations_make_no_index():
    hours = pl.concat([hourly(pm25=[1.0]), hourly(pm25=[2.0])])
    with pytest.raises(ContractError, match="one station"):
        INDICES["eu-eaqi"].from_hourly(hours, AT)


@pytest.mark.parametrize("index", INDICES.values(), ids=lambda index: index.name)
def test_severity_ranks_hours_of_one_band_and_agrees_with_the_bands(index: Index):
    for pollutant in index.scales:
        scale = index.scale(pollutant, index.usual_averaging(pollutant))
        levels = np.linspace(0.0, min(scale.top, 1e4) * 1.5, 400)
        severity = scale.severity(levels)
        assert severity[0] == 0
        assert (np.diff(severity) > 0).all()
        ranks = np.array([scale.rank(level) or np.nan for level in levels])
        assert np.all(np.diff(ranks[np.argsort(severity)])[~np.isnan(np.diff(ranks))] >= 0)


def test_severity_takes_the_worst_pollutant_and_is_unknown_without_one():
    index = INDICES["eu-eaqi"]
    hours = {"pm25": np.array([2.5, 80.0, np.nan]), "no2": np.array([15.0, np.nan, np.nan])}
    found = index.severity(hours)
    assert found[1] > found[0] > 0
    assert np.isnan(found[2])
    assert np.isnan(index.severity({"co": np.array([500.0])})).all()


@pytest.mark.parametrize(
    ("pollutant", "concentration", "value"),
    [(CO, 2.04, 50), (CO, 2.06, 53), (PM25, 75.3, 100), (PM25, 75.5, 102), (PM25, 76.5, 102)],
)
def test_china_rounds_the_concentration_first_halves_to_the_even_digit(pollutant, concentration: float, value: int):
    assert INDICES["cn-hj633-2012"].evaluate([Reading(pollutant, "24h", concentration)]).value == value
