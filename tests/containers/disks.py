"""Small disks for volumes of the stack, so that a test can fill them: loop devices on files. Needs root."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from stack import compose

SIZE = "1G"


class SmallDisk:
    """An empty file system for one volume, owned by the user of its service."""

    def __init__(self, file: Path, *, owner: int) -> None:
        self._file = file
        self._owner = owner
        _run("truncate", f"--size={SIZE}", str(file))
        self.device = _run("losetup", "--find", "--show", str(file)).strip()
        self.format()

    def format(self) -> None:
        """Erase the disk."""
        # -m 0: no reserved blocks for root.
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", f"root_owner={self._owner}:{self._owner}", self.device)
        with TemporaryDirectory() as folder:
            _run("mount", self.device, folder)
            # PostgreSQL initialises a database in an empty folder only.
            (Path(folder) / "lost+found").rmdir()
            _run("umount", folder)

    def as_volume(self) -> dict[str, object]:
        """Volume entry of a compose file."""
        return {"driver": "local", "driver_opts": {"type": "ext4", "device": self.device}}

    def remove(self) -> None:
        """Release the device."""
        _run("losetup", "--detach", self.device)
        self._file.unlink()


def fill(service: str, folder: str) -> None:
    """Write a file until the disk is full."""
    command = ["dd", "if=/dev/zero", f"of={folder}/filler", "bs=64k"]
    done = subprocess.run(
        ["docker", "compose", "exec", "-T", service, *command], capture_output=True, text=True, check=False
    )
    assert "No space left on device" in done.stderr, done.stderr


def free(service: str, folder: str) -> None:
    """Remove that file in a separate container, since the service may be down."""
    compose("run", "--rm", "-T", "--no-deps", "--entrypoint", "rm", service, f"{folder}/filler")


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
