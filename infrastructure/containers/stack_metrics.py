"""What waits for the worker and what runs, for Prometheus: `queue_metrics.py` answers at port 9102.

The API's own /metrics come from the stored tables and need no Prefect; these two numbers only Prefect knows.
"""

import time
from collections.abc import Iterator

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hazecast.cli.queue import queue_depth
from hazecast.errors import SettingsError
from hazecast.settings import Settings, load_settings

PORT = 9102


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


if __name__ == "__main__":
    REGISTRY.register(Queue(load_settings()))
    start_http_server(PORT)
    while True:
        time.sleep(3600)
