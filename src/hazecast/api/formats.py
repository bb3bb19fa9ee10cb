"""The formats of an answer: JSON, and tables and maps for other tools."""

import io
from enum import StrEnum
from typing import Annotated, Any

import orjson
import polars as pl
from fastapi import Query, Request, Response

from hazecast.api.problems import NotAcceptable


class Format(StrEnum):
    """What an answer can be written in."""

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
TABLES = (Format.JSON, Format.CSV, Format.PARQUET, Format.ARROW)
MAPS = (*TABLES, Format.GEOJSON)
CSV_TIME = "%Y-%m-%dT%H:%M:%SZ"

FORMAT_HELP = "Goes before the header `Accept`"
AskedFormat = Annotated[Format | None, Query(alias="format", description=FORMAT_HELP, examples=["csv"])]


def choose_format(request: Request, asked: Format | None, offered: tuple[Format, ...]) -> Format:
    """The format asked for, else the first one that `Accept` likes best, else JSON.

    Raises:
        NotAcceptable: none of them is served at this address.
    """
    kinds = ", ".join(f"{MEDIA_TYPES[one]} ({one})" for one in offered)
    if asked is not None:
        if asked not in offered:
            raise NotAcceptable(f"{asked} is not served here; choose among {kinds}")
        return asked
    for accepted in _by_liking(request.headers.get("accept", "*/*")):
        for one in offered:
            kind = MEDIA_TYPES[one]
            if accepted in (kind, "*/*", f"{kind.partition('/')[0]}/*"):
                return one
    raise NotAcceptable(f"choose among {kinds}")


def content_of(*formats: Format) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of an answer that comes in these formats beside JSON."""
    kinds: dict[str, Any] = {MEDIA_TYPES[one]: {"schema": {"type": "string", "format": "binary"}} for one in formats}
    kinds |= {MEDIA_TYPES[one]: {"schema": {"type": "object"}} for one in formats if one is Format.GEOJSON}
    kinds.pop(MEDIA_TYPES[Format.JSON], None)
    return {200: {"content": kinds}}


def write_table(rows: pl.DataFrame, chosen: Format) -> Response:
    """`rows` as CSV, Parquet or an Arrow stream."""
    written = io.BytesIO()
    if chosen is Format.CSV:
        rows.write_csv(written, datetime_format=CSV_TIME)
    elif chosen is Format.PARQUET:
        rows.write_parquet(written)
    else:
        rows.write_ipc_stream(written)
    return Response(written.getvalue(), media_type=MEDIA_TYPES[chosen])


def write_map(features: list[tuple[float | None, float | None, dict[str, Any]]]) -> Response:
    """GeoJSON (RFC 7946) of (latitude, longitude, properties); places that are not known have no geometry."""
    collection = {"type": "FeatureCollection", "features": [_feature(*feature) for feature in features]}
    return Response(orjson.dumps(collection), media_type=MEDIA_TYPES[Format.GEOJSON])


def _feature(latitude: float | None, longitude: float | None, properties: dict[str, Any]) -> dict[str, Any]:
    known = latitude is not None and longitude is not None
    geometry = {"type": "Point", "coordinates": [longitude, latitude]} if known else None
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _by_liking(accept: str) -> list[str]:
    """Media types of an Accept header, best first; those with q=0 are left out."""
    liked = []
    for part in accept.split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        liked.append((float(quality) if quality.replace(".", "", 1).isdigit() else 0.0, kind))
    return [kind for quality, kind in sorted(liked, key=lambda one: -one[0]) if quality > 0]
