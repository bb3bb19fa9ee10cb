"""The FastAPI application: routers, error handlers and middleware."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

import hazecast
from hazecast.air.spec import HORIZONS_HOURS, STALE_AFTER_HOURS
from hazecast.api import openapi, repository
from hazecast.api.background import BackgroundCache
from hazecast.api.cache import CachePolicy, ResponseCache
from hazecast.api.dependencies import ApiContext
from hazecast.api.errors import UnhandledErrorMiddleware, add_error_handlers
from hazecast.api.middleware import (
    AuthMiddleware,
    BodyLimitMiddleware,
    ClientLimitMiddleware,
    RequestLogMiddleware,
    VaryingCorsMiddleware,
)
from hazecast.api.registry_cache import REFRESH_SECONDS, RegistryCache
from hazecast.api.repository import Repository, ServedStore
from hazecast.api.resources import router
from hazecast.monitoring import Rules
from hazecast.steps.ongoing import Ongoing
from hazecast.store import Store

if TYPE_CHECKING:
    from hazecast.registry import Registry

DESCRIPTION = f"""Hourly air-quality forecasts with their uncertainty, age and provenance.

The horizon is set per place ({", ".join(map(str, HORIZONS_HOURS))} hours). Concentrations are µg/m³ for all pollutants,
including CO. Times are UTC; an hour is named by its start. Errors are problem details (RFC 9457)."""
EXPOSED_HEADERS = ("ETag", "Link", "Retry-After", "Warning", "X-Request-ID", "X-Total-Count")
DEFAULT_INDEX = "eu-eaqi"
PREDICTIONS_PER_MINUTE = 30
# How long a probe waits for the tables before it reports the rows read last [s].
MAX_PROBE_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of an installation.

    Attributes:
        place: label of the metrics.
        title: name of the place for people.
        alert_rules: conditions for warnings to the public.
        index: the place's own air-quality index.
        stale_after_hours: an older forecast is served as stale, and /ready fails [h].
        schedule_zone: time zone of the schedules, which limit caching; None: no schedule.
        cors_origins: origins of web pages that may read the API; "*" allows all.
        keys_file: API keys (`hazecast.keys`); None: no authentication.
        predict_per_minute: predictions that one client without a key may request in a minute; 0: no limit.
        registry: opens the model registry; None: the API serves stored forecasts only.
        registry_refresh_seconds: least time between two requests to the registry [s].
        training: the training that is running; None: unknown.
    """

    place: str = "simulated"
    title: str = "simulated"
    alert_rules: Rules = field(default_factory=Rules)
    index: str = DEFAULT_INDEX
    stale_after_hours: float = STALE_AFTER_HOURS
    schedule_zone: tzinfo | None = None
    cors_origins: tuple[str, ...] = ("*",)
    keys_file: Path | None = None
    predict_per_minute: int = PREDICTIONS_PER_MINUTE
    registry: "Callable[[], Registry] | None" = None
    registry_refresh_seconds: float = REFRESH_SECONDS
    training: Callable[[], Ongoing | None] = lambda: None


def create_app(
    *, store: Store, clock: Callable[[], datetime], clock_replayed: bool, options: Options | None = None
) -> FastAPI:
    """Create the API over the tables of `store`.

    Args:
        store: the stored tables.
        clock: returns the current time with its zone; ages are counted to it, and later rows are not served as newest.
        clock_replayed: whether the clock replays the past; the API reports it.
        options: options of the installation.
    """
    options = options or Options()
    # FastAPI's documentation pages load scripts from a CDN; `openapi` serves Swagger UI from files.
    app = FastAPI(
        title="Hazecast",
        version=hazecast.__version__,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # `RequestLogMiddleware` counts, times and logs requests at a lower cost.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    tables = ServedStore(store)
    queries = Repository(tables, clock)
    context = ApiContext(
        store=store,
        tables=tables,
        repository=queries,
        snapshots=BackgroundCache(
            lambda _: queries.snapshot(),
            name="stored tables",
            refresh_seconds=repository.VERSION_CHECK_SECONDS,
            timeout_seconds=MAX_PROBE_SECONDS,
        ),
        registry=RegistryCache(options.registry, clock, refresh_seconds=options.registry_refresh_seconds),
        cache_policy=CachePolicy(options.schedule_zone, clock_replayed),
        clock=clock,
        clock_replayed=clock_replayed,
        stale_after_hours=options.stale_after_hours,
        place=options.place,
        title=options.title,
        index=options.index,
        alert_rules=options.alert_rules,
        training=options.training,
    )
    app.state.context, app.state.metrics = context, CollectorRegistry()
    _add_middleware(app, context, options)
    add_error_handlers(app)
    app.include_router(router)
    app.include_router(openapi.router)
    openapi.describe(app, requires_key=options.keys_file is not None)
    return app


def _add_middleware(app: FastAPI, context: ApiContext, options: Options) -> None:
    """Add the middleware, innermost first."""
    app.add_middleware(
        ResponseCache,
        generation=context.repository.generation,
        clock=context.clock,
        max_age_seconds=context.cache_policy.max_age_seconds,
        is_private=options.keys_file is not None,
        salt=f"{options.place} {options.index} {options.stale_after_hours}",
    )
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(ClientLimitMiddleware, per_minute=options.predict_per_minute)
    if options.keys_file is not None:
        app.add_middleware(AuthMiddleware, keys_file=options.keys_file)
    app.add_middleware(
        VaryingCorsMiddleware,
        allow_origins=options.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=EXPOSED_HEADERS,
    )
    app.add_middleware(UnhandledErrorMiddleware)
    app.add_middleware(RequestLogMiddleware, registry=app.state.metrics)
