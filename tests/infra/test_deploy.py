"""deploy.sh against the emulated AWS, with fakes for Terraform and Docker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from account import CLUSTER, AppliedAccount, DeployedSite, deployed_site
from cloud import emulator

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("aws") is None or shutil.which("jq") is None, reason="needs the AWS command and jq"
    ),
]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AppliedAccount]:
    with deployed_site() as url, emulator(tmp_path / "aws.log") as address:
        yield AppliedAccount(address, tmp_path, url)


def test_release_uses_digests_and_is_idempotent(account: AppliedAccount):
    first = account.deploy("--yes")
    assert first.returncode == 0, first.stdout + first.stderr
    arn, image = account.running("api")
    assert "@sha256:" in image
    assert account.calls("docker push") == 2
    again = account.deploy("--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert account.running("api")[0] == arn
    assert account.calls("docker push") == 2


def test_unhealthy_release_is_rolled_back_on_all_services(account: AppliedAccount):
    assert account.deploy("--yes").returncode == 0
    before = {name: account.running(name)[0] for name in ("api", "worker")}
    account.revise("api", "unhealthy")
    account.revise("worker")
    failed = account.deploy("--yes")
    assert failed.returncode == 1
    assert "was not released" in failed.stderr
    assert {name: account.running(name)[0] for name in ("api", "worker")} == before


def test_release_waits_while_ecs_watches_the_deployment(account: AppliedAccount):
    assert account.deploy("--yes").returncode == 0
    account.revise("api", "watched")
    watched = account.deploy("--yes")
    assert watched.returncode == 0, watched.stdout + watched.stderr
    api = account.ecs.describe_services(cluster=CLUSTER, services=["api"])["services"][0]
    assert api["deployments"][0]["rolloutState"] == "COMPLETED"


def test_release_is_rolled_back_if_the_forecast_stays_stale_after_a_prediction_run(account: AppliedAccount):
    DeployedSite.is_ready = False
    before = account.running("api")[0]
    failed = account.deploy("--yes")
    assert failed.returncode == 1
    assert '"run", "prediction"' in failed.stdout
    assert "there is no fresh forecast: The newest forecast is 90 h old" in failed.stderr
    assert account.running("api")[0] == before


def test_interrupted_apply_is_resumed(account: AppliedAccount):
    (account.folder / "calls.interrupt").touch()
    stopped = account.deploy("--yes")
    assert stopped.returncode == 1 and "run ./deploy.sh again" in stopped.stderr
    assert account.calls("docker push") == 0
    assert account.deploy("--yes").returncode == 0


def test_rollback_returns_to_the_previous_release(account: AppliedAccount):
    assert account.deploy("--yes").returncode == 0
    first = account.running("api")[0]
    account.revise("api")
    assert account.deploy("--yes").returncode == 0
    assert account.running("api")[0] != first
    back = account.deploy("--rollback")
    assert back.returncode == 0, back.stdout + back.stderr
    assert account.running("api")[0] == first


def test_a_second_rollback_goes_further_back(account: AppliedAccount):
    ran = []
    for _ in range(3):
        assert account.deploy("--yes").returncode == 0
        ran.append(account.running("api")[0])
        account.revise("api")
    assert len(set(ran)) == 3
    for wanted in (ran[1], ran[0]):
        back = account.deploy("--rollback")
        assert back.returncode == 0, back.stdout + back.stderr
        assert account.running("api")[0] == wanted
        assert account.deploy("--verify").returncode == 0
    exhausted = account.deploy("--rollback")
    assert exhausted.returncode == 1
    assert "there is no previous release" in exhausted.stderr
    assert account.deploy("--yes").returncode == 0
    assert account.deploy("--rollback").returncode == 0
    assert account.running("api")[0] == ran[0]


def test_plan_only_changes_nothing(account: AppliedAccount):
    planned = account.deploy("--plan-only")
    assert planned.returncode == 0, planned.stderr
    assert account.calls(" apply ") == 0 and account.calls("docker push") == 0


def test_rejected_credentials_change_nothing(account: AppliedAccount):
    account.reject_credentials()
    refused = account.deploy("--yes")
    assert refused.returncode == 1
    assert "AWS refuses these credentials" in refused.stderr and "InvalidClientTokenId" in refused.stderr
    assert account.calls("terraform -chdir") == 0


@pytest.mark.parametrize(
    ("words", "more", "reason"),
    [
        (["--yes"], {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "no region is set"),
        (["--yes"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint"),
        (["--yes"], {"PROFILE": "minimal"}, "minimal.tfvars is not for staging"),
        (["--yes"], {"PREFECT_API_URL": "https://your-prefect-cloud-url"}, "guide's example"),
        (["--env", "dev"], {}, "unknown environment 'dev'"),
        (["--destroy", "--yes"], {}, "protected: the database"),
        ([], {}, "no terminal to confirm"),
    ],
)
def test_invalid_input_is_reported_before_any_change(
    account: AppliedAccount, words: list[str], more: dict, reason: str
):
    refused = account.deploy(*words, **more)
    assert refused.returncode != 0
    assert reason in refused.stderr
    assert account.calls(" apply ") == 0 and account.calls("docker push") == 0
