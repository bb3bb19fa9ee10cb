"""OpenAQ's failures: those of the API, and of the archive behind it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hazecast.sources.area import Circle
from hazecast.sources.http import HttpClient
from hazecast.sources.openaq import OpenAQSource
from hazecast.store import Store
from servers.base import Altered, ContractServer, Instead, ReceivedRequest, Reply
from servers.faults import Break, Provider, collected, common
from servers.openaq import KEY, OpenAQServer, wrong
from servers.openaq_stations import KATHMANDU

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PM25, OZONE = KATHMANDU.sensors


def source_at(server: ContractServer, client: HttpClient) -> OpenAQSource:
    area = Circle(KATHMANDU.latitude, KATHMANDU.longitude, 10)
    return OpenAQSource(client, api_key=KEY, area=area, base_url=f"{server.url}/v3", archive_url=server.url)


def fetch(server: ContractServer, client: HttpClient, store: Store) -> tuple[str, ...]:
    return collected(source_at(server, client), store, now=NOW)


def measurements(request: ReceivedRequest) -> bool:
    return request.path.endswith("/measurements")


def instead(reply: Reply) -> Break:
    return lambda server: server.breaks(Instead(reply), when=measurements)


def rewritten(change: Callable[[Any], Any]) -> Break:
    """The answer with something else in it."""

    def alter(body: bytes) -> bytes:
        return json.dumps(change(json.loads(body)), ensure_ascii=False).encode()

    return lambda server: server.breaks(Altered(alter), when=measurements)


def altered(change: Callable[[bytes], bytes]) -> Break:
    return lambda server: server.breaks(Altered(change), when=measurements)


def error(detail: str, *, status: int, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply.of_json({"detail": detail}, status=status, headers=named)


def revised(value: float | None) -> Break:
    start = NOW - 5 * HOUR + timedelta(minutes=15)
    return lambda server: server.revised.update({(PM25.sensor_id, start): value})


def found_a_text(content: Any) -> Any:
    return {**content, "meta": {**content["meta"], "found": ">1000"}}


def twice(content: Any) -> Any:
    return {**content, "results": content["results"] * 2}


def half_a_list(content: Any) -> Any:
    return {**content, "results": [{**item, "period": None} for item in content["results"]]}


def other_unit(content: Any) -> Any:
    changed = [{**item, "parameter": {**item["parameter"], "units": "furlongs"}} for item in content["results"]]
    return {**content, "results": changed}


def covered_absurdly(content: Any) -> Any:
    changed = [{**item, "coverage": {"percentComplete": 5844700.0}} for item in content["results"]]
    return {**content, "results": changed}


TIMED_OUT = "Connection timed out: Try to provide more specific query parameters or a smaller time frame."

PROVIDER = Provider(
    title="OpenAQ: API v3",
    now=NOW,
    server=lambda now: OpenAQServer(now=now),
    address="https://api.openaq.org",
    fetch=fetch,
    failures={
        **common(measurements),
        "HTTP 401, wrong key": instead(error("Invalid credentials", status=401)),
        "HTTP 403, key blocked": instead(error("Forbidden", status=403)),
        "HTTP 404": instead(error("Not Found", status=404)),
        "HTTP 408, always": instead(error(TIMED_OUT, status=408)),
        "HTTP 410, an API that is gone": instead(error("Version 2 has been retired", status=410)),
        "HTTP 422 with a list of errors": instead(wrong("datetime_from", "invalid datetime format")),
        "HTTP 429, x-ratelimit-reset 37 s, once": lambda server: server.breaks(
            Instead(error("Too many requests", status=429, x_ratelimit_reset="37")), times=1, when=measurements
        ),
        "HTTP 429, x-ratelimit-reset 1 h": instead(error("Too many requests", status=429, x_ratelimit_reset="3600")),
        'found: ">1000"': rewritten(found_a_text),
        "empty list": rewritten(lambda content: {**content, "results": []}),
        "every period twice": rewritten(twice),
        "null for an hour": revised(None),
        "-999 with 100 % coverage": revised(-999.0),
        "coverage of 5 844 700 %": rewritten(covered_absurdly),
        "Greek mu in the unit": altered(lambda body: body.replace("\u00b5g".encode(), "\u03bcg".encode())),
        "an unknown unit": rewritten(other_unit),
        "a field missing": rewritten(half_a_list),
        "HTTP 200 that ends in an error text": altered(lambda body: body + b"Internal error"),
    },
)
