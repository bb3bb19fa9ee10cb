"""What only the stack knows of itself, for Prometheus: runs that wait and run, and room on its volumes; at port 9102.

The API's own /metrics come from the stored tables and need neither Prefect nor a disk.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hazecast.cli.queue import queue_depth
from hazecast.errors import SettingsError
from hazecast.settings import Settings, load_settings

PORT = 9102
VOLUMES = Path("/volumes")


class Queue(Collector):
    """Asked anew at every scrape; absent while Prefect does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Two gauges, by pool."""
        try:
            depth = queue_depth(self._settings)
        except SettingsError:
            return
        for name, value in (("waiting", depth.waiting), ("running", depth.running)):
            gauge = GaugeMetricFamily(f"hazecast_queue_{name}", f"Runs {name} in the pool", labels=["pool"])
            gauge.add_metric([depth.pool], value)
            yield gauge


class Room(Collector):
    """What is free of each volume that is mounted under /volumes; its contents are nobody's business here."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge, by volume."""
        gauge = GaugeMetricFamily(
            "hazecast_volume_free_ratio", "Share of the volume's disk that is free", labels=["volume"]
        )
        for volume in sorted(VOLUMES.iterdir()):
            usage = shutil.disk_usage(volume)
            gauge.add_metric([volume.name], usage.free / usage.total)
        yield gauge


if __name__ == "__main__":
    REGISTRY.register(Queue(load_settings()))
    REGISTRY.register(Room())
    start_http_server(PORT)
    while True:
        time.sleep(3600)
