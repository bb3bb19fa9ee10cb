"""Run a program and restart it when the code changes: `reload.py FOLDER PROGRAM …`. For development only."""

import subprocess
import sys
import time
from pathlib import Path

EVERY_SECONDS = 1.0


def changed_at(folder: Path) -> float:
    """Newest modification time of a Python file; polled because some engines send no file events to mounts."""
    return max((path.stat().st_mtime for path in folder.rglob("*.py")), default=0.0)


def run(folder: Path, command: list[str]) -> None:
    """Run `command` and restart it after each change."""
    while True:
        seen, child = changed_at(folder), subprocess.Popen(command)
        while changed_at(folder) == seen:
            time.sleep(EVERY_SECONDS)
        child.terminate()
        child.wait()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
