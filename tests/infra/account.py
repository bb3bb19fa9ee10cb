"""An emulated AWS account for deploy.sh, with fakes for Docker and for the deployed site."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
from cloud import ROOT, environment

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
_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


class DeployedSite(BaseHTTPRequestHandler):
    """The deployed site: always healthy; ready if `is_ready`."""

    is_ready = True

    def do_GET(self) -> None:
        good = type(self).is_ready or "ready" not in self.path
        self.send_response(200 if good else 503)
        self.end_headers()
        body = {"issued_at": "2026-11-24T06:00:00Z"} if good else {"detail": "The newest forecast is 90 h old"}
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Write no access log."""


@contextmanager
def deployed_site() -> Iterator[str]:
    """Serve `DeployedSite` on loopback; yields its address."""
    DeployedSite.is_ready = True
    site = ThreadingHTTPServer(("127.0.0.1", 0), DeployedSite)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{site.server_port}"
    finally:
        site.shutdown()
        site.server_close()


class Account:
    """A checkout of the deployment script with one commit, and the account it deploys to."""

    def __init__(self, address: str, folder: Path, url: str, *, fakes: dict[str, str], files: list[str]) -> None:
        self.folder, self.address, self.checkout = folder, address, folder / "checkout"
        self.ecs = self.client("ecs")
        self._calls = folder / "calls"
        _check_out(self.checkout, files)
        tools = folder / "bin"
        tools.mkdir()
        for name, text in fakes.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.env = environment(address) | {
            "CALLS": str(self._calls),
            "OUTPUTS": str(folder / "outputs.json"),
            "SMOKE_URL": url,
            "RETRY_SECONDS": "1",
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        }

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.address, region_name="us-east-1", **_KEYS)

    def reject_credentials(self) -> None:
        """Reject every request from now on: turn authentication on without users."""
        plain = {"Content-Type": "text/plain"}
        urlopen(Request(f"{self.address}/moto-api/reset-auth", data=b"0", headers=plain)).close()

    def command(self, *words: str) -> list[str]:
        return ["bash", str(self.checkout / "deploy.sh"), "--env", "staging", *words]

    def deploy(self, *words: str, seconds: float = 500, **more: str) -> subprocess.CompletedProcess[str]:
        env = self.env | more
        return subprocess.run(
            self.command(*words), env=env, capture_output=True, text=True, check=False, timeout=seconds
        )

    def calls(self, word: str) -> int:
        text = self._calls.read_text() if self._calls.exists() else ""
        return sum(word in line for line in text.splitlines())

    def running(self, service: str) -> tuple[str, str]:
        """Revision and image of a service."""
        arn = self.ecs.describe_services(cluster=CLUSTER, services=[service])["services"][0]["taskDefinition"]
        revision = self.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        return arn, revision["containerDefinitions"][0]["image"]


def _check_out(folder: Path, files: list[str]) -> None:
    """Copy the script and its inputs to a git repository with one commit."""
    state = shutil.ignore_patterns(".terraform", ".terraform-*", "*.tfstate*", "*.tfplan", "backend_override.tf")
    for name in ("deploy.sh", "infrastructure/deploy", *files):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target, ignore=state) if source.is_dir() else shutil.copy(source, target)
    (folder / ".gitignore").write_text("backend_override.tf\n*.tfplan\n.terraform-*/\n")
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "One"]):
        subprocess.run([*git, *words], check=True)


class AppliedAccount(Account):
    """An account after a (fake) Terraform apply: a cluster with two services."""

    def __init__(self, address: str, folder: Path, url: str) -> None:
        fakes = {"terraform": TERRAFORM, "docker": DOCKER}
        super().__init__(address, folder, url, fakes=fakes, files=["infrastructure/terraform/environments"])
        (folder / "outputs.json").write_text(
            json.dumps({name: {"value": one} for name, one in self._outputs().items()})
        )

    def _outputs(self) -> dict[str, Any]:
        network = self._network()
        self.ecs.create_cluster(clusterName=CLUSTER)
        for name in ("api", "worker", "database-setup"):
            self.revise(name)
        for name in ("api", "worker"):
            self.ecs.create_service(
                cluster=CLUSTER,
                serviceName=name,
                taskDefinition=name,
                desiredCount=1,
                networkConfiguration={"awsvpcConfiguration": network},
            )
        images, ecr = {"api": "api", "prefect": "worker"}, self.client("ecr")
        made = {name: ecr.create_repository(repositoryName=f"staging/{name}")["repository"] for name in images}
        return {
            "cluster": CLUSTER,
            "url": "http://nowhere.invalid",
            "hosts": {},
            "repositories": {name: one["repositoryUri"] for name, one in made.items()},
            "services": {
                f"{number}-{family}": {"service": family, "image": image, "family": family}
                for number, (image, family) in enumerate(images.items())
            },
            "one_off": {
                "database_setup": "database-setup",
                "worker": "worker",
                "subnets": network["subnets"],
                "security_group": network["securityGroups"][0],
                "is_public_address": False,
            },
        }

    def _network(self) -> dict[str, list[str]]:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="worker", Description="worker", VpcId=vpc)["GroupId"]
        return {"subnets": [subnet], "securityGroups": [group]}

    def revise(self, family: str, state: str = "well") -> None:
        """Register a task definition as Terraform does, with a placeholder image."""
        container = {"name": family, "image": "none:latest", "cpu": 256, "memory": 512}
        self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{**container, "environment": [{"name": "STATE", "value": state}]}],
        )
