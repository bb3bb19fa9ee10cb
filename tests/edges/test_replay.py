"""Replay: valid scenarios, planned faults of the source, and a timetable like the schedules."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast.air.tables import Forecasts, Observations
from hazecast.errors import NotKnown, SettingsError, SourceUnavailable
from hazecast.replay import (
    PlannedFault,
    ReplayedWorld,
    ReplayRun,
    ReplayWiring,
    Scenario,
    check_integrity,
    drive,
    page,
    read_scenario,
    report_on,
    timetable,
)
from hazecast.schedule import FULL, MONITORING, PREDICTION, TRAINING
from hazecast.settings import Settings
from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
HARBOUR = "simulated-harbour"
SHIPPED = Path(__file__).resolve().parents[2] / "config" / "scenarios"


def world(*planned: PlannedFault) -> ReplayedWorld:
    return ReplayedWorld(SimulatedSource(n_stations=2, pollutants=["pm25", "no2"]), planned, start=START)


def fetched(seen: ReplayedWorld, days: int = 6) -> pl.DataFrame:
    return seen.fetch_observations(since=START, until=START + timedelta(days=days)).sort(
        "station_id", "pollutant", "observed_at"
    )


def test_without_faults_the_source_is_unchanged():
    source = SimulatedSource(n_stations=2, pollutants=["pm25", "no2"])
    span = {"since": START, "until": START + timedelta(days=2)}
    assert fetched(world(), 2).equals(source.fetch_observations(**span).sort("station_id", "pollutant", "observed_at"))
    assert world().fetch_weather(**span).equals(source.fetch_weather(**span))


def test_a_failing_sensor_alone_delivers_nothing_for_the_planned_time():
    gone = fetched(world()).join(
        fetched(world(PlannedFault(kind="sensor_failing", station=HARBOUR, pollutant="no2", from_day=1, for_days=2))),
        on=["station_id", "pollutant", "observed_at"],
        how="anti",
    )
    assert gone.height == 48
    assert gone.select("station_id", "pollutant").unique().rows() == [(HARBOUR, "no2")]
    assert gone["observed_at"].min() == START + timedelta(days=1)


def test_a_drifting_sensor_drifts_by_the_planned_rate():
    drift = PlannedFault(
        kind="sensor_drifting", station=HARBOUR, pollutant="pm25", per_day_ugm3=3, from_day=1, for_days=4
    )
    off = fetched(world(drift))["concentration_ugm3"] - fetched(world())["concentration_ugm3"]
    assert off.max() == pytest.approx(3 * 95 / 24, abs=0.11)
    assert (off != 0).sum() in range(94, 97)


def test_a_regime_changes_every_station():
    times = fetched(world(PlannedFault(kind="regime_change", factor=2, from_day=0, for_days=6)))["concentration_ugm3"]
    assert (times - 2 * fetched(world())["concentration_ugm3"]).abs().max() <= 0.051


def test_during_an_outage_nothing_can_be_fetched_and_afterwards_everything():
    seen = world(PlannedFault(kind="source_outage", from_day=1, for_days=1))
    seen.now = START + timedelta(days=1.5)
    for fetch in (seen.fetch_stations, lambda: fetched(seen), lambda: seen.fetch_weather(since=START, until=seen.now)):
        with pytest.raises(SourceUnavailable, match="2026-03-04"):
            fetch()
    seen.now = START + timedelta(days=2)
    assert fetched(seen).equals(fetched(world()))


def test_a_poisoned_batch_harms_all_that_is_fetched_meanwhile_and_nothing_afterwards():
    seen = world(PlannedFault(kind="poisoned_batch", factor=1000, from_day=3, for_days=1))
    seen.now = START + timedelta(days=3.5)
    assert (fetched(seen, 3)["concentration_ugm3"] == 1000 * fetched(world(), 3)["concentration_ugm3"]).all()
    seen.now = START + timedelta(days=4)
    assert fetched(seen).equals(fetched(world()))


def test_a_fault_at_an_unknown_station_is_refused():
    with pytest.raises(NotKnown, match="simulated-harbour"):
        world(PlannedFault(kind="sensor_failing", station="moon", pollutant="no2", from_day=1, for_days=2))


def test_the_timetable_is_that_of_the_schedules():
    week = list(timetable(START, START + timedelta(days=7)))
    counts = {run: sum(name == run for _, name in week) for run in ("full", "training", "prediction", "monitoring")}
    assert counts == {"full": 1, "training": 1, "prediction": 7, "monitoring": 28}
    assert [at for at, run in week if run == "full"] == [datetime(2026, 3, 7, tzinfo=UTC)]
    assert [at for at, run in week if run == "training"] == [datetime(2026, 3, 8, 2, tzinfo=UTC)]
    six = [run for at, run in week if at == START + timedelta(hours=6)]
    assert six == ["prediction", "monitoring"]
    assert FULL.is_due(datetime(2026, 3, 7, tzinfo=UTC))
    assert not FULL.is_due(datetime(2026, 3, 8, tzinfo=UTC))
    crons = [schedule.cron for schedule in (TRAINING, PREDICTION, MONITORING, FULL)]
    assert crons == ["0 2 * * 0", "0 6 * * *", "0 0,6,12,18 * * *", "0 0 * * 6"]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_scenarios_are_valid(path: Path):
    plan = read_scenario(path)
    assert plan.faults
    source = SimulatedSource(n_stations=plan.city.stations, pollutants=plan.city.pollutants)
    ReplayedWorld(source, plan.faults, start=START)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("faults: [{kind: sensor_failing, from_day: 1, for_days: 1}]", "needs station, pollutant"),
        ("troubles: [{kind: earthquake, from_day: 1, for_days: 1}]", "kind"),
        ("weather: nice", "weather"),
        ("faults: [", "cannot be read"),
    ],
)
def test_an_invalid_scenario_is_refused_with_its_key(text: str, message: str, tmp_path: Path):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_scenario(tmp_path / "odd.yaml")


def test_the_key_of_earlier_releases_is_accepted(tmp_path: Path):
    (tmp_path / "old.yaml").write_text("troubles: [{kind: source_outage, from_day: 1, for_days: 1}]")
    assert [fault.kind for fault in read_scenario(tmp_path / "old.yaml").faults] == ["source_outage"]


def test_a_missing_scenario_file_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"none\.yaml"):
        read_scenario(tmp_path / "none.yaml")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReplayWiring, Scenario, ReplayRun]:
    """Six days with three faults, from ten days of history: too few to train on, so climatology forecasts."""
    source = SimulatedSource(n_stations=3, pollutants=["pm25", "no2"])
    data = tmp_path_factory.mktemp("data") / "hamlet"
    data.mkdir()
    source.fetch_stations().drop("source").write_csv(data / "stations.csv")
    rows = source.fetch_observations(since=START - timedelta(days=10), until=START + timedelta(days=6))
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.write_parquet(data / "observations.parquet")
    faults = (
        PlannedFault(kind="source_outage", from_day=1, for_days=1),
        PlannedFault(kind="sensor_failing", station=HARBOUR, pollutant="no2", from_day=2.5, for_days=2),
        PlannedFault(kind="poisoned_batch", factor=1000, from_day=5, for_days=0.5),
    )
    plan = Scenario(name="three faults", faults=faults)
    settings = Settings(home=tmp_path_factory.mktemp("home"), source="files", data=data)
    parts = ReplayWiring(settings, ReplayedWorld(FilesSource(data), faults, start=START))
    return parts, plan, drive(parts, since=START, until=START + timedelta(days=6))


def test_the_report_has_detection_alert_response_and_served_forecasts_of_each_fault(replayed):
    outage, failing, poisoned = report_on(*replayed).faults
    assert "cannot be reached" in outage.detected.reason
    assert outage.detected.after_hours <= 6
    assert "pipeline, collect" in outage.alerted.reason
    assert "1 forecasts made from stored data" in outage.response
    assert "data up to 24 h old" in outage.served
    assert failing.detected.reason.startswith(f"silent of {HARBOUR} no2")
    assert failing.detected.after_hours <= 24
    assert f"silent, {HARBOUR} no2" in failing.alerted.reason
    assert failing.response[0].startswith("0 of 48 hours arrived")
    assert "the step check failed" in poisoned.detected.reason
    assert "pipeline, check" in poisoned.alerted.reason
    assert any(line.startswith("1 prediction runs failed") for line in poisoned.response)
    assert "the champion changed 0 times during the fault" in poisoned.response


def test_integrity_checks_pass(replayed):
    checks = check_integrity(replayed[0], replayed[2])
    assert [check.name for check in checks if not check.passed] == []
    assert checks[3].numbers == "6 of 8 issued, 2 failed with a reason, 0 missing"


def test_integrity_checks_detect_a_loss_and_an_alteration(replayed, tmp_path: Path):
    parts, _, run = replayed
    less = Store(str(tmp_path / "less"))
    lost = (pl.col("station_id") == HARBOUR) & (pl.col("pollutant") == "pm25") & (pl.col("observed_at") == START)
    less.append(Observations, parts.store.read(Observations, ~lost))
    archive = parts.store.read(Forecasts)
    one = (pl.col("issued_at") == START) & (pl.col("lead_hours") == 3)
    less.append(Forecasts, archive.with_columns(mean=pl.when(one).then(pl.col("mean") + 1).otherwise("mean")))
    checks = check_integrity(ReplayedInStore(parts.settings, parts.world, less), run)
    assert [check.name for check in checks if not check.passed] == [
        "no observation was lost",
        "no issued forecast was altered later",
    ]


@dataclass(frozen=True)
class ReplayedInStore(ReplayWiring):
    kept: Store

    @property
    def store(self) -> Store:
        return self.kept


def test_the_page_shows_the_report_and_labels_simulated_data(replayed):
    written = page(report_on(*replayed), place="hamlet", simulated=True)
    for words in ("three faults", "SIMULATED", "the source is unreachable", "1 forecasts made from stored data"):
        assert words in written
    assert "Light training" not in written
