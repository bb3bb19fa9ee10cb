"""The resources under /api/v1, one module each; parameters that an endpoint does not have are refused."""

from collections.abc import Mapping
from functools import cache

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.utils import get_openapi

from hazecast.api.errors import InvalidRequest
from hazecast.api.openapi import PROBES
from hazecast.api.resources import bulletins, days, evidence, forecasts, indices, models, state, stations, summaries


async def require_known_parameters(request: Request) -> None:
    """Dependency: every query parameter exists at the endpoint, and one that takes a single value is given once.

    Probes ignore parameters.

    Raises:
        InvalidRequest: names the parameter and those that exist.
    """
    path: str = request.scope["route"].path_format
    parameters = _parameters().get(path)
    if parameters is None or path in PROBES:
        return
    for name in request.query_params:
        if name not in parameters:
            known = sorted(parameters)
            listed = ", ".join(known) or "none"
            raise InvalidRequest(f"unknown parameter {name!r}; the parameters here are: {listed}", known=known)
        if not parameters[name] and len(request.query_params.getlist(name)) > 1:
            raise InvalidRequest(f"the parameter {name!r} takes one value and was given several times")


router = APIRouter(dependencies=[Depends(require_known_parameters)])
# Station ids may contain /, so `/stations/{station_id}` comes after the longer paths.
for resource in (state, forecasts, days, summaries, bulletins, stations, indices, evidence, models):
    router.include_router(resource.router)


@cache
def _parameters() -> Mapping[str, Mapping[str, bool]]:
    """Query parameters by path and name, and whether they take several values."""
    document = get_openapi(title="", version="", routes=router.routes)
    return {
        path: {
            parameter["name"]: "array" in str(parameter["schema"])
            for operation in operations.values()
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
        for path, operations in document["paths"].items()
    }
