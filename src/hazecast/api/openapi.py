"""The OpenAPI document, and Swagger UI for it from files of a package, without a CDN."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hazecast.api import schemas
from hazecast.api.errors import problem_responses
from hazecast.api.repository import depends_on

REFERENCE = "#/components/schemas/{model}"
PROBES = ("/api/v1/health", "/api/v1/ready")
SECURITY_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
# Bodies that an endpoint reads itself, so that FastAPI does not describe them.
BODIES = (schemas.PredictRequest,)
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
# Swagger UI sets inline styles; its images are data URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hazecast API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="swagger-ui"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "api/v1/openapi.json", dom_id: "#swagger-ui", deepLinking: true, docExpansion: "list", tryItOutEnabled: true,
})
"""

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
def page() -> Response:
    """Swagger UI."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    return Response(PAGE, media_type="text/html", headers=headers)


@router.get("/start.js")
def start() -> Response:
    """Starts Swagger UI; a file of its own, as the policy of the page forbids inline scripts."""
    return Response(START, media_type="text/javascript")


def _add_asset(name: str, media_type: str) -> None:
    file = Path(fastapi_offline.__file__).with_name("static") / name

    @router.get(f"/{name}")
    def asset() -> Response:
        depends_on(file.stat().st_mtime_ns)
        return Response(file.read_bytes(), media_type=media_type)


for _name, _media_type in ASSETS.items():
    _add_asset(_name, _media_type)


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that the endpoint reads itself; `model` is one of BODIES."""
    reference = {"$ref": REFERENCE.format(model=model.__name__)}
    return {"required": True, "content": {"application/json": {"schema": reference}}}


def describe(app: FastAPI, *, requires_key: bool) -> None:
    """Complete the OpenAPI document of `app`: API keys, shared models, and the errors of the middleware.

    Args:
        app: with all its routes.
        requires_key: whether this installation requires an API key.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _complete(document, requires_key=requires_key)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI documents


def _complete(document: dict[str, Any], *, requires_key: bool) -> None:
    _, models = models_json_schema(
        [(model, "validation") for model in (schemas.Problem, *BODIES)], ref_template=REFERENCE
    )
    document["components"]["schemas"] |= models["$defs"]
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    keys: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
    document["security"] = keys if requires_key else [{}, *keys]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses: tuple[int, ...] = () if path in PROBES else (401, 403, 422, 429)
            statuses += (400, 413) if method == "post" else ()
            found = {str(status): response for status, response in problem_responses(*statuses).items()}
            operation["responses"] = dict(sorted({**found, **operation["responses"]}.items()))
            if path in PROBES:
                operation["security"] = []
