"""Write the result of a benchmark to docs/measurements, where the page "How good is it" shows it."""

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "measurements"


def write(name: str, rows: Sequence[dict[str, object]]) -> None:
    """Replace `name`: a comment with the command, day, revision and load, then the rows as CSV."""
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    arguments = " ".join(Path(word).name if word.startswith("/") else word for word in sys.argv[1:])
    command = f"python benchmarks/{Path(sys.argv[0]).name} {arguments}".strip()
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / name
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# Measured on {datetime.now(UTC):%d %B %Y} at revision {revision} on {os.cpu_count()} cores")
        file.write(f" (load at the end {os.getloadavg()[0]:.0f}) by `{command}`.\n")
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"written: {path.relative_to(ROOT)}")
