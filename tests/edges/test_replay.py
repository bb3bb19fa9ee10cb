"""The time machine: scenarios that make sense, a world that goes wrong as told, a timetable like the schedules."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast.air.tables import Forecasts, Observations
from hazecast.errors import NotKnown, SettingsError, SourceUnavailable
from hazecast.replay import Drive, ReplayedWorld, Scenario, Trouble, account_for, drive, page, read_scenario
from hazecast.replay.drive import ReplayWiring, timetable
from hazecast.replay.ledger import ledger
from hazecast.schedule import FULL, MONITORING, PREDICTION, TRAINING
from hazecast.settings import Settings
from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
HARBOUR = "simulated-harbour"
SHIPPED = Path(__file__).resolve().parents[2] / "config" / "scenarios"


def world(*troubles: Trouble) -> ReplayedWorld:
    return ReplayedWorld(SimulatedSource(n_stations=2, pollutants=["pm25", "no2"]), troubles, start=START)


def fetched(seen: ReplayedWorld, days: int = 6) -> pl.DataFrame:
    return seen.fetch_observations(since=START, until=START + timedelta(days=days)).sort(
        "station_id", "pollutant", "observed_at"
    )


def test_without_troubles_the_world_is_as_it_is():
    source = SimulatedSource(n_stations=2, pollutants=["pm25", "no2"])
    span = {"since": START, "until": START + timedelta(days=2)}
    assert fetched(world(), 2).equals(source.fetch_observations(**span).sort("station_id", "pollutant", "observed_at"))
    assert world().fetch_weather(**span).equals(source.fetch_weather(**span))


def test_a_failing_sensor_is_silent_alone_and_for_as_long_as_told():
    gone = fetched(world()).join(
        fetched(world(Trouble(kind="sensor_failing", station=HARBOUR, pollutant="no2", from_day=1, for_days=2))),
        on=["station_id", "pollutant", "observed_at"],
        how="anti",
    )
    assert gone.height == 48
    assert gone.select("station_id", "pollutant").unique().rows() == [(HARBOUR, "no2")]
    assert gone["observed_at"].min() == START + timedelta(days=1)


def test_a_drifting_sensor_is_off_by_as_much_as_told():
    trouble = Trouble(kind="sensor_drifting", station=HARBOUR, pollutant="pm25", per_day_ugm3=3, from_day=1, for_days=4)
    off = fetched(world(trouble))["concentration_ugm3"] - fetched(world())["concentration_ugm3"]
    assert off.max() == pytest.approx(3 * 95 / 24, abs=0.11)
    assert (off != 0).sum() in range(94, 97)


def test_a_regime_changes_every_station():
    times = fetched(world(Trouble(kind="regime_change", factor=2, from_day=0, for_days=6)))["concentration_ugm3"]
    assert (times - 2 * fetched(world())["concentration_ugm3"]).abs().max() <= 0.051


def test_during_an_outage_nothing_can_be_fetched_and_afterwards_everything():
    seen = world(Trouble(kind="source_outage", from_day=1, for_days=1))
    seen.now = START + timedelta(days=1.5)
    for fetch in (seen.fetch_stations, lambda: fetched(seen), lambda: seen.fetch_weather(since=START, until=seen.now)):
        with pytest.raises(SourceUnavailable, match="2026-03-04"):
            fetch()
    seen.now = START + timedelta(days=2)
    assert fetched(seen).equals(fetched(world()))


def test_a_poisoned_batch_harms_all_that_is_fetched_meanwhile_and_nothing_afterwards():
    seen = world(Trouble(kind="poisoned_batch", factor=1000, from_day=3, for_days=1))
    seen.now = START + timedelta(days=3.5)
    assert (fetched(seen, 3)["concentration_ugm3"] == 1000 * fetched(world(), 3)["concentration_ugm3"]).all()
    seen.now = START + timedelta(days=4)
    assert fetched(seen).equals(fetched(world()))


def test_a_trouble_at_a_station_that_is_not_there_is_said():
    with pytest.raises(NotKnown, match="simulated-harbour"):
        world(Trouble(kind="sensor_failing", station="moon", pollutant="no2", from_day=1, for_days=2))


def test_the_timetable_is_that_of_the_schedules():
    week = list(timetable(START, START + timedelta(days=7)))
    counts = {run: sum(name == run for _, name in week) for run in ("training", "prediction", "monitoring")}
    assert counts == {"training": 1, "prediction": 7, "monitoring": 28}
    assert [at for at, run in week if run == "training"] == [datetime(2026, 3, 8, 2, tzinfo=UTC)]
    six = [run for at, run in week if at == START + timedelta(hours=6)]
    assert six == ["prediction", "monitoring"]
    assert FULL.is_due(datetime(2026, 3, 7, tzinfo=UTC))
    assert not FULL.is_due(datetime(2026, 3, 8, tzinfo=UTC))
    crons = [schedule.cron for schedule in (TRAINING, PREDICTION, MONITORING, FULL)]
    assert crons == ["0 2 * * 0", "0 6 * * *", "0 0,6,12,18 * * *", "0 0 * * 6"]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_scenarios_make_sense(path: Path):
    plan = read_scenario(path)
    assert {trouble.kind for trouble in plan.troubles} >= {"sensor_failing", "source_outage", "poisoned_batch"}
    source = SimulatedSource(n_stations=plan.city.stations, pollutants=plan.city.pollutants)
    ReplayedWorld(source, plan.troubles, start=START)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("troubles: [{kind: sensor_failing, from_day: 1, for_days: 1}]", "needs station, pollutant"),
        ("troubles: [{kind: earthquake, from_day: 1, for_days: 1}]", "kind"),
        ("weather: nice", "weather"),
        ("troubles: [", "cannot be read"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_with_the_place(text: str, message: str, tmp_path: Path):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_scenario(tmp_path / "odd.yaml")


def test_a_scenario_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"none\.yaml"):
        read_scenario(tmp_path / "none.yaml")


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReplayWiring, Scenario, Drive]:
    """Six days with three troubles, from ten days of history: too few to train on, so the climatology forecasts."""
    source = SimulatedSource(n_stations=3, pollutants=["pm25", "no2"])
    data = tmp_path_factory.mktemp("data") / "hamlet"
    data.mkdir()
    source.fetch_stations().drop("source").write_csv(data / "stations.csv")
    rows = source.fetch_observations(since=START - timedelta(days=10), until=START + timedelta(days=6))
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.write_parquet(data / "observations.parquet")
    troubles = (
        Trouble(kind="source_outage", from_day=1, for_days=1),
        Trouble(kind="sensor_failing", station=HARBOUR, pollutant="no2", from_day=2.5, for_days=2),
        Trouble(kind="poisoned_batch", factor=1000, from_day=5, for_days=0.5),
    )
    plan = Scenario(name="three troubles", troubles=troubles)
    settings = Settings(home=tmp_path_factory.mktemp("home"), source="files", data=data)
    parts = ReplayWiring(settings, ReplayedWorld(FilesSource(data), troubles, start=START))
    return parts, plan, drive(parts, since=START, until=START + timedelta(days=6))


def test_the_account_says_when_each_trouble_was_noticed_who_was_told_and_what_users_saw(driven):
    outage, failing, poisoned = account_for(*driven).stories
    assert "cannot be reached" in outage.noticed.words
    assert outage.noticed.after_hours <= 6
    assert "pipeline, collect" in outage.told.words
    assert "1 forecasts made from what was stored" in outage.done
    assert "data up to 12 h old" in outage.seen
    assert failing.noticed.words.startswith(f"silent of {HARBOUR} no2")
    assert failing.noticed.after_hours <= 24
    assert f"silent, {HARBOUR} no2" in failing.told.words
    assert failing.done[0].startswith("0 of 48 hours arrived")
    assert "the step check failed" in poisoned.noticed.words
    assert "pipeline, check" in poisoned.told.words
    assert any(line.startswith("1 prediction runs stopped") for line in poisoned.done)
    assert "the champion changed 0 times meanwhile" in poisoned.done


def test_the_ledger_finds_nothing_lost_repeated_or_altered(driven):
    entries = ledger(driven[0], driven[2])
    assert [entry.what for entry in entries if not entry.holds] == []
    assert "6 of 7 issued, 1 stopped with a reason, 0 missing" in [entry.numbers for entry in entries][3]


def test_the_ledger_notices_a_loss_and_an_alteration(driven, tmp_path: Path):
    parts, _, drove = driven
    less = Store(str(tmp_path / "less"))
    lost = (pl.col("station_id") == HARBOUR) & (pl.col("pollutant") == "pm25") & (pl.col("observed_at") == START)
    less.append(Observations, parts.store.read(Observations, ~lost))
    archive = parts.store.read(Forecasts)
    one = (pl.col("issued_at") == START) & (pl.col("lead_hours") == 3)
    less.append(Forecasts, archive.with_columns(mean=pl.when(one).then(pl.col("mean") + 1).otherwise("mean")))
    entries = ledger(ReplayedInStore(parts.settings, parts.world, less), drove)
    assert [entry.what for entry in entries if not entry.holds] == [
        "no observation was lost",
        "no issued forecast was altered later",
    ]


@dataclass(frozen=True)
class ReplayedInStore(ReplayWiring):
    kept: Store

    @property
    def store(self) -> Store:
        return self.kept


def test_the_page_tells_the_same_and_what_is_simulated(driven):
    written = page(account_for(*driven), place="hamlet", simulated=True)
    for words in ("three troubles", "SIMULATED", "the source is out of reach", "1 forecasts made from what was stored"):
        assert words in written
    assert "Light training" not in written
