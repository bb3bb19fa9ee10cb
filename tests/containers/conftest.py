"""The running stack: started once for all tests, on small disks and without a shell."""

import os
import shutil
import time
from collections.abc import Iterator

import pytest
import yaml
from disks import SmallDisk
from stack import OURS, ROOT, compose, services

# Our images need no shell, so it is disabled in this stack.
NO_SHELL = {"volumes": ["/dev/null:/usr/bin/dash:ro", "/dev/null:/usr/bin/bash:ro"]}


@pytest.fixture(scope="session")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SmallDisk]]:
    """Small disks for the volumes of tables and databases; the stack uses them from here on."""
    folder = tmp_path_factory.mktemp("disks")
    made = {name: SmallDisk(folder / name, owner=owner) for name, owner in (("tables", 10001), ("databases", 999))}
    volumes = {name: disk.as_volume() for name, disk in made.items()}
    override = folder / "override.yml"
    override.write_text(yaml.safe_dump({"services": dict.fromkeys(OURS, NO_SHELL), "volumes": volumes}))
    os.environ["COMPOSE_FILE"] = os.pathsep.join(["docker-compose.yml", str(override)])
    os.environ["COMPOSE_PROFILES"] = "watch"
    yield made
    del os.environ["COMPOSE_FILE"], os.environ["COMPOSE_PROFILES"]
    for disk in made.values():
        disk.remove()


@pytest.fixture(scope="session")
def stack(disks: dict[str, SmallDisk]) -> Iterator[list[str]]:
    """All services healthy on new volumes, as after a first `up`; everything is removed afterwards."""
    compose("build", seconds=3000)
    compose("down", "--volumes")
    shutil.rmtree(ROOT / "secrets", ignore_errors=True)
    names = services()
    try:
        began = time.monotonic()
        compose("up", "--detach", "--wait", "--wait-timeout", "900", *names, seconds=1000)
        print(f"{len(names)} services healthy {time.monotonic() - began:.0f} s after `up`")
        yield [name for name in names if name != "secrets"]
    finally:
        compose("down", "--volumes", "--timeout", "20")
