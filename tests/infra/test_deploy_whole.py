"""deploy.sh with the real Terraform, from an empty account to an empty account; only Docker is stood in for."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from account import DOCKER, Account, visited
from cloud import Terraform, emulator

pytestmark = pytest.mark.system
_BEGUN = 40  # resources made before the interruption, of some two hundred
_MINUTES = 20


@pytest.fixture
def account(terraform: Terraform, tmp_path: Path) -> Iterator[Account]:
    """Empty; asks for `terraform` to be skipped where there is none."""
    with visited() as url, emulator(tmp_path / "aws.log") as address:
        yield Account(
            address,
            tmp_path,
            url,
            stood_in={"docker": DOCKER},
            files=["infrastructure/terraform", *(f"Dockerfile.{one}" for one in ("api", "dashboard"))],
        )


def test_interrupted_gone_on_with_repeated_and_removed(account: Account):
    interrupted = _interrupt(account)
    assert "the apply stopped half-way" in interrupted, interrupted[-2000:]
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
    """Deploy, press Ctrl-C in the middle of the apply, and what was said until the end."""
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
