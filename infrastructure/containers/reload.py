"""Run a program and start it anew when the code changes: `reload.py FOLDER PROGRAM …`. For development only."""

import subprocess
import sys
import time
from pathlib import Path

EVERY_SECONDS = 1.0


def changed_at(folder: Path) -> float:
    """When a file of code last changed; polled, since mounts of some engines tell of no events."""
    return max((path.stat().st_mtime for path in folder.rglob("*.py")), default=0.0)


def run(folder: Path, command: list[str]) -> None:
    """Keep `command` running on the newest code."""
    while True:
        seen, child = changed_at(folder), subprocess.Popen(command)
        while changed_at(folder) == seen:
            time.sleep(EVERY_SECONDS)
        child.terminate()
        child.wait()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
