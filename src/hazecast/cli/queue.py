"""Queue depth of the Prefect work pool, for an autoscaler."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from hazecast.cli.cloudwatch import metric_line
from hazecast.credentials import known_prefect_login
from hazecast.errors import SettingsError
from hazecast.settings import Settings

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class QueueDepth:
    """Runs of one work pool: due but not begun, and running."""

    pool: str
    waiting: int
    running: int

    def as_json(self, *, namespace: str, now: datetime) -> str:
        """One line that is plain JSON and, printed to a CloudWatch log, two metrics by pool."""
        counts = {"waiting": self.waiting, "running": self.running}
        return metric_line(counts, {"pool": self.pool}, namespace=namespace, now=now, unit="Count")


def queue_depth(settings: Settings, *, now: datetime | None = None) -> QueueDepth:
    """Query the Prefect API.

    Raises:
        SettingsError: it does not respond, or refuses the key.
    """
    api, key, login = (
        settings.prefect_address,
        settings.prefect_api_key.get_secret_value(),
        known_prefect_login(settings),
    )
    due = {"before_": (now or datetime.now(UTC)).isoformat()}
    headers = {"Authorization": f"Bearer {key}"} if key and not login else {}
    auth = httpx.BasicAuth(*login.split(":", 1)) if ":" in login else None
    try:
        with httpx.Client(base_url=api, headers=headers, auth=auth, timeout=_TIMEOUT_SECONDS) as client:
            scheduled = _count(client, settings.prefect_pool, "SCHEDULED", {"expected_start_time": due})
            pending = _count(client, settings.prefect_pool, "PENDING", {})
            running = _count(client, settings.prefect_pool, "RUNNING", {})
    except httpx.HTTPStatusError as err:
        if err.response.status_code == HTTPStatus.UNAUTHORIZED:
            raise SettingsError(
                f"the Prefect API at {api} requires a login; set PREFECT_API_AUTH_STRING to its user:password, or "
                "PREFECT_API_KEY"
            ) from err
        raise SettingsError(f"the Prefect API at {api} refused: {err}; check PREFECT_API_URL") from err
    except httpx.HTTPError as err:
        raise SettingsError(f"the Prefect API at {api} does not respond: {err}; check PREFECT_API_URL") from err
    return QueueDepth(settings.prefect_pool, scheduled + pending, running)


def _count(client: httpx.Client, pool: str, state: str, more: Mapping[str, object]) -> int:
    query = {
        "flow_runs": {"state": {"type": {"any_": [state]}}, **more},
        "work_pools": {"name": {"any_": [pool]}},
    }
    return int(client.post("flow_runs/count", json=query).raise_for_status().json())
