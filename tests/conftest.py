"""Fixtures for all tests: real servers on loopback, free ports, the shared data sets."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import structlog
from hypothesis import settings

from ports import free_port

# A busy machine is no failure: how long an example takes says nothing about the code.
settings.register_profile("hazecast", deadline=None)
settings.load_profile("hazecast")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def log_to_no_closed_stream() -> Iterator[None]:
    """What a command of one test configured must not outlive the stream it was given."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def no_tracking_uri_of_another_test() -> Iterator[None]:
    """MLflow exports the address it was given to the environment, where the settings of the next test would read it."""
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def unused_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3-protocol server in a process of its own; yields its address."""
    port = free_port()
    log = (tmp_path_factory.mktemp("s3") / "server.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            httpx.get(address + "/moto-api/", timeout=1, trust_env=False)
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield address
    server.terminate()
    server.wait()
    log.close()


@pytest.fixture
def s3_bucket(s3_server: str) -> tuple[str, dict[str, str]]:
    """A fresh bucket: the root of a store and the options to reach it."""
    bucket = f"test-{uuid4().hex}"
    httpx.put(f"{s3_server}/{bucket}", timeout=10, trust_env=False).raise_for_status()
    options = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "aws_conditional_put": "etag",
    }
    return f"s3://{bucket}/tables", options


@pytest.fixture(scope="session")
def beijing() -> Path:
    folder = SHARED_DATA / "beijing"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/beijing, which is not part of the project")
    return folder
