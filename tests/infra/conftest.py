"""An emulated AWS, and production as Terraform plans it there."""

from collections.abc import Iterator

import pytest
from cloud import CannotRun, Resources, Terraform, emulator, environment


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("aws") / "server.log") as address:
        yield address


@pytest.fixture(scope="session")
def terraform(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Initialised; skips where there is no Terraform, or no provider for it."""
    made = Terraform(tmp_path_factory.mktemp("terraform") / "terraform", environment(aws))
    try:
        made.init()
    except CannotRun as err:
        pytest.skip(str(err))
    return made


@pytest.fixture(scope="session")
def password() -> str:
    return "a-long-and-unique-password"


@pytest.fixture(scope="session")
def planned(terraform: Terraform, password: str) -> Resources:
    """Production."""
    return terraform.plan("prod", f"-var=db_password={password}")
