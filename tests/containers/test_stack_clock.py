"""A clock that jumps three days ahead and back in all services (clock.c)."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from stack import API, api, composed_with, get, is_idle, load, start_run, state_of, states, until

SOURCE = Path(__file__).with_name("clock.c")
COMPILER = shutil.which("cc")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("HAZECAST_ENGINE_TEST" not in os.environ, reason="needs a container engine: make engine-test"),
    pytest.mark.skipif(COMPILER is None, reason="needs a C compiler: apt-get install gcc libc6-dev"),
]

WITH_A_CLOCK = ("postgres", "mlflow", "prefect", "worker", "stack-metrics", "api", "dashboard")
JUMP = timedelta(days=3)


@pytest.fixture
def set_clock(stack: list[str], tmp_path: Path) -> Iterator[Callable[[timedelta], None]]:
    """Run all services on one clock; yields a function that moves it."""
    clock, override = tmp_path / "clock", tmp_path / "clock.yml"
    clock.mkdir()
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O2", "-o", clock / "clock.so", SOURCE, "-ldl"], check=True)

    def move(offset: timedelta) -> None:
        # In place: the services have mapped this file.
        with (clock / "offset").open("r+b") as file:
            file.write(int(offset.total_seconds()).to_bytes(8, "little", signed=True))

    (clock / "offset").write_bytes(bytes(8))
    service = {"environment": {"LD_PRELOAD": "/clock/clock.so"}, "volumes": [f"{clock}:/clock:ro"]}
    override.write_text(yaml.safe_dump({"services": dict.fromkeys(WITH_A_CLOCK, service)}))
    with composed_with(stack, override):
        yield move


def test_clock_jumps_ahead_and_back(set_clock: Callable[[timedelta], None]):
    until(lambda: get(f"{API}/ready")[0] == 200, seconds=1800, what="a forecast")
    until(is_idle, seconds=1200, what="runs end")
    station = quote(api("stations")["stations"][0]["station_id"], safe="")
    with load(f"{API}/stations/{station}/forecast") as requests:
        set_clock(JUMP)
        until(lambda: get(f"{API}/ready")[0] == 503, seconds=60, what="the forecast is too old")
        assert api(f"stations/{station}/forecast")["status"] == "stale"
        ready = until(lambda: get(f"{API}/ready")[0] == 200, seconds=900, what="a forecast of the new day by itself")
        ahead = _issued_at(station)
        assert ahead > datetime.now(UTC) + JUMP - timedelta(hours=2)

        set_clock(timedelta(0))
        until(lambda: _issued_at(station) <= datetime.now(UTC), seconds=120, what="no forecast from the future")
        start_run("Upkeep/upkeep")  # hourly in production: ends runs submitted for a time that is in the future again
        until(is_idle, seconds=900, what="runs end")
        run = start_run("Prediction%20Pipeline/prediction")
        until(lambda: state_of(run) == "COMPLETED", seconds=600, what="a run on the clock that went back")
        until(lambda: get(f"{API}/ready")[0] == 200, seconds=120, what="ready")
    print(f"three days ahead: a new forecast after {ready:.0f} s by itself; {states()}")
    print(requests)
    assert not requests.failed
    assert datetime.now(UTC) - timedelta(hours=2) < _issued_at(station) <= datetime.now(UTC)


def _issued_at(station: str) -> datetime:
    return datetime.fromisoformat(api(f"stations/{station}/forecast")["issued_at"])
