"""An emulated AWS, and production as Terraform plans it there."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Terraform, emulator, environment


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("aws") / "server.log") as address:
        yield address


@pytest.fixture(scope="session")
def terraform(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Initialised; skips where there is no Terraform, or no provider for it."""
    if shutil.which("terraform") is None:
        pytest.skip("needs terraform 1.11 or newer")
    made = Terraform(tmp_path_factory.mktemp("terraform") / "terraform", environment(aws))
    started = made.run("init", "-input=false")
    if "Failed to query available provider packages" in started.stderr:
        pytest.skip("needs the AWS provider, from the registry or a mirror on this disk")
    assert started.returncode == 0, started.stderr
    return made


@pytest.fixture(scope="session")
def planned(terraform: Terraform) -> list[dict]:
    """Every resource of production: address, type and the attributes that are known before anything is made."""
    return plan(terraform, "prod")


def plan(terraform: Terraform, profile: str, *more: str) -> list[dict]:
    file = f"{profile}.tfplan"
    made = terraform.run("plan", f"-var-file=environments/{profile}.tfvars", f"-out={file}", *more)
    assert made.returncode == 0, made.stderr
    changes = json.loads(terraform.run("show", "-json", file).stdout)["resource_changes"]
    (Path(terraform.folder) / file).unlink()
    return [{**one, "after": one["change"]["after"]} for one in changes if "create" in one["change"]["actions"]]
