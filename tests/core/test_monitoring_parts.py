"""The measures of drift by hand and by their laws, and what the decision to retrain rests on."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hazecast.errors import ContractError
from hazecast.monitoring import Finding, Subject, as_health, decide, drift, horizon_findings, worst
from hazecast.monitoring.drift import drift_findings, ks, psi, reference_windows, wasserstein
from hazecast.monitoring.equal_weather import WEATHER
from hazecast.sources.simulated import SimulatedSource

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SAMPLE = arrays(np.float64, st.integers(50, 200), elements=st.floats(0, 100))


@given(SAMPLE)
def test_a_sample_does_not_differ_from_itself(values: np.ndarray):
    assert psi(values, values) == pytest.approx(0, abs=1e-9)
    assert ks(values, values) == 0
    assert wasserstein(values, values) == 0


@given(SAMPLE, SAMPLE)
def test_distances_are_never_negative(one: np.ndarray, other: np.ndarray):
    assert psi(one, other) >= 0
    assert 0 <= ks(one, other) <= 1
    assert wasserstein(one, other) >= 0


def test_a_shift_by_hand():
    reference = np.arange(1000.0)
    assert ks(reference + 1000, reference) == 1
    assert ks(reference + 100, reference) == pytest.approx(0.1, abs=0.002)
    assert wasserstein(reference + 100, reference) == pytest.approx(100 / reference.std())
    # One bin of ten empties into the last: shares 0 and 0.2 against 0.1, smoothed by half a case.
    low, high, tenth = 0.5 / 1005, 200.5 / 1005, 100.5 / 1005
    expected = (low - tenth) * np.log(low / tenth) + (high - tenth) * np.log(high / tenth)
    assert psi(reference + 100, reference) == pytest.approx(expected, rel=1e-6)


def test_the_reference_is_the_same_season():
    spans = reference_windows(NOW)
    assert len(spans) == 3
    assert spans[0][0].month == 4
    assert (NOW - spans[0][1]).days == 335
    assert [span[0].year for span in spans] == [2025, 2024, 2023]
    assert max(span[1] for span in spans) < NOW - timedelta(days=300)


def series(value_at, *, days: int = 800) -> pl.DataFrame:
    start = NOW - timedelta(days=days)
    hours = [start + timedelta(hours=h) for h in range(days * 24)]
    rng = np.random.default_rng(2)
    values = [
        value_at(at) * float(np.exp(0.4 * noise)) for at, noise in zip(hours, rng.normal(size=len(hours)), strict=True)
    ]
    at = pl.Series(hours, dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame({"station_id": "a", "variable": "pm25", "at": at, "value": values})


def seasonal(at: datetime) -> float:
    return 20 + 15 * np.cos(2 * np.pi * at.timetuple().tm_yday / 365)


def test_a_season_is_not_drift():
    (found,) = drift(series(seasonal), now=NOW).to_dicts()
    assert found["verdict"] == "ok"
    assert found["n"] == 28 * 24
    everything = series(seasonal)["value"].to_numpy()
    assert psi(everything[-28 * 24 :], everything) > 0.25  # against the whole year it would have been


def test_a_change_of_level_is_drift_and_says_how_much():
    changed = series(lambda at: seasonal(at) * (3 if at > NOW - timedelta(days=28) else 1))
    (found,) = drift(changed, now=NOW).to_dicts()
    assert found["verdict"] in ("warning", "critical")
    assert "median 3." in found["reason"] or "median 2.9" in found["reason"]


def test_what_is_mostly_zero_has_no_ratio_of_medians():
    rain = series(lambda at: 1.0 if at.hour == 4 else 0.0)
    (found,) = drift(rain, now=NOW).to_dicts()
    assert found["verdict"] == "ok"
    assert "median" not in found["reason"]


@pytest.fixture(scope="module")
def city() -> pl.DataFrame:
    """Fourteen months of four simulated stations and their weather."""
    source = SimulatedSource(n_stations=4, pollutants=("pm25", "no2"))
    span = {"since": NOW - timedelta(days=430), "until": NOW}
    observed = source.fetch_observations(**span).select(
        "station_id", variable="pollutant", at="observed_at", value="concentration_ugm3"
    )
    weather = source.fetch_weather(**span).unpivot(WEATHER, index=["station_id", "valid_at"])
    return pl.concat([observed, weather.select("station_id", "variable", at="valid_at", value="value")])


def dirtier(city: pl.DataFrame, factor: float, *, days: int) -> pl.DataFrame:
    is_air = pl.col("variable").is_in(["pm25", "no2"]) & (pl.col("at") >= NOW - timedelta(days=days))
    return city.with_columns(pl.when(is_air).then(pl.col("value") * factor).otherwise("value").alias("value"))


@pytest.mark.parametrize(("pollutant", "factor"), [("pm25", 1.7), ("no2", 1.7), ("no2", 1 / 1.7)])
def test_a_change_that_weather_hides_is_seen_at_equal_weather(city: pl.DataFrame, pollutant: str, factor: float):
    (found,) = drift_findings(drift(dirtier(city, factor, days=28), now=NOW), [pollutant])
    assert found.verdict == "warning"
    assert found.value == 1.0


def test_weeks_that_are_only_weather_are_no_change(city: pl.DataFrame):
    for days_ago in (0, 10, 20):
        now = NOW - timedelta(days=days_ago)
        found = drift_findings(drift(city.filter(pl.col("at") < now), now=now), ["pm25", "no2"])
        assert {finding.verdict for finding in found} == {"ok"}


def test_the_ratio_at_equal_weather_is_that_of_the_change(city: pl.DataFrame):
    changed = drift(dirtier(city, 2.0, days=28), now=NOW).filter(pl.col("variable") == "no2")
    quiet = drift(city, now=NOW).filter(pl.col("variable") == "no2")
    ratios = [
        np.array([float(re.search(r"([\d.]+) times it at equal weather", reason)[1]) for reason in found["reason"]])
        for found in (changed.sort("station_id"), quiet.sort("station_id"))
    ]
    assert ratios[0] / ratios[1] == pytest.approx(np.full(4, 2.0), rel=0.1)


def test_no_earlier_year_is_unknown():
    (found,) = drift(series(seasonal, days=200), now=NOW).to_dicts()
    assert (found["verdict"], found["psi"]) == ("unknown", None)
    assert "same season of earlier years" in found["reason"]


def finding(check: str, pollutant: str, block: str | None = None, verdict: str = "warning") -> Finding:
    return Finding(check, Subject(None, pollutant, block), verdict, "because", value=1.2, expected=0.8)


def test_error_comes_first_and_drift_only_where_forecasts_cannot_be_judged():
    good = finding("skill", "no2", "1-6", "ok")
    drifted = finding("drift", "no2")
    assert not decide([good, drifted], champion="1", last_justified_at=None, now=NOW).justified
    blind = finding("skill", "no2", "1-6", "unknown")
    assert decide([blind, drifted], champion="1", last_justified_at=None, now=NOW).justified
    ok = finding("skill", "pm25", "25-48", "ok")
    worse = [finding("skill", "pm25", "1-6"), finding("skill", "pm25", "7-24", "critical"), ok, good, drifted]
    decision = decide(worse, champion="1", last_justified_at=None, now=NOW)
    assert decision.reasons == ("pm25 has lost skill at 2 of 3 lead blocks, most at 1-6 h: because",)
    assert decision.evidence == {"skill pm25 1-6": 1.2, "skill pm25 7-24": 1.2, "drift no2": 1.2}


@pytest.mark.parametrize(("hours_ago", "justified"), [(6, False), (47.9, False), (48, True), (500, True)])
def test_after_a_justified_retraining_it_cools_down(hours_ago: float, justified: bool):
    earlier = NOW - timedelta(hours=hours_ago)
    decision = decide([finding("skill", "pm25", "1-6")], champion="1", last_justified_at=earlier, now=NOW)
    assert decision.justified is justified


def test_a_champion_that_does_not_forecast_is_a_cause():
    unused = Finding("champion", Subject(name="champion"), "critical", "climatology forecasts all", value=1.0)
    decision = decide([unused], champion="1", last_justified_at=None, now=NOW)
    assert decision.reasons == ("climatology forecasts all",)
    assert decision.evidence == {"champion champion": 1.0}
    assert decide([], champion=None, last_justified_at=None, now=NOW).reasons == ("there is no champion",)


def test_broken_sensors_and_late_data_are_no_reason_to_train():
    others = [finding(check, "pm25") for check in ("silent", "stuck", "neighbours", "source", "pipeline")]
    decision = decide(others, champion="1", last_justified_at=None, now=NOW)
    assert not decision.justified
    assert decision.evidence == {}


def test_one_verdict_per_check_and_subject():
    with pytest.raises(ContractError, match="health"):
        as_health([finding("stuck", "pm25")] * 2, checked_at=NOW)
    with pytest.raises(ContractError, match="health"):
        as_health([finding("gut feeling", "pm25")], checked_at=NOW)


def test_a_subject_is_columns_and_a_text_for_people():
    sensor = Finding("stuck", Subject("Old Town", "pm25"), "ok", "because")
    block = Finding("skill", Subject(pollutant="no2", lead_block="25-48"), "ok", "because")
    step = Finding("pipeline", Subject(name="collect"), "ok", "because")
    rows = as_health([sensor, block, step], checked_at=NOW).sort("check", descending=True)
    assert rows["subject"].to_list() == ["Old Town pm25", "no2 25-48", "collect"]
    assert rows.select("station_id", "pollutant", "lead_block").rows() == [
        ("Old Town", "pm25", None),
        (None, "no2", "25-48"),
        (None, None, None),
    ]


def test_the_gravest_verdict_wins():
    assert worst(["ok", "critical", "unknown"]) == "critical"
    assert worst([]) == "ok"


@pytest.mark.parametrize(("longest", "justified"), [(72, False), (48, True)])
def test_a_champion_of_another_horizon_is_a_reason_to_retrain(longest: int, justified: bool):
    latest = pl.DataFrame({"model_version": "3", "lead_hours": range(1, longest + 1)})
    found = horizon_findings(latest, champion="3", horizon_hours=72)
    assert decide(found, champion="3", last_justified_at=None, now=NOW).justified is justified
    assert horizon_findings(latest, champion="4", horizon_hours=72) == []
