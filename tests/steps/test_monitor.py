"""Monitoring notices what is wrong, says why, and stays silent through quiet weeks."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast import quality
from hazecast.air.pollutants import Pollutant
from hazecast.air.tables import FetchedObservations, Forecasts, Observations, Runs, Scores
from hazecast.air.verdicts import Drift, Health, Retrains
from hazecast.errors import SourceUnavailable
from hazecast.sources.simulated import Fault, Flatline, Gap, Outage, RegimeChange, SensorDrift
from hazecast.steps.monitor import MonitoringReport, monitor, summary_of
from hazecast.steps.record import recorded
from hazecast.steps.verify import verify
from hazecast.store import Store

from .issued import DAY, HOUR, START, UTC_TIME, daily, forecasts, keep, observed, reference, town

SEED = 3
END = START + 440 * DAY
NOW = END + timedelta(minutes=10)
FIRST_ISSUE = END - 100 * DAY
# The champion was judged on its first month and has served since.
JUDGED = FIRST_ISSUE + 31 * DAY
HARBOUR, RING = "simulated-harbour", "simulated-ring-road"
RECENT = END - 60 * DAY
LATELY = END - 34 * DAY


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return observed(town(seed=SEED), since=START, until=END)


@pytest.fixture(scope="module")
def archive(truth: pl.DataFrame) -> pl.DataFrame:
    return forecasts(truth, daily(FIRST_ISSUE, 100))


@pytest.fixture(scope="module")
def scores(truth: pl.DataFrame, archive: pl.DataFrame) -> pl.DataFrame:
    judged = archive.filter(pl.col("issued_at") < JUDGED - 3 * DAY)
    return reference(judged, truth, version="1", until=JUDGED)


@pytest.fixture(scope="module")
def lately(archive: pl.DataFrame) -> pl.DataFrame:
    """The issues that monitoring looks at, and some before."""
    return archive.filter(pl.col("issued_at") >= LATELY)


def filled(folder: Path, truth: pl.DataFrame, archive: pl.DataFrame, scores: pl.DataFrame) -> Store:
    store = keep(Store(str(folder)), town(seed=SEED), truth)
    store.append(Forecasts, archive)
    store.upsert(Scores, scores)
    verify(store)
    return store


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, truth, archive, scores) -> Store:
    return filled(tmp_path_factory.mktemp("quiet"), truth, archive, scores)


def struck(truth: pl.DataFrame, *faults: Fault) -> pl.DataFrame:
    """The last 60 days as they would have been read with these faults, flagged as usual."""
    source = town(seed=SEED, faults=faults)
    fetched = source.fetch_observations(since=RECENT, until=END).filter(pl.col("pollutant").is_in(["pm25", "no2"]))
    rows = quality.flag(
        FetchedObservations.validate(fetched), recent=None, now=END, stations=source.fetch_stations()
    ).rows
    earlier = truth.filter(pl.col("observed_at") < RECENT)
    return pl.concat([earlier, rows.with_columns(ingested_at="available_at")])


def found(report: MonitoringReport, check: str) -> dict[str, str]:
    rows = report.findings.filter(pl.col("check") == check)
    return dict(rows.select("subject", "reason").iter_rows())


def test_quiet_weeks_are_quiet(quiet: Store):
    """Eight weeks of weekly looks, beside 16 series, 8 lead blocks: nothing wrong, nothing said."""
    for week in range(8):
        now = NOW - week * 7 * DAY
        report = monitor(quiet, "1", now=now, stale_after_hours=100 * 24)
        assert report.findings.is_empty(), report.findings
        assert not report.retrain.justified
        assert report.retrain.reasons == ("skill, coverage and inputs are as expected",)


def test_every_verdict_is_stored_with_a_reason(quiet: Store):
    report = monitor(quiet, "1", now=NOW)
    health = quiet.read(Health, pl.col("checked_at") == NOW)
    assert health.height == report.health.height
    assert health["reason"].str.len_chars().min() > 10
    assert {"skill", "coverage", "drift", "freshness", "silent", "stuck", "neighbours", "source"} <= set(
        health["check"]
    )
    assert quiet.read(Drift, pl.col("checked_at") == NOW).height == 4 * 2
    assert quiet.read(Retrains, pl.col("checked_at") == NOW)["justified"].to_list() == [False]
    assert summary_of(report).endswith("retraining not justified")


def test_looking_twice_stores_once(quiet: Store):
    monitor(quiet, "1", now=NOW)
    before = [quiet.version(table) for table in (Health, Drift, Retrains)]
    monitor(quiet, "1", now=NOW)
    assert [quiet.version(table) for table in (Health, Drift, Retrains)] == before


def test_a_model_that_grew_worse_is_noticed_and_trained_anew(tmp_path: Path, truth, lately, scores):
    broken_on = END - 16 * DAY
    served = lately.filter(pl.col("issued_at") < broken_on)
    broken = forecasts(truth, daily(broken_on, 16), bias=2.2)
    report = monitor(filled(tmp_path, truth, pl.concat([served, broken]), scores), "1", now=NOW)
    assert {"pm25 1-6", "pm25 25-48", "no2 1-6", "no2 25-48"} <= found(report, "skill").keys()
    assert "at its validation" in found(report, "skill")["pm25 1-6"]
    assert report.retrain.justified
    assert any(reason.startswith("pm25 has lost skill") for reason in report.retrain.reasons)
    assert report.retrain.evidence["skill pm25 1-6"] > 0.7
    assert not found(report, "neighbours")
    assert not found(report, "drift")


def test_only_a_justified_retraining_starts_the_cool_down(tmp_path: Path, truth, lately, scores):
    broken = forecasts(truth, daily(LATELY, 34), bias=2.2)
    store = filled(tmp_path, truth, broken, scores)
    with recorded("train", store, as_of=NOW - HOUR):
        pass
    assert monitor(store, "1", now=NOW).retrain.justified
    assert monitor(store, "1", now=NOW).retrain.justified  # the same hour again decides the same
    cooling = monitor(store, "1", now=NOW + 42 * HOUR).retrain
    assert not cooling.justified
    assert "cooling down until" in cooling.reasons[-1]
    assert any("lost skill" in reason for reason in cooling.reasons)
    assert monitor(store, "1", now=NOW + 48 * HOUR).retrain.justified


def test_a_champion_that_cannot_forecast_is_retrained(tmp_path: Path, truth, lately, scores):
    """After an upgrade the stored model expects other inputs, and climatology forecasts."""
    newest = pl.col("issued_at") == pl.col("issued_at").max()
    by_climatology = {
        "status": pl.when(newest).then(pl.lit("baseline")).otherwise("status"),
        "model_version": pl.when(newest).then(pl.lit("baseline")).otherwise("model_version"),
    }
    report = monitor(filled(tmp_path, truth, lately.with_columns(**by_climatology), scores), "1", now=NOW)
    assert found(report, "champion") == {
        "champion": "climatology forecasts 100% of the observed series that version 1 was trained for"
    }
    assert report.retrain.justified
    assert report.retrain.reasons == (found(report, "champion")["champion"],)


def test_climatology_at_a_silent_station_is_no_reason_to_retrain(tmp_path: Path, truth, lately, scores):
    silent = pl.col("station_id") == HARBOUR
    rows = lately.with_columns(
        status=pl.when(silent).then(pl.lit("baseline")).otherwise("status"),
        data_age_hours=pl.when(silent).then(60.0).otherwise("data_age_hours"),
    )
    report = monitor(filled(tmp_path, truth, rows, scores), "1", now=NOW)
    assert found(report, "fallback")
    assert not found(report, "champion")
    assert not report.retrain.justified


def test_a_model_too_sure_of_itself_is_noticed(tmp_path: Path, truth, lately, scores):
    sure_since = END - 20 * DAY
    served = lately.filter(pl.col("issued_at") < sure_since)
    sure = forecasts(truth, daily(sure_since, 20), spread=0.05)
    report = monitor(filled(tmp_path, truth, pl.concat([served, sure]), scores), "1", now=NOW)
    assert set(report.findings.filter(pl.col("check") == "coverage")["verdict"]) == {"critical"}
    assert not found(report, "skill")
    assert report.retrain.justified
    assert "intervals of the wrong width" in report.retrain.reasons[0]


def test_a_silent_sensor_and_a_silent_station(tmp_path: Path, truth, lately, scores):
    gap = Gap(station_id=HARBOUR, pollutant=Pollutant.NO2, since=END - 20 * HOUR, until=END)
    outage = Outage(station_id=RING, since=END - 4 * DAY, until=END)
    report = monitor(filled(tmp_path, struck(truth, gap, outage), lately, scores), "1", now=NOW)
    assert list(found(report, "silent")) == [f"{HARBOUR} no2"]
    assert "20 h behind its station" in found(report, "silent")[f"{HARBOUR} no2"]
    assert list(found(report, "freshness")) == [RING]
    assert found(report, "completeness").keys() == {RING}
    assert not found(report, "source")
    assert not report.retrain.justified


def test_a_source_outage_is_one_finding_not_one_per_station(tmp_path: Path, truth, lately, scores):
    outage = Outage(since=END - 3 * DAY, until=END)
    report = monitor(filled(tmp_path, struck(truth, outage), lately, scores), "1", now=NOW)
    assert list(found(report, "source")) == ["source"]
    assert "72 h old" in found(report, "source")["source"]
    for check in ("silent", "freshness", "completeness", "stuck", "neighbours"):
        assert not found(report, check), check


def test_a_stuck_sensor(tmp_path: Path, truth, lately, scores):
    stuck = Flatline(station_id=RING, pollutant=Pollutant.PM25, since=END - 2 * DAY, until=END, stuck_at_ugm3=17.3)
    report = monitor(filled(tmp_path, struck(truth, stuck), lately, scores), "1", now=NOW)
    assert list(found(report, "stuck")) == [f"{RING} pm25"]
    assert "17.3" in found(report, "stuck")[f"{RING} pm25"]


def test_a_drifting_sensor_is_blamed_and_the_model_is_not(tmp_path: Path, truth, scores):
    drifting = SensorDrift(
        station_id=HARBOUR, pollutant=Pollutant.PM25, since=END - 25 * DAY, until=END, per_day_ugm3=2
    )
    read = struck(truth, drifting)
    # The model does not know of the drift: it forecasts the air, not the instrument.
    lately = forecasts(truth, daily(LATELY, 34))
    report = monitor(filled(tmp_path, read, lately, scores), "1", now=NOW)
    assert list(found(report, "neighbours")) == [f"{HARBOUR} pm25"]
    assert "times its neighbours" in found(report, "neighbours")[f"{HARBOUR} pm25"]
    assert not found(report, "skill")
    assert not report.retrain.justified


def test_when_a_drifting_sensor_is_noticed(truth: pl.DataFrame):
    """At 1 µg/m³ a day beside a usual level near 10: within three weeks, and not before it amounts to something."""
    from hazecast.monitoring import neighbour_findings

    since = END - 40 * DAY
    drifting = SensorDrift(station_id=HARBOUR, pollutant=Pollutant.PM25, since=since, until=END, per_day_ugm3=1)
    read = struck(truth, drifting)
    noticed = None
    for day in range(1, 40):
        now = since + day * DAY
        known = read.filter(pl.col("observed_at").is_between(now - 97 * DAY, now, closed="left"))
        bad = [
            str(finding.subject)
            for finding in neighbour_findings(known, town(seed=SEED).fetch_stations(), now=now)
            if finding.is_bad
        ]
        assert set(bad) <= {f"{HARBOUR} pm25"}
        if bad and noticed is None:
            noticed = day
    assert noticed is not None
    assert 4 <= noticed <= 21


def test_a_regime_change_is_drift_and_nobody_s_sensor(tmp_path: Path, truth, scores):
    change = RegimeChange(since=END - 30 * DAY, until=END, factor=4.0)
    read = struck(truth, change)
    report = monitor(filled(tmp_path, read, forecasts(read, daily(LATELY, 34)), scores), "1", now=NOW)
    assert found(report, "drift").keys() == {"no2", "pm25"}
    assert "4 of 4 stations" in found(report, "drift")["pm25"]
    assert not found(report, "neighbours")
    # Its forecasts follow the change, so there is nothing to mend.
    assert not report.retrain.justified


def test_drift_alone_counts_while_the_forecasts_cannot_be_judged(tmp_path: Path, truth, scores):
    read = struck(truth, RegimeChange(since=END - 30 * DAY, until=END, factor=4.0))
    young = forecasts(read, daily(END - 5 * DAY, 5))
    report = monitor(filled(tmp_path, read, young, scores), "1", now=NOW)
    assert set(report.health.filter(pl.col("check") == "skill")["verdict"]) == {"unknown"}
    assert report.retrain.justified
    assert all("has drifted" in reason for reason in report.retrain.reasons)


def test_history_too_short_for_a_season_is_unknown_not_drift(tmp_path: Path, truth, lately, scores):
    short = truth.filter(pl.col("observed_at") >= END - 120 * DAY)
    report = monitor(filled(tmp_path, short, lately, scores), "1", now=NOW)
    assert set(report.drift["verdict"]) == {"unknown"}
    assert set(report.health.filter(pl.col("check") == "drift")["verdict"]) == {"unknown"}


def test_an_old_forecast_and_a_fallback(tmp_path: Path, truth, lately, scores):
    older = lately.filter(pl.col("issued_at") < END - 3 * DAY)
    fallback = older.with_columns(
        status=pl.when(pl.col("issued_at") == pl.col("issued_at").max()).then(pl.lit("baseline")).otherwise("status")
    )
    report = monitor(filled(tmp_path, truth, fallback, scores), "1", now=NOW)
    age = report.health.filter(pl.col("check") == "forecast_age").row(0, named=True)
    assert (age["verdict"], age["value"]) == ("critical", pytest.approx(90.17, abs=0.01))
    assert "100%" in found(report, "fallback")["forecast"]


def test_failing_steps_are_named_with_their_reason(tmp_path: Path, truth, lately, scores):
    store = filled(tmp_path, truth, lately, scores)
    for hours_ago in (20, 14, 8):
        with pytest.raises(SourceUnavailable), recorded("collect", store, as_of=NOW - hours_ago * HOUR):
            raise SourceUnavailable("no route to the provider")
    with recorded("forecast", store, as_of=NOW - HOUR):
        pass
    report = monitor(store, "1", now=NOW)
    assert list(found(report, "pipeline")) == ["collect"]
    assert "3 times in a row" in found(report, "pipeline")["collect"]
    assert "no route to the provider" in found(report, "pipeline")["collect"]
    with recorded("collect", store, as_of=NOW):
        pass
    assert not found(monitor(store, "1", now=NOW + HOUR), "pipeline")


def test_nothing_stored_is_said_not_raised(store: Store):
    report = monitor(store, None, now=NOW)
    assert report.verdict == "critical"
    assert found(report, "source")["source"] == "nothing was observed in the last 30 days"
    assert report.retrain.reasons == ("there is no champion",)
    assert store.read(Runs).is_empty()


def test_what_arrives_later_was_not_known(quiet: Store):
    """Monitoring as of a past hour sees nothing that became available after it."""
    past = NOW - 20 * DAY
    report = monitor(quiet, "1", now=past)
    source = report.health.filter(pl.col("check") == "source")["value"].item()
    assert source == pytest.approx(10 / 60)
    assert quiet.read(Observations).select(pl.col("available_at").max()).item() > past
    assert report.drift.schema["checked_at"] == UTC_TIME
