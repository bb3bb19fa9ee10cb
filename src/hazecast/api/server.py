"""The API as a server process."""

from zoneinfo import ZoneInfo

import uvicorn
from fastapi import FastAPI

from hazecast.api.app import DEFAULT_INDEX, Options, create_app
from hazecast.wiring import Wiring

GRACE_SECONDS = 20
# Longer than the load balancer before us keeps a silent connection (60 s), so that we never close one as it asks.
KEEP_ALIVE_SECONDS = 75


def app_of(parts: Wiring) -> FastAPI:
    """The API over the tables and the registry of these settings."""
    settings = parts.settings
    return create_app(
        store=parts.store,
        clock=parts.now,
        clock_replayed=parts.replayed_now is not None,
        options=Options(
            place=settings.place_name,
            index=parts.place.index if parts.place else DEFAULT_INDEX,
            stale_after_hours=settings.stale_after_hours,
            schedule_zone=ZoneInfo(settings.schedule_timezone),
            cors_origins=tuple(origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()),
            keys_file=settings.api_keys,
            registry=lambda: parts.registry,
        ),
    )


def serve_api(parts: Wiring) -> None:
    """Serve until told to stop; requests under way are then finished, for at most 20 seconds."""
    uvicorn.run(
        app_of(parts),
        host=parts.settings.host,
        port=parts.settings.api_port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
