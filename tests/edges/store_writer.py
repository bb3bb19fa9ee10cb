"""A process that writes: `store_writer.py ROOT NAME [OPTION=VALUE …]`; a NAME with "forever" never stops."""

import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from test_store import hours

from hazecast.air.tables import Observations
from hazecast.store import Store


def main() -> None:
    root, name, *pairs = sys.argv[1:]
    store = Store(root, dict(pair.split("=", 1) for pair in pairs))
    print("ready", flush=True)
    if "forever" in name:
        for number in count():
            store.upsert(Observations, hours(f"{name}-{number}", 2_000))
    for part in range(1, 5):
        store.upsert(Observations, hours(name, 25 * part))
        store.upsert(Observations, hours("shared", 25 * part))


if __name__ == "__main__":
    main()
