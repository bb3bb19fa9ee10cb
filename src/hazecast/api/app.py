"""The application: routes, errors as problems, request ids, caching and compression."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

import hazecast
from hazecast.api.headers import Headers
from hazecast.api.problems import answer_errors
from hazecast.api.reader import Reader
from hazecast.api.routes import Service, router
from hazecast.store import Store

DESCRIPTION = """Hourly air-pollution forecasts for the next 72 hours with their uncertainty, age and provenance.

Concentrations are µg/m³ for all pollutants, CO too. Times are UTC; an hour is named by its start.
Errors are problem details (RFC 9457)."""


def create_app(
    *, store: Store, clock: Callable[[], datetime], clock_replayed: bool, stale_after_hours: float = 26.0
) -> FastAPI:
    """The API over the tables of `store`.

    Args:
        store: where the tables are.
        clock: tells the time (with zone); ages are counted to it and nothing after it is shown as newest.
        clock_replayed: whether that is a replay of the past; passed on to the readers.
        stale_after_hours: an older forecast is served as stale and makes /ready fail [h].
    """
    # The built-in documentation pages load scripts from elsewhere; the description itself is served here.
    app = FastAPI(
        title="Hazecast",
        version=hazecast.__version__,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = Service(Reader(store, clock), clock, clock_replayed, stale_after_hours)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Headers)
    answer_errors(app)
    app.include_router(router)
    return app
