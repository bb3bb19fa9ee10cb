"""A year of history collected by processes that are killed twice has the same rows as an uninterrupted collection."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from servers.open_meteo import OpenMeteoServer
from servers.openaq import KEY, OpenAQServer
from servers.openaq_stations import DELHI
from servers.silam import SilamServer

from hazecast.air.clock import floor_hour
from hazecast.air.tables import Backfilled, Background, Observations, Quality, Stations, Weather
from hazecast.store import Store

pytestmark = pytest.mark.system

# The current time, because OpenAQ's archive ends and its API starts three days ago.
NOW = floor_hour(datetime.now(UTC))
SINCE = NOW.replace(hour=0) - timedelta(days=365)
PATIENCE_SECONDS = 300
# One hourly sensor: the test is about the year, not the averaging.
ANAND_VIHAR = replace(DELHI, sensors=DELHI.sensors[:1], step=60)
COMMAND = [sys.executable, "-m", "hazecast.cli", "collect", "--since", f"{SINCE:%Y-%m-%d}", "--place"]
PLACES = {
    "kallio": """
place: kallio
title: Kallio, Helsinki
timezone: Europe/Helsinki
index: fi-hsy
pollutants: [pm25, o3]
observations: {source: fmi, stations: ["100662"]}
background: [cams_europe, silam]
""",
    "anand-vihar": f"""
place: anand-vihar
title: Anand Vihar, Delhi
timezone: Asia/Kolkata
index: in-naqi
pollutants: [pm25]
observations: {{source: openaq, stations: [{ANAND_VIHAR.location_id}]}}
background: [cams_global]
""",
}


@dataclass(frozen=True)
class Collector:
    """`hazecast collect` for one place and home."""

    place: str
    home: Path
    environment: dict[str, str]

    @property
    def store(self) -> Store:
        return Store(str(self.home / "tables" / self.place))

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        environment = self.environment | {"HAZECAST_HOME": str(self.home)}
        with log.open("wb") as out:
            return subprocess.Popen([*COMMAND, self.place], env=environment, stdout=out, stderr=out)

    def run_and_kill(self, log: Path, *, after: int) -> None:
        """Send SIGKILL once `after` periods are stored and the next is in progress."""
        process, deadline = self.start(log), time.monotonic() + PATIENCE_SECONDS
        commits = self.home / "tables" / self.place / "backfilled" / "_delta_log"
        while len(list(commits.glob("*.json"))) <= after and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        process.kill()
        assert process.wait(30) == -9, log.read_text()


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    config = tmp_path / "config"
    config.mkdir()
    for name, text in PLACES.items():
        (config / f"{name}.yaml").write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAZECAST_")}
    with ExitStack() as stack:
        fmi = stack.enter_context(SilamServer(now=NOW))
        open_meteo = stack.enter_context(OpenMeteoServer(NOW))
        openaq = stack.enter_context(OpenAQServer(now=NOW, stations=(ANAND_VIHAR,)))
        yield kept | {
            "HAZECAST_CONFIG": str(config),
            "HAZECAST_NOW": NOW.isoformat(),
            "HAZECAST_FMI_URL": fmi.base_url,
            "HAZECAST_OPEN_METEO_URL": open_meteo.url,
            "HAZECAST_OPENAQ_URL": openaq.base_url,
            "HAZECAST_OPENAQ_ARCHIVE_URL": openaq.url,
            "HAZECAST_OPENAQ_API_KEY": KEY,
            "COLUMNS": "120",
        }


def rows(store: Store, table) -> pl.DataFrame:
    """Stored rows without their times of ingestion."""
    found = store.read(table).drop("ingested_at", "stored_at", strict=False)
    return found.sort(found.columns)


@pytest.mark.parametrize("place", PLACES)
def test_killed_collection_has_the_rows_of_an_uninterrupted_one(place: str, environment: dict, tmp_path: Path):
    whole = Collector(place, tmp_path / "whole", environment)
    killed = Collector(place, tmp_path / "killed", environment)
    undisturbed = whole.start(tmp_path / "whole.log")
    for number, after in enumerate((2, 6)):
        killed.run_and_kill(tmp_path / f"killed{number}.log", after=after)
        assert after <= killed.store.read(Backfilled).height < 12
        assert not killed.store.read(Observations).is_empty()
    assert killed.start(tmp_path / "resumed.log").wait(PATIENCE_SECONDS) == 0, (tmp_path / "resumed.log").read_text()
    assert undisturbed.wait(PATIENCE_SECONDS) == 0, (tmp_path / "whole.log").read_text()
    observed = whole.store.read(Observations)["observed_at"]
    assert observed.min() == SINCE
    assert observed.max() >= NOW - timedelta(hours=2)  # hours of +05:30 end at half past
    for table in (Stations, Observations, Weather, Background, Quality, Backfilled):
        assert rows(killed.store, table).equals(rows(whole.store, table)), table.__name__
