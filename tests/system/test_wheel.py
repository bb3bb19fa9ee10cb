"""The wheel: what it holds, the base installation without the stack, and a fresh environment (if asked for)."""

import os
import subprocess
import sys
import time
import venv
import zipfile
from datetime import UTC, datetime, timedelta
from importlib.metadata import requires
from pathlib import Path

import httpx
import pytest

from hazecast.sources.simulated import SimulatedSource
from ports import free_port

ROOT = Path(__file__).resolve().parents[2]
STACK = ("altair", "apprise", "boto3", "fastapi", "mlflow", "prefect", "prometheus_client", "streamlit", "uvicorn")
PORTS = ("API", "DASHBOARD", "MLFLOW", "PREFECT", "WORKER")
# Makes the modules of the extra unimportable, as if they were not installed.
WITHOUT_STACK = f"import sys; sys.modules.update(dict.fromkeys({STACK}))\n"

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--wheel-dir")
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder), str(ROOT)], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAZECAST_", "MLFLOW_"))}
    ports = {f"HAZECAST_{name}_PORT": str(free_port()) for name in PORTS}
    return kept | ports | {"HAZECAST_HOME": str(tmp_path / "home"), "COLUMNS": "120"}


def test_the_wheel_runs_in_an_empty_folder(wheel: Path, environment: dict[str, str], tmp_path: Path):
    unpacked, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    zipfile.ZipFile(wheel).extractall(unpacked)
    program = (
        "import hazecast.paths as p; print(p.SHIPPED.parent, p.FLOWS.parent, "
        "(p.FLOWS / 'deployments.py').is_file(), (p.SHIPPED.parent / 'dashboard' / 'app.py').is_file())"
    )
    environment |= {"PYTHONPATH": str(unpacked)}
    options = {"cwd": empty, "env": environment, "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([sys.executable, "-c", program], **options)
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()
    assert found == [str(unpacked / "hazecast")] * 2 + ["True"] * 2
    places = subprocess.run([sys.executable, "-m", "hazecast.cli", "places"], check=True, **options).stdout
    assert "helsinki" in places


@pytest.mark.parametrize("command", [["up"], ["serve"], ["run", "full"], ["models"]])
def test_a_missing_extra_is_one_sentence_with_its_remedy(command: list[str], environment: dict[str, str]):
    program = f"{WITHOUT_STACK}from hazecast.cli import app; app({command})"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "which is not installed: pip install 'hazecast[stack]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_library_client_and_their_commands_need_no_extra(environment: dict[str, str], tmp_path: Path):
    program = f"""{WITHOUT_STACK}
import hazecast as hz, hazecast.cli.inspect, hazecast.evaluation.page
from hazecast.cli import app
data = hz.simulate(days=30, n_stations=1)
forecast = hz.fit(data, kind="climatology").predict()
hz.plot(forecast, data), hz.Client
app(["index", "--help"], standalone_mode=False)
"""
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, cwd=tmp_path, timeout=120)


def test_base_and_stack_are_disjoint():
    lines = [line for line in requires("hazecast") or [] if "extra ==" not in line]
    named = {line.partition(">")[0].partition("<")[0].replace("-", "_") for line in lines}
    assert not named & set(STACK)


@pytest.mark.skipif(not os.environ.get("HAZECAST_WHEEL_TEST"), reason="downloads: set HAZECAST_WHEEL_TEST=1")
@pytest.mark.timeout(1800)
def test_pip_install_and_up_in_a_fresh_environment(wheel: Path, environment: dict[str, str], tmp_path: Path):
    fresh, empty, data = tmp_path / "venv", tmp_path / "empty", tmp_path / "hamlet"
    venv.create(fresh, with_pip=True)
    empty.mkdir()
    pip = [str(fresh / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{wheel}[stack]", "-c", str(unhashed(tmp_path))], check=True)
    write_dataset(data)
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        command = [str(fresh / "bin" / "hazecast"), "up", "--data", str(data)]
        process = subprocess.Popen(command, cwd=empty, env=environment, stdout=out, stderr=out)
    try:
        assert healthy(environment["HAZECAST_API_PORT"], "/api/v1/ready", process, seconds=600), log.read_text()
        assert healthy(environment["HAZECAST_WORKER_PORT"], "/health", process, seconds=300), log.read_text()
    finally:
        process.terminate()
        process.wait(60)


def unhashed(folder: Path) -> Path:
    """The versions of the lock as constraints."""
    lines = (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
    pinned = [line.rstrip(" \\") for line in lines if "==" in line and not line.startswith(" ")]
    path = folder / "constraints.txt"
    path.write_text(
        "\n".join(line.partition("[")[0] + line.partition("]")[2] if "[" in line else line for line in pinned)
    )
    return path


def write_dataset(folder: Path) -> None:
    folder.mkdir()
    source, since = SimulatedSource(n_stations=1), datetime(2024, 1, 1, tzinfo=UTC)
    source.fetch_stations().drop("source").write_csv(folder / "stations.csv")
    rows = source.fetch_observations(since=since, until=since + timedelta(days=40))
    wide = rows.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.select("station_id", "observed_at", "pm25").write_csv(folder / "observations.csv")


def healthy(port: str, path: str, process: subprocess.Popen[bytes], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5, trust_env=False).is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(1)
    return False
