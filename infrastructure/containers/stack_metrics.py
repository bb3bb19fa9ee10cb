"""Prometheus metrics of the compose stack on port 9102: late and running flow runs, free space on the volumes.

Metrics of forecasts and requests are at the API's /metrics.
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
    """Queried at every scrape; absent while Prefect is down."""

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


class FreeSpace(Collector):
    """Share of free space on each volume mounted under /volumes."""

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
    REGISTRY.register(FreeSpace())
    start_http_server(PORT)
    while True:
        time.sleep(3600)
