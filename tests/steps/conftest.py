"""A small dataset folder, cut from the simulated network: two stations, two pollutants, 50 days."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast.sources.files import FilesSource
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 50
END = START + timedelta(days=DAYS)


def write_dataset(folder: Path, *, days: int = DAYS) -> Path:
    folder.mkdir(parents=True)
    source = SimulatedSource(n_stations=2)
    source.fetch_stations().with_columns(source=pl.lit("files")).drop("source").write_csv(folder / "stations.csv")
    observations = source.fetch_observations(since=START, until=START + timedelta(days=days))
    wide = observations.filter(pl.col("pollutant").is_in(["pm25", "no2"])).pivot(
        "pollutant", index=["station_id", "observed_at"], values="concentration_ugm3"
    )
    wide.write_parquet(folder / "observations.parquet")
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "town")


@pytest.fixture
def source(dataset: Path) -> FilesSource:
    return FilesSource(dataset)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "tables"))
