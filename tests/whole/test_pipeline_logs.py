"""Log lines of a pipeline, as machines read them: each names its run in the table `runs`, the place and the model."""

import json
import os
import subprocess
import sys
from pathlib import Path

from one_station import write_station

from hazecast.air.tables import Runs
from hazecast.store import Store


def test_every_line_of_a_step_carries_its_run_its_place_and_the_model(tmp_path: Path):
    write_station(tmp_path / "town", days=3)
    environment = os.environ | {"HAZECAST_HOME": str(tmp_path / "home"), "HAZECAST_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "hazecast.cli", "run", "prediction", "--data", str(tmp_path / "town")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    runs = Store(str(tmp_path / "home/tables/town")).read(Runs)
    assert [(line["run_id"], line["step"]) for line in lines if "outcome" in line] == list(
        runs.sort("started_at").select("run_id", "step").iter_rows()
    )
    assert {line["place"] for line in lines if "step" in line} == {"town"}
    [forecast] = [line for line in lines if line["event"] == "forecast"]
    assert forecast["model_version"] == "baseline"
    fallback = next(line for line in lines if "climatology" in line["event"])
    assert fallback["run_id"] == forecast["run_id"]
