"""Upkeep of all tables of a home, by command."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

from hazecast.air import tables, verdicts
from hazecast.cli import app
from hazecast.settings import Settings
from hazecast.sources.simulated import SimulatedSource
from hazecast.steps.upkeep import TABLES
from hazecast.wiring import Wiring

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
# Not stored: what a source returns.
_FETCHED = {tables.FetchedObservations}


def test_every_stored_table_is_kept_up():
    contracts = {
        table
        for module in (tables, verdicts)
        for table in vars(module).values()
        if isinstance(table, type) and issubclass(table, dy.Schema) and table is not dy.Schema
    }
    assert set(TABLES) == contracts - _FETCHED


def test_the_commands_convert_and_compact_a_home_of_an_earlier_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Wiring(Settings(home=tmp_path, source="simulated")).store
    source, span = SimulatedSource(n_stations=2), {"since": UNTIL - timedelta(days=40), "until": UNTIL}
    weather = source.fetch_weather(**span)
    write_deltalake(f"{store.root}/weather", weather.head(1000).to_arrow())
    write_deltalake(f"{store.root}/weather", weather.tail(-1000).to_arrow(), mode="append")
    store.upsert(tables.Stations, source.fetch_stations())
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path))
    migrated = CliRunner().invoke(app, ["migrate", "--source", "simulated"], catch_exceptions=False)
    assert "weather: converted" in migrated.output
    assert "stations: up to date" in migrated.output
    compacted = CliRunner().invoke(
        app, ["compact", "--source", "simulated", "--retention-days", "0"], catch_exceptions=False
    )
    assert "weather: 0 months joined, 2 files deleted" in compacted.output
    files = DeltaTable(f"{store.root}/weather").file_uris()
    assert sorted({Path(file).parent.name for file in files}) == ["month=2026-01", "month=2026-02", "month=2026-03"]
    read = store.read(tables.Weather)
    assert read.sort(read.columns).equals(weather.select(read.columns).sort(read.columns))
    assert pl.DataFrame(DeltaTable(f"{store.root}/weather").get_add_actions(flatten=True)).height == len(files)
