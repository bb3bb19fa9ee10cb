"""Formats of a response: JSON, tables (CSV, Parquet, Arrow) and maps (GeoJSON)."""

import io
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import orjson
import polars as pl
from fastapi import Query, Request, Response
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from hazecast.api.errors import NotAcceptable
from hazecast.api.schemas.base import digits_of


class Format(StrEnum):
    """Formats of a response."""

    JSON = "json"
    CSV = "csv"
    GEOJSON = "geojson"
    PARQUET = "parquet"
    ARROW = "arrow"


MEDIA_TYPES: dict[Format, str] = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.GEOJSON: "application/geo+json",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}
TABLE_FORMATS = (Format.JSON, Format.CSV, Format.PARQUET, Format.ARROW)
MAP_FORMATS = (*TABLE_FORMATS, Format.GEOJSON)
CSV_TIME = "%Y-%m-%dT%H:%M:%SZ"

FormatQuery = Annotated[
    Format | None, Query(alias="format", description="Takes precedence over the header `Accept`", examples=["csv"])
]


async def negotiate_table(request: Request, wanted: FormatQuery = None) -> Format:
    """Dependency: JSON or a table format.

    Raises:
        NotAcceptable: none of the accepted formats is offered.
    """
    return negotiate(wanted, request.headers.get("accept", "*/*"), TABLE_FORMATS)


async def negotiate_map(request: Request, wanted: FormatQuery = None) -> Format:
    """Dependency: JSON, a table format or GeoJSON.

    Raises:
        NotAcceptable: none of the accepted formats is offered.
    """
    return negotiate(wanted, request.headers.get("accept", "*/*"), MAP_FORMATS)


def negotiate(wanted: Format | None, accept: str, offered: tuple[Format, ...]) -> Format:
    """Select the format: `wanted` if given, else the best match of `accept`.

    Raises:
        NotAcceptable: none of the accepted formats is offered.
    """
    available = ", ".join(f"{MEDIA_TYPES[one]} ({one})" for one in offered)
    if wanted is not None:
        if wanted not in offered:
            raise NotAcceptable(f"{wanted} is not available here; available: {available}")
        return wanted
    kinds = {MEDIA_TYPES[one]: one for one in offered}
    best = parse_accept_header(accept, MIMEAccept).best_match(kinds)
    if best is None:
        raise NotAcceptable(f"available: {available}")
    return kinds[best]


def describe_formats(*formats: Format) -> dict[int | str, dict[str, Any]]:
    """Describe the formats other than JSON for the OpenAPI document."""
    content: dict[str, Any] = {MEDIA_TYPES[one]: {"schema": {"type": "string", "format": "binary"}} for one in formats}
    content |= {MEDIA_TYPES[one]: {"schema": {"type": "object"}} for one in formats if one is Format.GEOJSON}
    content.pop(MEDIA_TYPES[Format.JSON], None)
    return {200: {"content": content}}


def render_table(rows: pl.DataFrame, output_format: Format, headers: Mapping[str, str] | None = None) -> Response:
    """`rows` as CSV, Parquet or an Arrow stream, with the digits of the JSON format."""
    buffer = io.BytesIO()
    rows = rows.with_columns(
        pl.col(name).round(digits_of(name)) for name in rows.columns if rows[name].dtype.is_float()
    )
    if output_format is Format.CSV:
        rows.write_csv(buffer, datetime_format=CSV_TIME)
    elif output_format is Format.PARQUET:
        rows.write_parquet(buffer)
    else:
        rows.write_ipc_stream(buffer)
    return Response(buffer.getvalue(), media_type=MEDIA_TYPES[output_format], headers=headers)


def render_geojson(
    features: list[tuple[float | None, float | None, dict[str, Any]]], headers: Mapping[str, str] | None = None
) -> Response:
    """GeoJSON (RFC 7946) of (latitude, longitude, properties); without coordinates a feature has no geometry."""
    collection = {"type": "FeatureCollection", "features": [_feature(*feature) for feature in features]}
    return Response(orjson.dumps(collection), media_type=MEDIA_TYPES[Format.GEOJSON], headers=headers)


def _feature(latitude: float | None, longitude: float | None, properties: dict[str, Any]) -> dict[str, Any]:
    has_coordinates = latitude is not None and longitude is not None
    geometry = {"type": "Point", "coordinates": [longitude, latitude]} if has_coordinates else None
    return {"type": "Feature", "geometry": geometry, "properties": properties}
