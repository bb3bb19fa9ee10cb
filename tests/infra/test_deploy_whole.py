"""deploy.sh with the real Terraform, from an empty account to an empty account, with a fake Docker."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from account import DOCKER, Account, deployed_site
from cloud import Terraform, emulator

pytestmark = pytest.mark.system
_BEGUN = 40  # resources created before the interruption, of about 220
_MINUTES = 20


@pytest.fixture
def account(terraform: Terraform, tmp_path: Path) -> Iterator[Account]:
    """An empty account; the `terraform` fixture skips the test if Terraform is not installed."""
    with deployed_site() as url, emulator(tmp_path / "aws.log") as address:
        yield Account(
            address,
            tmp_path,
            url,
            fakes={"docker": DOCKER},
            files=["infrastructure/terraform", *(f"Dockerfile.{one}" for one in ("api", "dashboard"))],
        )


def test_deployment_is_interrupted_resumed_repeated_and_destroyed(account: Account):
    interrupted = _interrupt(account)
    assert "the apply was interrupted" in interrupted, interrupted[-2000:]
    assert account.calls("docker push") == 0

    resumed = account.deploy("--yes", seconds=_MINUTES * 60)
    assert resumed.returncode == 0, (resumed.stdout + resumed.stderr)[-3000:]
    assert account.calls("docker push") == 4
    revision, image = account.running("air-pollution-staging-api")
    assert "@sha256:" in image

    repeated = account.deploy("--yes", seconds=_MINUTES * 60)
    assert repeated.returncode == 0, (repeated.stdout + repeated.stderr)[-3000:]
    assert "No changes" in repeated.stdout and account.calls("docker push") == 4
    assert account.running("air-pollution-staging-api") == (revision, image)

    removed = account.deploy("--destroy", "--yes", seconds=_MINUTES * 60)
    assert removed.returncode == 0, (removed.stdout + removed.stderr)[-3000:]
    assert account.client("rds").describe_db_instances()["DBInstances"] == []
    assert [one["Name"] for one in account.client("s3").list_buckets()["Buckets"]] == [
        "hazecast-state-123456789012-us-east-1"
    ]


def _interrupt(account: Account) -> str:
    """Deploy and send SIGINT during the apply; returns the output."""
    log = account.folder / "interrupted.log"
    with log.open("wb") as out:
        script = subprocess.Popen(
            account.command("--yes"), env=account.env, stdout=out, stderr=out, start_new_session=True
        )
        deadline = time.monotonic() + _MINUTES * 60
        while script.poll() is None and log.read_text().count("Creation complete") < _BEGUN:
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.5)
        os.killpg(script.pid, signal.SIGINT)
        assert script.wait(timeout=_MINUTES * 60) != 0
    return log.read_text()
