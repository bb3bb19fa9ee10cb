"""Full disks: forecasts are still served, and the stack recovers when space is free again."""

import os
from urllib.parse import quote

import pytest
from disks import fill, free
from stack import API, api, get, load, start_run, state_of, states, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("HAZECAST_ENGINE_TEST" not in os.environ, reason="needs a container engine: make engine-test"),
]

VOLUMES = {"worker": "/data/tables", "postgres": "/var/lib/postgresql/data"}
ENDED = ("COMPLETED", "FAILED", "CRASHED")


@pytest.mark.parametrize("name", VOLUMES)
def test_forecasts_are_served_on_a_full_disk(stack: list[str], name: str):
    until(lambda: get(f"{API}/ready")[0] == 200, seconds=1800, what="a forecast")
    station = quote(api("stations")["stations"][0]["station_id"], safe="")
    before = _versions()
    with load(f"{API}/stations/{station}/forecast") as requests:
        fill(name, VOLUMES[name])
        outcome = _run_once("Prediction%20Pipeline/prediction", seconds=300)
        seen = states()
        free(name, VOLUMES[name])
        back = until(lambda: set(states().values()) <= {"healthy", "running"}, seconds=300, what="all healthy")
        again = _run_once("Prediction%20Pipeline/prediction", seconds=600)
    unhealthy = {service: state for service, state in seen.items() if state not in ("healthy", "running")}
    print(
        f"{name} full: a run ended {outcome}, unhealthy {unhealthy}; healthy again {back:.0f} s after space was freed;"
    )
    print(f"the next run ended {again}; {requests}")
    assert not requests.failed
    assert again == "COMPLETED"
    after = _versions()
    assert all(after[table] >= version for table, version in before.items())
    assert after["runs"] > before["runs"]


def _versions() -> dict[str, int]:
    return {entry["table"]: entry["version"] for entry in api("status")["tables"]}


def _run_once(deployment: str, *, seconds: float) -> str:
    """Start a run; returns its final state, or the reason why there is none."""
    try:
        run = start_run(deployment)
        until(lambda: state_of(run) in ENDED, seconds=seconds, what="the run ends")
    except (AssertionError, OSError, ValueError) as err:
        return f"none ({type(err).__name__})"
    return state_of(run)
