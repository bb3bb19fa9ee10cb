"""deploy.sh, run as it is against the emulated AWS; Terraform and Docker are stood in for, all else is real."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from stack import ROOT, emulator, environment

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("aws") is None or shutil.which("jq") is None, reason="needs the AWS command and jq"
    ),
]
CLUSTER = "air-pollution-prediction-cluster-staging"
TERRAFORM = """#!/usr/bin/env bash
echo "terraform $*" >> "$CALLS"
case "$*" in
  *version*) echo '{"terraform_version": "1.11.4"}' ;;
  *" plan "*) exit "${PLAN_CODE:-2}" ;;
  *" apply "*) if [ -e "$CALLS.interrupt" ]; then rm "$CALLS.interrupt"; exit 1; fi ;;
  *" output "*) cat "$OUTPUTS" ;;
  *" show "*) echo '{"values": [{"address": "the database", "values": {"deletion_protection": true}}]}' ;;
esac
"""
DOCKER = """#!/usr/bin/env bash
echo "docker $*" >> "$CALLS"
if [ "$1" = login ]; then cat >/dev/null; fi
if [ "$1" = push ]; then
  name=${2#*/}
  manifest=$(jq -n --arg of "$2" '{schemaVersion: 2, mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: {digest: ("sha256:" + ($of | @base64)), size: 1}, layers: []}')
  aws ecr put-image --repository-name "${name%:*}" --image-tag "${name##*:}" --image-manifest "$manifest" >/dev/null
fi
"""


class Visited(BaseHTTPRequestHandler):
    """What visitors get: health always, readiness as the test says."""

    is_ready = True

    def do_GET(self) -> None:
        good = type(self).is_ready or "ready" not in self.path
        self.send_response(200 if good else 503)
        self.end_headers()
        body = {"issued_at": "2026-11-24T06:00:00Z"} if good else {"detail": "The newest forecast is 90 h old"}
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output to itself."""


class Account:
    """An emulated account that Terraform has been applied in: a cluster with two services."""

    def __init__(self, address: str, folder: Path, url: str) -> None:
        self.folder, self._calls = folder, folder / "calls"
        self.ecs = boto3.client("ecs", endpoint_url=address, region_name="us-east-1", **_KEYS)
        outputs = folder / "outputs.json"
        outputs.write_text(json.dumps(self._outputs(address)))
        tools = folder / "bin"
        tools.mkdir()
        for name, text in (("terraform", TERRAFORM), ("docker", DOCKER)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.env = environment(address) | {
            "CALLS": str(self._calls),
            "OUTPUTS": str(outputs),
            "SMOKE_URL": url,
            "RETRY_SECONDS": "1",
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        }

    def _outputs(self, address: str) -> dict:
        ec2 = boto3.client("ec2", endpoint_url=address, region_name="us-east-1", **_KEYS)
        ecr = boto3.client("ecr", endpoint_url=address, region_name="us-east-1", **_KEYS)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="worker", Description="worker", VpcId=vpc)["GroupId"]
        self.ecs.create_cluster(clusterName=CLUSTER)
        network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
        for name in ("api", "worker", "database-setup"):
            self.revise(name)
            if name != "database-setup":
                self.ecs.create_service(
                    cluster=CLUSTER, serviceName=name, taskDefinition=name, desiredCount=1, networkConfiguration=network
                )
        images = {"api": "api", "prefect": "worker"}
        made = {name: ecr.create_repository(repositoryName=f"staging/{name}")["repository"] for name in images}
        value = {
            "cluster": CLUSTER,
            "url": "http://nowhere.invalid",
            "repositories": {name: one["repositoryUri"] for name, one in made.items()},
            "services": {
                f"{number}-{family}": {"service": family, "image": image, "family": family}
                for number, (image, family) in enumerate(images.items())
            },
            "one_off": {
                "database_setup": "database-setup",
                "worker": "worker",
                "subnets": [subnet],
                "security_group": group,
                "is_public_address": False,
            },
        }
        return {name: {"value": one} for name, one in value.items()}

    def revise(self, family: str, state: str = "well") -> None:
        """A revision as Terraform makes it, with an image nobody has pushed."""
        container = {"name": family, "image": "none:latest", "cpu": 256, "memory": 512}
        self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{**container, "environment": [{"name": "STATE", "value": state}]}],
        )

    def deploy(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(self.folder / "checkout" / "deploy.sh"), "--env", "staging", *words]
        return subprocess.run(command, env=self.env | more, capture_output=True, text=True, check=False, timeout=500)

    def calls(self, word: str) -> int:
        text = self._calls.read_text() if self._calls.exists() else ""
        return sum(word in line for line in text.splitlines())

    def running(self, service: str) -> tuple[str, str]:
        """Revision and image of a service."""
        arn = self.ecs.describe_services(cluster=CLUSTER, services=[service])["services"][0]["taskDefinition"]
        revision = self.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        return arn, revision["containerDefinitions"][0]["image"]


