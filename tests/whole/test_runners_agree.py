"""The commands, the Prefect flows and the replay store the same tables when they run the same hours.

One evening and night of the shipped schedules: the full sequence, monitoring, training, prediction, monitoring.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import dataframely as dy
import polars as pl
import pytest
from typer.testing import CliRunner

from flow_harness import loaded_flows
from hazecast.air import tables, verdicts
from hazecast.cli import app
from hazecast.replay import ReplayedWorld, ReplayWiring, drive, timetable
from hazecast.settings import Settings, load_settings
from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

HOUR = timedelta(hours=1)
SINCE = datetime(2024, 2, 3, 23, tzinfo=UTC)  # a Saturday
UNTIL = SINCE + 8 * HOUR
HISTORY = timedelta(days=30)
RUNS = [(SINCE, "full"), *timetable(SINCE + HOUR, UNTIL)]
# What the clock on the wall and chance write.
NOT_COMPARED = ["run_id", "started_at", "finished_at", "ingested_at"]
TABLES = sorted(
    {
        table
        for module in (tables, verdicts)
        for table in vars(module).values()
        if isinstance(table, type) and issubclass(table, dy.Schema) and table.primary_key()
    },
    key=lambda table: table.__name__,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stations with blanks in their ids, PM2.5, thirty days."""
    folder = tmp_path_factory.mktemp("data") / "town"
    folder.mkdir()
    source = SimulatedSource(n_stations=2, pollutants=["pm25"])
    names = dict(zip(source.fetch_stations()["station_id"], ("Old Town", "Old Port"), strict=True))
    stations = source.fetch_stations().with_columns(pl.col("station_id").replace_strict(names)).drop("source")
    stations.write_csv(folder / "stations.csv")
    rows = source.fetch_observations(since=SINCE - HISTORY, until=UNTIL)
    rows = rows.with_columns(pl.col("station_id").replace_strict(names))
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.write_parquet(folder / "observations.parquet")
    return folder


@pytest.fixture(scope="module")
def flows() -> Iterator[ModuleType]:
    with loaded_flows() as module:
        yield module


@pytest.fixture(scope="module")
def replayed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tables after the replay."""
    home = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings = Settings(home=home, source="files", data=data, light_training=True)
        parts = ReplayWiring(settings, ReplayedWorld(FilesSource(data), (), start=SINCE))
        replay = drive(parts, since=SINCE, until=UNTIL)
    assert replay.failed == []
    return parts.store


def stored_by(run: Callable[[str], object], home: Path, data: Path, patch: pytest.MonkeyPatch) -> Store:
    """The tables after `run` was called for each hour, its settings in the environment."""
    patch.chdir(home)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = {"HOME": home, "SOURCE": "files", "DATA": data, "LIGHT_TRAINING": "true"}
    for name, value in settings.items():
        patch.setenv(f"HAZECAST_{name}", str(value))
    for at, name in RUNS:
        patch.setenv("HAZECAST_NOW", at.isoformat())
        run(name)
    return Store(load_settings().tables_root)


def differing(one: Store, other: Store) -> list[str]:
    """Names of the tables that differ."""
    return [table.__name__ for table in TABLES if not compared(one, table).equals(compared(other, table))]


def compared(store: Store, table: type[dy.Schema]) -> pl.DataFrame:
    rows = store.read(table)
    rows = rows.drop(name for name in NOT_COMPARED if name in rows.columns)
    return rows.sort(rows.columns)


def test_these_hours_run_every_sequence(replayed: Store):
    assert {name for _, name in RUNS} == {"full", "training", "prediction", "monitoring"}
    stored = {table.__name__ for table in TABLES if store_has(replayed, table)}
    assert {"Observations", "Forecasts", "Runs", "Health", "Retrains", "Quality", "Scores"} <= stored
    assert set(replayed.read(verdicts.Health)["station_id"].drop_nulls()) == {"Old Town", "Old Port"}


def store_has(store: Store, table: type[dy.Schema]) -> bool:
    return store.version(table) is not None


def test_the_command_stores_what_the_replay_stores(
    replayed: Store, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def command(name: str) -> None:
        result = CliRunner().invoke(app, ["run", name])
        assert result.exit_code == 0, result.output

    assert differing(stored_by(command, tmp_path, data, monkeypatch), replayed) == []


def test_the_flow_stores_what_the_replay_stores(
    flows: ModuleType, replayed: Store, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def flow(name: str) -> None:
        assert flows.FLOWS[name](return_state=True).is_completed()

    assert differing(stored_by(flow, tmp_path, data, monkeypatch), replayed) == []
