"""The application: routes, errors as problems, and what surrounds every request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

import hazecast
from hazecast.api.access import Access
from hazecast.api.cors import Cors
from hazecast.api.delivery import Delivery
from hazecast.api.models import Models
from hazecast.api.problems import Defects, answer_errors
from hazecast.api.reader import Reader
from hazecast.api.requests import Requests
from hazecast.api.routes import router
from hazecast.api.service import Service
from hazecast.api.shelf import Shelf
from hazecast.store import Store

if TYPE_CHECKING:
    from hazecast.registry import Registry

DESCRIPTION = """Hourly air-pollution forecasts for the next 72 hours with their uncertainty, age and provenance.

Concentrations are µg/m³ for all pollutants, CO too. Times are UTC; an hour is named by its start.
Errors are problem details (RFC 9457)."""
EXPOSED = ("ETag", "Retry-After", "X-Request-ID")
DEFAULT_INDEX = "eu-eaqi"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between installations.

    Attributes:
        place: label of the metrics.
        index: the place's own air-quality index.
        stale_after_hours: an older forecast is served as stale and makes /ready fail [h].
        schedule_zone: time zone of the schedules, by which answers expire; None: nothing is scheduled.
        cors_origins: web pages that may read the API; "*" is all of them.
        keys_file: who may ask (`hazecast.keys`); None: everybody.
        registry: opens the model registry; None: the API serves what is stored and nothing else.
    """

    place: str = "simulated"
    index: str = DEFAULT_INDEX
    stale_after_hours: float = 26.0
    schedule_zone: tzinfo | None = None
    cors_origins: tuple[str, ...] = ("*",)
    keys_file: Path | None = None
    registry: "Callable[[], Registry] | None" = None


def create_app(
    *, store: Store, clock: Callable[[], datetime], clock_replayed: bool, options: Options | None = None
) -> FastAPI:
    """The API over the tables of `store`.

    Args:
        store: where the tables are.
        clock: tells the time (with zone); ages are counted to it and nothing after it is shown as newest.
        clock_replayed: whether that is a replay of the past; passed on to the readers.
        options: what differs between installations.
    """
    options = options or Options()
    # The built-in documentation pages load scripts from elsewhere; the description itself is served here.
    app = FastAPI(
        title="Hazecast",
        version=hazecast.__version__,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # Requests are counted, timed and logged by `Requests`; looking for other listeners costs more than that.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    service = Service(
        store=store,
        reader=Reader(store, clock),
        models=Models(options.registry, clock),
        shelf=Shelf(options.schedule_zone, clock_replayed),
        clock=clock,
        clock_replayed=clock_replayed,
        stale_after_hours=options.stale_after_hours,
        place=options.place,
        index=options.index,
    )
    app.state.service, app.state.metrics = service, CollectorRegistry()
    _surround(app, service, options)
    answer_errors(app)
    app.include_router(router)
    return app


def _surround(app: FastAPI, service: Service, options: Options) -> None:
    """What every request passes through, innermost first."""
    app.add_middleware(
        Delivery,
        generation=service.reader.generation,
        clock=service.clock,
        keep_seconds=service.shelf.keep_seconds,
        is_private=options.keys_file is not None,
    )
    if options.keys_file is not None:
        app.add_middleware(Access, keys_file=options.keys_file)
    app.add_middleware(
        Cors,
        allow_origins=options.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=EXPOSED,
    )
    app.add_middleware(Defects)
    app.add_middleware(Requests, registry=app.state.metrics)
