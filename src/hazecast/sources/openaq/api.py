"""Queries and responses of OpenAQ's API v3 (https://docs.openaq.org, 2026)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
import polars as pl

from hazecast.air.clock import as_iso
from hazecast.errors import SourceRefused
from hazecast.sources.http import (
    Budget,
    HttpClient,
    MalformedResponse,
    Request,
    Response,
    Service,
    read_json,
    retry_after,
)

PAGE = 1000
TOO_MANY = 429
WHERE_TO_GET_A_KEY = "set HAZECAST_OPENAQ_API_KEY to a key of your own (free: https://explore.openaq.org/register)"
RAW = pl.Schema(
    {
        "station_id": pl.String(),
        "sensor_id": pl.Int64(),
        "parameter": pl.String(),
        "units": pl.String(),
        "starts_at": pl.Datetime("us", "UTC"),
        "ends_at": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
        "is_flagged": pl.Boolean(),
    }
)

Item = TypeVar("Item")


@dataclass(frozen=True)
class Sensor:
    """One instrument: what it measures and in which units, as OpenAQ writes them."""

    sensor_id: int
    parameter: str
    units: str


@dataclass(frozen=True)
class Location:
    """A station of OpenAQ with its instruments; `credit` names owner and provider, as the terms require."""

    location_id: int
    name: str
    latitude: float
    longitude: float
    timezone: str
    credit: str
    licence: str
    is_reference: bool
    sensors: tuple[Sensor, ...]
    first: datetime | None
    last: datetime | None


def retry_at(response: Response, now: datetime) -> datetime | None:
    """When the key may be used again: OpenAQ counts per key and returns the seconds until the count restarts."""
    reset = response.headers.get("x-ratelimit-reset", "")
    spent = response.status == TOO_MANY or response.headers.get("x-ratelimit-remaining") == "0"
    return now + timedelta(seconds=int(reset)) if spent and reset.isdigit() else retry_after(response, now)


def reason(response: Response) -> str:
    """Text of an error: `detail` is a text, or a list of what is wrong with which parameter."""
    try:
        content = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return response.beginning
    problems = (
        content.get("errors") or content.get("detail") or content.get("message") if isinstance(content, dict) else None
    )
    if not isinstance(problems, list):
        return str(problems or response.beginning)
    return "; ".join(_problem(problem) for problem in problems)


OPENAQ = Service(
    name="openaq",
    budgets=(Budget(60, 60), Budget(2000, 3600)),
    retry_at=retry_at,
    reason=reason,
    remedy="check the area and the address HAZECAST_OPENAQ_URL",
    key_remedy=WHERE_TO_GET_A_KEY,
)


@dataclass(frozen=True)
class OpenAQApi:
    """Fetches complete lists, page by page."""

    client: HttpClient
    base_url: str
    key: str

    def locations(self, params: Mapping[str, str]) -> list[Location]:
        """All locations that match `params`; those that move or lie nowhere are left out."""
        return [found for found in self._pages("/locations", params, _location) if found is not None]

    def location(self, location_id: str) -> list[Location]:
        """The location of that id."""
        return [found for found in self._pages(f"/locations/{location_id}", {}, _location) if found is not None]

    def measurements(self, location: Location, sensor: Sensor, since: datetime, until: datetime) -> pl.DataFrame:
        """Raw values (columns `RAW`) of periods that end in [since, until], as the network reported them."""
        window = {"datetime_from": as_iso(since), "datetime_to": as_iso(until)}
        rows = [
            {**row, "station_id": str(location.location_id), "sensor_id": sensor.sensor_id}
            for row in self._pages(f"/sensors/{sensor.sensor_id}/measurements", window, _measurement)
        ]
        return pl.DataFrame(rows, schema=RAW)

    def _pages(self, path: str, params: Mapping[str, str], parse: Callable[[Any], Item]) -> Iterator[Item]:
        """Items until a page is not full: `found` may be a text such as ">1000" and is not to be counted on."""
        if not self.key:
            raise SourceRefused(f"openaq: needs a key; {WHERE_TO_GET_A_KEY}")
        page, full = 1, True
        while full:
            query = {**params, "limit": str(PAGE), "page": str(page)}
            request = Request(self.base_url + path, query, {"X-API-Key": self.key})
            items = self.client.get(OPENAQ, request, lambda response: _results(response, parse))
            yield from items
            page, full = page + 1, len(items) == PAGE


def _results(response: Response, parse: Callable[[Any], Item]) -> list[Item]:
    try:
        return [parse(item) for item in read_json(response)["results"]]
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise MalformedResponse(f"not as documented ({type(err).__name__}: {err})") from err


def _location(item: Any) -> Location | None:
    where = item["coordinates"] or {}
    if item["isMobile"] or where.get("latitude") is None or item["timezone"] is None:
        return None
    sensors = tuple(Sensor(s["id"], s["parameter"]["name"], s["parameter"]["units"]) for s in item["sensors"])
    return Location(
        location_id=item["id"],
        name=item["name"] or item.get("locality") or f"OpenAQ {item['id']}",
        latitude=float(where["latitude"]),
        longitude=float(where["longitude"]),
        timezone=item["timezone"],
        credit=_credit(item),
        licence=", ".join(dict.fromkeys(licence["name"] for licence in _licences(item))) or "not stated",
        is_reference=item["isMonitor"],
        sensors=sensors,
        first=_moment(item.get("datetimeFirst")),
        last=_moment(item.get("datetimeLast")),
    )


def _licences(item: Any) -> list[Any]:
    """Those in force."""
    return [licence for licence in item.get("licenses") or [] if licence.get("dateTo") is None]


def _credit(item: Any) -> str:
    named = [(licence.get("attribution") or {}).get("name") for licence in _licences(item)]
    owners = [name for name in named if name] or [item["owner"]["name"]]
    return ", ".join(dict.fromkeys([*owners, item["provider"]["name"]]))


def _measurement(item: Any) -> dict[str, Any]:
    period = item["period"]
    return {
        "parameter": item["parameter"]["name"],
        "units": item["parameter"]["units"],
        "starts_at": datetime.fromisoformat(period["datetimeFrom"]["utc"]),
        "ends_at": datetime.fromisoformat(period["datetimeTo"]["utc"]),
        "value": None if item["value"] is None else float(item["value"]),
        "is_flagged": bool((item.get("flagInfo") or {}).get("hasFlags")),
    }


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value["utc"]) if value else None


def _problem(problem: Any) -> str:
    if not isinstance(problem, dict):
        return str(problem)
    return f"{'.'.join(map(str, problem.get('loc', [])))}: {problem.get('msg', problem)}".lstrip(": ")
