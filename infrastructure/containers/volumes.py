"""Save and load the volumes of tables and artifacts as a tar stream: `volumes.py save >FILE`, `volumes.py load <FILE`.

A save needs no pause: the logs of Delta tables are read before their data files, and data files are never modified.
"""

import shutil
import sys
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

VOLUMES = Path("/volumes")
LOG = "_delta_log"


def save(root: Path, out: BinaryIO) -> None:
    """Write every file below `root` to `out`, table logs first."""
    with tarfile.open(fileobj=out, mode="w|") as archive:
        for is_log in (True, False):
            for path in [path for path in root.rglob("*") if path.is_file() and (LOG in path.parts) is is_log]:
                with suppress(FileNotFoundError):  # a temporary file of a write in progress
                    archive.add(path, str(path.relative_to(root)))


def load(root: Path, source: BinaryIO) -> None:
    """Replace the content of every volume below `root` with that of `source`."""
    for path in (path for volume in root.iterdir() for path in volume.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with tarfile.open(fileobj=source, mode="r|") as archive:
        archive.extractall(root, filter="data")


if __name__ == "__main__":
    if sys.argv[1] == "save":
        save(VOLUMES, sys.stdout.buffer)
    else:
        load(VOLUMES, sys.stdin.buffer)
