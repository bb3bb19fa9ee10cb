"""Every rule of the quality check: what it catches, what it leaves alone, and how batches join."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.air.distance import without_null_island
from hazecast.air.tables import FetchedObservations, Observations, Quality, Weather, conform
from hazecast.quality import CONTEXT_HOURS, RULES, check_background, check_weather, flag, report, verdict
from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import Flatline, SimulatedSource, Spikes, UnitMistake

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 2, 1, tzinfo=UTC)


def fetched(values: list[float | None], pollutant: str = "pm25", *, station: str = "a", since: datetime = START):
    hours = [since + timedelta(hours=hour) for hour in range(len(values))]
    frame = pl.DataFrame({"observed_at": hours, "concentration_ugm3": values}).drop_nulls()
    return frame.with_columns(
        pl.col("concentration_ugm3").cast(pl.Float64),
        station_id=pl.lit(station),
        pollutant=pl.lit(pollutant),
        source=pl.lit("test"),
        available_at=pl.col("observed_at") + timedelta(hours=1),
    ).select(FetchedObservations.column_names())


def reasons(values: list[float | None], pollutant: str = "pm25") -> list[str]:
    return flag(fetched(values, pollutant), recent=None, now=NOW).rows["flag_reasons"].to_list()


def test_ordinary_air_is_ok_and_keeps_every_value():
    values = [8.0, 9.5, 12.0, 30.0, 22.0, -1.5]
    rows = flag(fetched(values), recent=None, now=NOW).rows
    assert rows["flag"].unique().to_list() == ["ok"]
    assert rows["flag_reasons"].unique().to_list() == [""]
    assert rows["concentration_ugm3"].to_list() == values
    assert rows["ingested_at"].unique().to_list() == [NOW]


@pytest.mark.parametrize(
    ("value", "pollutant", "reason", "earned"),
    [
        (-999.0, "o3", "sentinel", "invalid"),
        (-99.0, "co", "sentinel", "invalid"),
        (9999.0, "no2", "sentinel", "invalid"),
        (985.0, "pm25", "sentinel", "invalid"),
        (-10.5, "pm25", "negative", "invalid"),
        (-5.5, "o3", "negative", "invalid"),
        (10_001.0, "pm25", "impossible", "invalid"),
        (101_000.0, "co", "impossible", "invalid"),
        (501.0, "no2", "high", "suspicious"),
        (985.0, "co", "", "ok"),
        (-10.0, "pm25", "", "ok"),
        (500.0, "no2", "", "ok"),
        (999.0, "pm10", "", "ok"),
    ],
)
def test_values_beyond_the_plausible(value: float, pollutant: str, reason: str, earned: str):
    row = flag(fetched([value], pollutant), recent=None, now=NOW).rows.row(0, named=True)
    assert (row["flag_reasons"], row["flag"], row["concentration_ugm3"]) == (reason, earned, value)


@pytest.mark.parametrize(
    ("values", "spikes"),
    [
        ([10, 12, 90, 15, 11], [2]),
        ([10, 12, 62, 15, 11], []),
        ([10, 12, 63, 80, 15], []),
        ([10, 12, 160, 170, 15, 9], [2, 3]),
        ([10, 12, 160, 170, 180, 15, 9], [2, 3, 4]),
        ([10, 12, 160, 170, 180, 175, 15, 9], []),
        ([10, 12, 14, 400, 11], [3]),
        ([10, 300], []),
        ([10, None, 300, 10], []),
        ([-999, 60, -999], []),
        ([200, 260, 320, 390, 450, 480], []),
    ],
    ids=[
        "one hour",
        "just not",
        "a step up is no spike",
        "two hours",
        "three hours",
        "four hours are an episode",
        "calm neighbour of a spike",
        "newest hour",
        "next to a gap",
        "sentinels are no neighbours",
        "smoke comes and stays",
    ],
)
def test_particle_spikes(values: list[float | None], spikes: list[int]):
    present = [hour for hour, value in enumerate(values) if value is not None]
    found = [hour for hour, reason in zip(present, reasons(values), strict=True) if "spike" in reason]
    assert found == spikes


def test_gases_may_jump():
    assert reasons([10, 12, 150, 15], "no2") == [""] * 4


@pytest.mark.parametrize(
    ("value", "hours", "pollutant", "is_stuck"),
    [
        (12.0, 6, "pm25", True),
        (12.0, 5, "pm25", False),
        (7.3, 6, "o3", True),
        (2.0, 6, "so2", False),
        (2.0, 47, "so2", False),
        (2.0, 204, "so2", True),
        (0.0, 48, "pm10", True),
        (300.0, 12, "co", False),
        (1200.0, 12, "co", True),
    ],
)
def test_a_flatline_is_suspicious_unless_the_instrument_counts_in_such_steps(value, hours, pollutant, is_stuck):
    rows = flag(fetched([value] * hours, pollutant), recent=None, now=NOW).rows
    assert rows["flag"].unique().to_list() == ["suspicious" if is_stuck else "ok"]
    assert rows["flag_reasons"].unique().to_list() == ["flatline" if is_stuck else ""]


def test_a_gap_or_another_station_ends_a_flatline():
    assert reasons([12.0] * 3 + [None] + [12.0] * 3) == [""] * 6
    both = pl.concat(
        [fetched([12.0] * 3, station="a"), fetched([12.0] * 3, station="b", since=START + timedelta(hours=3))]
    )
    assert flag(both, recent=None, now=NOW).rows["flag"].unique().to_list() == ["ok"]


def test_pm25_above_pm10_flags_both():
    both = pl.concat([fetched([20.0, 27.0, 28.0], "pm25"), fetched([20.0, 20.0, 20.0], "pm10")])
    rows = flag(both, recent=None, now=NOW).rows
    odd = rows.filter(pl.col("flag_reasons") == "pm25_above_pm10")
    assert odd["observed_at"].unique().to_list() == [START + timedelta(hours=2)]
    assert sorted(odd["pollutant"].to_list()) == ["pm10", "pm25"]


def test_a_sentinel_is_not_compared_with_the_other_particle_size():
    both = pl.concat([fetched([20.0], "pm25"), fetched([-999.0], "pm10")])
    assert flag(both, recent=None, now=NOW).rows.sort("pollutant")["flag"].to_list() == ["invalid", "ok"]


def test_exact_repeats_collapse_and_conflicts_keep_the_newest_with_a_flag():
    first, same, newer = fetched([10.0, 20.0]), fetched([10.0]), fetched([None, 25.0])
    newer = newer.with_columns(pl.col("available_at") + timedelta(days=1))
    result = flag(pl.concat([newer, first, same]), recent=None, now=NOW)
    assert result.rows.select("concentration_ugm3", "flag", "flag_reasons").rows() == [
        (10.0, "ok", ""),
        (25.0, "suspicious", "conflict"),
    ]
    assert result.series.rows() == [("a", "pm25", 2)]


def placed(**latitudes: float | None) -> pl.DataFrame:
    rows = [{"station_id": name, "latitude": latitude, "longitude": 25.0} for name, latitude in latitudes.items()]
    return pl.DataFrame(rows, schema={"station_id": pl.String, "latitude": pl.Float64, "longitude": pl.Float64})


@pytest.mark.parametrize(
    ("stations", "other_ugm3", "flagged"),
    [
        (placed(a=60.0, b=60.4), 300.0, "ok"),
        (placed(a=60.0, b=60.4), 200.0, "suspicious"),
        (placed(a=60.0, b=60.5), 300.0, "suspicious"),
        (placed(a=60.0, b=None), 300.0, "suspicious"),
        (placed(a=60.0), 300.0, "suspicious"),
    ],
    ids=["45 km away, smoky too", "little smoke there", "56 km away", "no coordinates", "no such station"],
)
def test_a_neighbour_confirms_smoke(stations: pl.DataFrame, other_ugm3: float, flagged: str):
    both = pl.concat([fetched([200.0, 520.0, 525.0]), fetched([other_ugm3] * 2 + [other_ugm3 + 1], station="b")])
    rows = flag(both, recent=None, now=NOW, stations=stations).rows
    assert rows.filter(pl.col("station_id") == "a")["flag"].to_list()[1] == flagged


def test_what_breaks_several_rules_carries_all_reasons_and_the_worst_flag():
    twice = pl.concat([fetched([10.0, 20_000.0, 10.0]), fetched([None, 15_000.0])])
    row = flag(twice, recent=None, now=NOW).rows.row(1, named=True)
    assert (row["flag"], row["flag_reasons"]) == ("invalid", "impossible,conflict")


def test_the_newest_hour_is_flagged_once_its_neighbour_arrives():
    stored = flag(fetched([10.0, 11.0, 120.0]), recent=None, now=NOW).rows
    assert stored["flag"].to_list() == ["ok"] * 3
    later = NOW + timedelta(hours=1)
    result = flag(fetched([12.0], since=START + timedelta(hours=3)), recent=stored, now=later)
    assert result.rows["flag"].to_list() == ["ok"]
    revised = result.revised.row(0, named=True)
    assert (revised["concentration_ugm3"], revised["flag_reasons"], revised["ingested_at"]) == (120.0, "spike", later)
    assert result.revised.height == 1


def test_a_refetched_hour_replaces_the_stored_one_without_being_a_conflict():
    stored = flag(fetched([10.0, -999.0]), recent=None, now=NOW).rows
    result = flag(fetched([10.0, 14.0]), recent=stored, now=NOW)
    assert result.rows["flag"].to_list() == ["ok", "ok"]
    assert result.revised.is_empty()
    assert result.series["n_duplicate"].to_list() == [0]


def test_stored_reasons_outlive_the_context_that_gave_them():
    stored = flag(fetched([12.0] * 8), recent=None, now=NOW).rows
    cut = stored.tail(3)
    assert flag(fetched([13.0], since=START + timedelta(hours=8)), recent=cut, now=NOW).revised.is_empty()


VALUES = st.lists(
    st.one_of(st.none(), st.sampled_from([2.0, 12.0, 12.5, 13.0, 90.0, 150.0, 300.0, 700.0, -999.0, -20.0])),
    min_size=2,
    max_size=80,
)


@settings(max_examples=30, deadline=None)
@given(fine=VALUES, coarse=VALUES, cut=st.integers(1, 79))
def test_two_batches_are_judged_like_one(fine: list[float | None], coarse: list[float | None], cut: int):
    whole = pl.concat([fetched(fine, "pm25"), fetched(coarse, "pm10")])
    is_first = pl.col("observed_at") < START + timedelta(hours=cut)
    first = flag(whole.filter(is_first), recent=None, now=NOW).rows
    second = flag(whole.filter(~is_first), recent=first, now=NOW)
    key = ["station_id", "pollutant", "observed_at"]
    stored = pl.concat([first.join(second.revised, on=key, how="anti"), second.revised, second.rows]).sort(key)
    assert stored.equals(flag(whole, recent=None, now=NOW).rows.sort(key))


@settings(max_examples=40, deadline=None)
@given(values=VALUES)
def test_nothing_is_altered_lost_or_flagged_without_a_known_reason(values: list[float | None]):
    batch = fetched(values)
    rows = flag(batch, recent=None, now=NOW).rows
    assert rows.select(batch.columns).sort("observed_at").equals(batch)
    reasons = rows.with_columns(pl.col("flag_reasons").str.split(",")).explode("flag_reasons")
    for earned, reason in reasons.select("flag", "flag_reasons").rows():
        assert reason == "" if earned == "ok" else RULES[reason] == "suspicious" or earned == "invalid"


def test_an_empty_batch_is_reported():
    empty = FetchedObservations.create_empty()
    stored = flag(fetched([10.0]), recent=None, now=NOW).rows
    result = flag(empty, recent=stored, now=NOW)
    assert result.rows.is_empty()
    assert result.revised.is_empty()
    found = report(result, since=START, until=START + timedelta(hours=4), now=NOW)
    assert found.select("n_expected", "n_observed", "completeness").rows() == [(4, 0, 0.0)]
    assert "nothing was observed" in str(verdict(found))
    assert "nothing was observed" in str(verdict(Quality.create_empty()))


def test_missing_value_codes_count_as_missing_even_where_they_are_most_of_a_batch():
    batch = pl.concat([fetched([-999.0] * 30, "no2"), fetched([-9999.0] * 30, "o3"), fetched([10.0, 11.0] * 10)])
    found = report(flag(batch, recent=None, now=NOW), since=START, until=START + timedelta(hours=30), now=NOW)
    assert verdict(found) is None
    assert found.sort("pollutant")["n_observed"].to_list() == [0, 0, 20]
    only_codes = flag(fetched([-999.0] * 30), recent=None, now=NOW)
    refused = verdict(report(only_codes, since=START, until=START + timedelta(hours=30), now=NOW))
    assert "every value is a missing-value code" in str(refused)


@pytest.mark.parametrize("code", [-200.0, -99.9, -999.99, -9999.9, 99999.0])
def test_the_usual_codes_are_sentinels(code: float):
    assert reasons([10.0, code, 11.0]) == ["", "sentinel", ""]


def test_a_repeated_minus_one_is_a_code_but_noise_around_zero_is_not():
    assert reasons([20.0, -1.0, 35.0, -1.0, -1.0, 28.0]) == ["", "sentinel", "", "sentinel", "sentinel", ""]
    assert reasons([2.0, -1.0, 0.4, -1.0, -0.6, -1.0, 1.0]) == [""] * 7
    assert reasons([20.0, -1.0, 35.0, 30.0]) == [""] * 4


def test_a_series_in_another_unit_is_invalid_with_the_likely_unit():
    hours = range(48)
    co_mgm3, o3_ppm = [0.2 + 0.01 * (hour % 24) for hour in hours], [0.02 + 0.001 * (hour % 24) for hour in hours]
    batch = pl.concat([fetched(co_mgm3, "co"), fetched(o3_ppm, "o3"), fetched([8.0 + hour % 5 for hour in hours])])
    result = flag(batch, recent=None, now=NOW)
    flags = result.rows.group_by("pollutant").agg(pl.col("flag").unique()).sort("pollutant")["flag"].to_list()
    assert flags == [["invalid"], ["invalid"], ["ok"]]
    assert "co at a looks like mg/m³ or ppm (median 0.31" in result.unit_summary
    assert "o3 at a" in result.unit_summary


def test_clean_air_is_not_mistaken_for_another_unit():
    clean = {"pm25": 1.5, "pm10": 3.0, "no2": 0.4, "o3": 60.0, "so2": 0.2, "co": 110.0}
    for pollutant, level in clean.items():
        rows = flag(fetched([level * (0.5 + 0.1 * (hour % 11)) for hour in range(48)], pollutant), recent=None, now=NOW)
        assert rows.unit_summary == "", pollutant


def test_what_the_source_marks_invalid_is_invalid():
    marked = fetched([10.0, 420.0, 11.0]).with_columns(flag_reasons=pl.Series(["", "reported", ""]))
    assert flag(marked, recent=None, now=NOW).rows["flag_reasons"].to_list() == ["", "reported", ""]


def test_smoke_that_goes_on_and_a_firework_seen_by_neighbours_are_ok():
    smoke = [300.0, 480.0, 760.0, 1100.0, 1310.0, 1000.0, 640.0]
    assert flag(fetched(smoke), recent=None, now=NOW).rows["flag"].unique().to_list() == ["ok"]
    fireworks = pl.concat([fetched([12.0, peak, 14.0], station=name) for name, peak in (("a", 310.0), ("b", 350.0))])
    near = placed(a=60.0, b=60.04)
    assert flag(fireworks, recent=None, now=NOW, stations=near).rows["flag"].unique().to_list() == ["ok"]
    assert "spike" in flag(fireworks, recent=None, now=NOW).rows["flag_reasons"].to_list()


@pytest.mark.parametrize(("pollutant", "values"), [("pm25", (620.0, 640.0, 600.0)), ("pm10", (8000.0, 7900.0, 7000.0))])
def test_a_jump_that_stays_is_confirmed_by_neighbours_only(pollutant: str, values: tuple[float, ...]):
    jump = [20.0, 22.0, *values, 21.0, 24.0]
    lone = flag(fetched(jump, pollutant), recent=None, now=NOW).rows["flag"].to_list()
    assert [word == "ok" for word in lone] == [True, True, False, False, False, True, True]
    both = pl.concat(fetched(jump, pollutant, station=name) for name in ("a", "b"))
    assert set(flag(both, recent=None, now=NOW, stations=placed(a=60.0, b=60.04)).rows["flag"]) == {"ok"}
    nowhere = placed(a=0.0, b=0.0).with_columns(longitude=pl.lit(0.0))
    assert (
        "suspicious" in flag(both, recent=None, now=NOW, stations=without_null_island(nowhere)).rows["flag"].to_list()
    )


def test_dust_that_rises_over_hours_is_ok():
    dust = [300.0, 500.0, 900.0, 1600.0, 2800.0, 4500.0, 6500.0, 8000.0, 7000.0, 5500.0, 4000.0, 2800.0, 1800.0]
    assert set(flag(fetched(dust, "pm10"), recent=None, now=NOW).rows["flag"]) == {"ok"}


def test_weather_codes_other_units_and_stuck_sensors_become_null():
    hours = [START + timedelta(hours=hour) for hour in range(60)]
    good = {
        "temperature_c": [8.0 + 4 * (n % 24) / 24 for n in range(60)],
        "pressure_hpa": [1010 + n / 7 for n in range(60)],
    }
    frame = pl.DataFrame(
        {
            "station_id": ["a"] * 60,
            "valid_at": hours,
            "issued_at": pl.Series([None] * 60, dtype=pl.Datetime("us", "UTC")),
            **good,
            "dew_point_c": [281.0 + n / 10 for n in range(60)],
            "precipitation_mm": [0.0] * 60,
            "wind_direction_deg": [230.0] * 60,
            "wind_speed_ms": [4.0 + n % 3 for n in range(60)],
            "relative_humidity_pct": [0.8 + (n % 10) / 100 for n in range(60)],
            "source": ["test"] * 60,
            "available_at": hours,
        }
    )
    codes = pl.int_range(pl.len()) == 3
    spoilt = frame.with_columns(
        temperature_c=pl.when(codes).then(999.9).otherwise("temperature_c"),
        wind_speed_ms=pl.when(codes).then(99.9).otherwise("wind_speed_ms"),
    )
    result = check_weather(spoilt)
    assert result.rows["temperature_c"].to_list()[2:5] == [good["temperature_c"][2], None, good["temperature_c"][4]]
    assert result.rows["wind_speed_ms"].null_count() == 1
    assert result.rows["dew_point_c"].count() == result.rows["relative_humidity_pct"].count() == 0
    assert "60 dew_point_c (looks like Kelvin)" in result.summary
    stuck = check_weather(frame.with_columns(temperature_c=pl.lit(8.0)))
    assert stuck.rows["temperature_c"].count() == 0
    assert check_weather(frame.with_columns(dew_point_c=1.0, relative_humidity_pct=80.0)).rejected == {
        "dew_point_c stuck": 60
    }


@pytest.mark.parametrize("code", [-7654.0, -12.5, 777.0, 888.0, 999.0, 999.9, 8888.0, 32767.0, 65535.0])
def test_a_code_that_repeats_far_above_or_below_the_rest_is_missing(code: float):
    air = [20.0 + n % 7 for n in range(30)]
    assert set(reasons([*air[:10], code, *air[:5], code, code, *air])) == {"", "sentinel"}
    assert "sentinel" not in ",".join(reasons([*air, code, *air]))


def test_a_value_like_a_code_is_real_in_smoke_that_reaches_it():
    smoke = [300.0, 520.0, 810.0, 999.0, 999.0, 999.0, 820.0, 500.0]
    assert set(reasons(smoke)) == {""}


@pytest.mark.parametrize("fill", [1e20, 1e36, -1e34, 9.96921e36])
def test_a_fill_value_is_missing(fill: float):
    assert reasons([10.0, fill, 11.0]) == ["", "sentinel", ""]


def test_zeros_of_particles_in_dirty_air_stand_still():
    dirty, clean = [30.0 + n % 7 for n in range(12)], [1.0, 2.0, 3.0, 2.0] * 3
    assert reasons([*dirty, *[0.0] * 6, *dirty]).count("flatline") == 6
    assert set(reasons([*clean, *[0.0] * 6, *clean])) == {""}


def test_a_background_model_loses_codes_impossible_values_and_series_in_another_unit():
    hours = [START + timedelta(hours=hour) for hour in range(24)]
    series = {"pm25": [12.0] * 22 + [-999.0, 1e20], "o3": [0.04] * 24, "no2": [20.0] * 24}
    rows = pl.concat(
        pl.DataFrame({"valid_at": hours, "concentration_ugm3": values}).with_columns(
            station_id=pl.lit("a"), pollutant=pl.lit(name)
        )
        for name, values in series.items()
    )
    kept, left_out = check_background(rows)
    assert kept.group_by("pollutant").len().sort("pollutant").rows() == [("no2", 24), ("pm25", 22)]
    assert left_out == "left out: 2 outside the range of air, 24 that look like mg/m³ or ppm"


def test_one_station_in_another_unit_loses_its_weather_only():
    hours = [START + timedelta(hours=hour) for hour in range(24)]
    both = pl.concat(
        Weather.create_empty()
        .clear(24)
        .with_columns(
            station_id=pl.lit(station),
            valid_at=pl.Series(hours),
            temperature_c=pl.Series([at + k / 10 for k in range(24)]),
        )
        for station, at in (("a", 8.0), ("b", 70.0))
    )
    checked = check_weather(both)
    assert checked.rejected == {"temperature_c (looks like Fahrenheit)": 24}
    assert checked.rows.group_by("station_id").agg(pl.col("temperature_c").count()).sort("station_id").rows() == [
        ("a", 24),
        ("b", 0),
    ]


def test_the_report_counts_by_series_and_lists_the_reasons():
    batch = pl.concat([fetched([10.0, 100.0, 10.0, -999.0]), fetched([30.0, 31.0], "o3"), fetched([30.0], "o3")])
    found = report(flag(batch, recent=None, now=NOW), since=START, until=START + timedelta(hours=4), now=NOW)
    columns = ["pollutant", "n_expected", "n_observed", "completeness", "n_suspicious", "n_invalid", "n_duplicate"]
    assert found.sort("pollutant").select(*columns, "reasons").rows() == [
        ("o3", 4, 2, 0.5, 0, 0, 1, ""),
        ("pm25", 4, 3, 0.75, 1, 0, 0, "sentinel 1, spike 1"),
    ]
    assert verdict(found) is None


def test_a_series_gone_silent_stays_in_the_report():
    stored = flag(pl.concat([fetched([10.0]), fetched([40.0], "o3")]), recent=None, now=NOW).rows
    since = START + timedelta(hours=1)
    result = flag(fetched([11.0], since=since), recent=stored, now=NOW)
    found = report(result, since=since, until=since + timedelta(hours=1), now=NOW)
    assert found.sort("pollutant").select("pollutant", "completeness").rows() == [("o3", 0.0), ("pm25", 1.0)]


def test_a_batch_mostly_invalid_is_refused_with_the_worst_series():
    batch = pl.concat([fetched([-50.0, -51.0, -52.0]), fetched([40.0, 41.0], "o3")])
    found = report(flag(batch, recent=None, now=NOW), since=START, until=START + timedelta(hours=3), now=NOW)
    assert "3 of 5 observations are invalid, most of them pm25 at a (negative 3)" in str(verdict(found))


def test_times_of_a_report_are_utc_whatever_zone_they_are_given_in():
    tokyo = datetime.fromisoformat("2024-01-01T09:00+09:00")
    found = report(
        flag(fetched([10.0]), recent=None, now=NOW), since=tokyo, until=tokyo + timedelta(hours=1), now=tokyo
    )
    assert found.select("window_start", "checked_at", "completeness").row(0) == (START, START, 1.0)


@pytest.mark.parametrize(
    ("fault", "pollutant", "reason"),
    [
        (Spikes(height_ugm3=300.0, share=0.05, since=START, until=START + timedelta(days=5)), "pm25", "spike"),
        (Flatline(stuck_at_ugm3=17.0, since=START, until=START + timedelta(days=5)), "o3", "flatline"),
        (UnitMistake(factor=1000.0, since=START, until=START + timedelta(days=5)), "co", "impossible"),
    ],
    ids=["spikes", "flatline", "wrong unit"],
)
def test_faults_of_the_simulated_network_are_found_and_its_healthy_air_is_not_flagged(fault, pollutant, reason):
    window = {"since": START, "until": START + timedelta(days=10)}
    healthy = flag(SimulatedSource(seed=3).fetch_observations(**window), recent=None, now=NOW).rows
    assert (healthy["flag"] != "ok").mean() < 0.005
    ill = flag(SimulatedSource(seed=3, faults=[fault]).fetch_observations(**window), recent=None, now=NOW).rows
    caught = ill.filter(pl.col("pollutant") == pollutant, pl.col("flag_reasons").str.contains(reason))
    assert caught.height >= 20
    assert caught["observed_at"].max() < fault.until


SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real datasets next to the checkout (../shared/data)")
@pytest.mark.parametrize(
    ("dataset", "days", "most_suspicious"),
    [("beijing", 400, 0.05), ("valencia", 2000, 0.10), ("kathmandu", 4000, 0.02), ("us_wildfire", 2000, 0.02)],
)
def test_real_air_is_mostly_ok(dataset: str, days: int, most_suspicious: float):
    source = FilesSource(SHARED / dataset)
    _, until = source.fetch_span()
    rows = flag(source.fetch_observations(since=until - timedelta(days=days), until=until), recent=None, now=NOW).rows
    assert 0 < (rows["flag"] == "suspicious").mean() < most_suspicious
    assert (rows["flag"] == "invalid").mean() < 0.001


def test_the_context_reaches_as_far_as_the_slowest_rule():
    stuck = [2.0] * CONTEXT_HOURS
    assert reasons(stuck, "so2") == ["flatline"] * CONTEXT_HOURS
    assert reasons(stuck[:-1], "so2") == [""] * (CONTEXT_HOURS - 1)


def test_flagged_rows_fulfil_the_contract_of_the_store():
    rows = flag(fetched([10.0, -999.0, 10.0]), recent=None, now=NOW).rows
    assert conform(Observations, rows).equals(rows)


def test_every_rule_is_documented_with_the_flag_it_earns():
    documented = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for rule, earned in RULES.items():
        assert f"| `{rule}` | {earned} |" in documented
