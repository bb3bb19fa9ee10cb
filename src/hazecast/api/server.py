"""The API as a server process (uvicorn)."""

import sys
from zoneinfo import ZoneInfo

import uvicorn
from fastapi import FastAPI

from hazecast.api.app import DEFAULT_INDEX, Options, create_app
from hazecast.steps.ongoing import read_ongoing
from hazecast.wiring import Wiring

# Below the 120 s that ECS waits between SIGTERM and SIGKILL (stopTimeout).
GRACE_SECONDS = 20
# Python's default of 5 ms lets each prediction in a thread delay every turn of the event loop by as much.
SWITCH_INTERVAL_SECONDS = 0.0005
# Longer than the idle timeout of the load balancer (60 s), so that the API never closes a connection in use.
KEEP_ALIVE_SECONDS = 75


def app_of(parts: Wiring) -> FastAPI:
    """Create the API over the tables and the registry of the settings."""
    settings = parts.settings
    return create_app(
        store=parts.store,
        clock=parts.now,
        clock_replayed=parts.replayed_now is not None,
        options=Options(
            place=settings.place_name,
            title=parts.title,
            alert_rules=parts.alert_rules,
            index=parts.place.index if parts.place else DEFAULT_INDEX,
            stale_after_hours=settings.stale_after_hours,
            schedule_zone=ZoneInfo(settings.schedule_timezone),
            cors_origins=tuple(origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()),
            keys_file=settings.api_keys,
            predict_per_minute=settings.predict_per_minute,
            registry=lambda: parts.registry,
            training=lambda: read_ongoing(settings.home, settings.place_name),
        ),
    )


def serve_api(parts: Wiring) -> None:
    """Serve until SIGTERM or SIGINT; in-flight requests are then completed, for at most GRACE_SECONDS."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    uvicorn.run(
        app_of(parts),
        host=parts.settings.host,
        port=parts.settings.api_port,
        log_level="warning",
        access_log=False,
        forwarded_allow_ips=parts.settings.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
