"""Terraform and the emulated AWS, for tests and for `make infra-test`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "infrastructure" / "terraform"
_SERVER = Path(__file__).parent / "aws" / "server.py"
_MIRROR = ROOT.parent / "shared" / "bin" / "terraform-mirror"
_FOLDER = tempfile.TemporaryDirectory(prefix="hazecast-terraform-")
_START_SECONDS = 180.0

ISSUER = "https://sign-in.example.org"
OIDC = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "user_info_endpoint": f"{ISSUER}/me",
    "client_id": "hazecast",
    "client_secret": "a-client-secret",
}

# Each with its address, its type and its planned attributes (`after`).
Resources = list[dict[str, Any]]


@contextmanager
def emulator(log: Path) -> Iterator[str]:
    """Start an empty emulated AWS on loopback; yields its address."""
    port = _free_port()
    with log.open("wb") as out:
        server = subprocess.Popen([sys.executable, str(_SERVER), str(port)], stdout=out, stderr=out)
        address = f"http://127.0.0.1:{port}"
        try:
            _await(address, server, log)
            yield address
        finally:
            server.terminate()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urlopen(f"{address}/moto-api/", timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the emulated AWS does not respond: {log.read_text()}")


def environment(address: str) -> dict[str, str]:
    """Environment of Terraform and the AWS CLI for the emulator; uses a provider on this disk if there is one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    return (
        kept
        | _mirror()
        | {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "3",
            "AWS_PAGER": "",
            "TF_CLI_ARGS": "-no-color",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }
    )


@cache
def _mirror() -> dict[str, str]:
    """CLI configuration of a provider on this disk, in a folder of this process since others write theirs."""
    configured = os.environ.get("TF_CLI_CONFIG_FILE", "")
    if configured and Path(configured).exists():
        return {"TF_CLI_CONFIG_FILE": configured}
    if not _MIRROR.exists():
        return {}
    own = os.environ | {"TMPDIR": _FOLDER.name}
    found = subprocess.run([_MIRROR], env=own, capture_output=True, text=True, check=False)
    return {"TF_CLI_CONFIG_FILE": found.stdout.strip()} if found.returncode == 0 else {}


class CannotRun(Exception):
    """Terraform or its AWS provider is not installed."""


def domain(zone_id: str) -> tuple[str, ...]:
    """Options for the domain air.example.org with sign-in."""
    return "-var=domain=air.example.org", f"-var=route53_zone_id={zone_id}", f"-var=oidc={json.dumps(OIDC)}"


class Terraform:
    """Terraform in a copy of infrastructure/terraform, so that it never touches your state."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        ignored = shutil.ignore_patterns(".terraform", ".terraform-*", "*.tfstate*", "*.tfplan", "backend_override.tf")
        self.folder, self._env = shutil.copytree(SOURCE, folder, ignore=ignored), env

    def run(self, *words: str, show: bool = False) -> subprocess.CompletedProcess[str]:
        """Run one command, capture its output or (`show`) print it; never raises for its exit code."""
        out = None if show else subprocess.PIPE
        command = ("terraform", *words)
        return subprocess.run(command, cwd=self.folder, env=self._env, text=True, stdout=out, stderr=out, check=False)

    def init(self) -> str:
        """Run `terraform init`; returns its output.

        Raises:
            CannotRun: Terraform is not installed, or the provider is neither on this disk nor in a registry.
            RuntimeError: `terraform init` failed.
        """
        if shutil.which("terraform") is None:
            raise CannotRun("needs terraform 1.11 or newer")
        started = self.run("init", "-input=false")
        if "Failed to query available provider packages" in started.stderr:
            raise CannotRun("needs the AWS provider, from the registry or a mirror on this disk")
        if started.returncode != 0:
            raise RuntimeError(started.stderr)
        return started.stdout

    def plan(self, name: str, *more: str) -> Resources:
        """Resources that the environment `name` would create.

        Raises:
            RuntimeError: `terraform plan` failed.
        """
        planned = self.run("plan", f"-var-file=environments/{name}.tfvars", "-out=asserted.tfplan", *more)
        if planned.returncode != 0:
            raise RuntimeError(planned.stderr)
        changes = json.loads(self.run("show", "-json", "asserted.tfplan").stdout)["resource_changes"]
        return [{**one, "after": one["change"]["after"]} for one in changes if "create" in one["change"]["actions"]]


def of(planned: Resources, kind: str, address: str = "") -> list[dict[str, Any]]:
    """Planned attributes of all resources of one type whose address contains `address`; fails if there are none."""
    found = [one["after"] for one in planned if one["type"] == kind and address in one["address"]]
    assert found, f"the plan has no {kind} {address}"
    return found