_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    Visited.is_ready = True
    site = ThreadingHTTPServer(("127.0.0.1", 0), Visited)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    _check_out(tmp_path / "checkout")
    with emulator(tmp_path / "aws.log") as address:
        yield Account(address, tmp_path, f"http://127.0.0.1:{site.server_port}")
    site.shutdown()
    site.server_close()


def _check_out(folder: Path) -> None:
    """The script and what it reads, in a repository with one commit."""
    for name in ("deploy.sh", "infrastructure/deploy", "infrastructure/terraform/environments"):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (folder / ".gitignore").write_text("backend_override.tf\n")
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "One"]):
        subprocess.run([*git, *words], check=True)


def test_a_release_runs_by_digest_and_a_second_changes_nothing(account: Account):
    first = account.deploy("--yes")
    assert first.returncode == 0, first.stdout + first.stderr
    arn, image = account.running("api")
    assert "@sha256:" in image
    assert account.calls("docker push") == 2
    again = account.deploy("--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert account.running("api")[0] == arn
    assert account.calls("docker push") == 2


def test_a_release_that_never_gets_healthy_is_taken_back_everywhere(account: Account):
    assert account.deploy("--yes").returncode == 0
    before = {name: account.running(name)[0] for name in ("api", "worker")}
    account.revise("api", "unhealthy")
    account.revise("worker")
    failed = account.deploy("--yes")
    assert failed.returncode == 1
    assert "was not released" in failed.stderr
    assert {name: account.running(name)[0] for name in ("api", "worker")} == before


def test_a_stale_forecast_is_made_anew_and_if_it_stays_stale_the_release_is_taken_back(account: Account):
    Visited.is_ready = False
    before = account.running("api")[0]
    failed = account.deploy("--yes")
    assert failed.returncode == 1
    assert '"run", "prediction"' in failed.stdout
    assert "there is no fresh forecast: The newest forecast is 90 h old" in failed.stderr
    assert account.running("api")[0] == before


def test_an_interrupted_apply_is_gone_on_with(account: Account):
    (account.folder / "calls.interrupt").touch()
    stopped = account.deploy("--yes")
    assert stopped.returncode == 1 and "run ./deploy.sh again" in stopped.stderr
    assert account.calls("docker push") == 0
    assert account.deploy("--yes").returncode == 0


def test_rollback_goes_to_the_release_before(account: Account):
    assert account.deploy("--yes").returncode == 0
    first = account.running("api")[0]
    account.revise("api")
    assert account.deploy("--yes").returncode == 0
    assert account.running("api")[0] != first
    back = account.deploy("--rollback")
    assert back.returncode == 0, back.stdout + back.stderr
    assert account.running("api")[0] == first


def test_a_plan_only_changes_nothing(account: Account):
    planned = account.deploy("--plan-only")
    assert planned.returncode == 0, planned.stderr
    assert account.calls(" apply ") == 0 and account.calls("docker push") == 0


@pytest.mark.parametrize(
    ("words", "more", "reason"),
    [
        (["--yes"], {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "no region is chosen"),
        (["--yes"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS refuses these credentials"),
        (["--yes"], {"PROFILE": "minimal"}, "minimal.tfvars is not for staging"),
        (["--yes"], {"PREFECT_API_URL": "https://your-prefect-cloud-url"}, "guide's example"),
        (["--env", "dev"], {}, "there is no environment 'dev'"),
        (["--destroy", "--yes"], {}, "protected: the database"),
        ([], {}, "nobody is there to answer"),
    ],
)
def test_what_is_wrong_is_said_before_anything_changes(account: Account, words: list[str], more: dict, reason: str):
    refused = account.deploy(*words, **more)
    assert refused.returncode != 0
    assert reason in refused.stderr
    assert account.calls(" apply ") == 0 and account.calls("docker push") == 0
