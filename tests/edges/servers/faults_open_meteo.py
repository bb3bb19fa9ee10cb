"""Open-Meteo's failures where it gives the weather; who observes is well."""

import re
from datetime import UTC, datetime

import polars as pl

from hazecast.air.tables import Weather
from hazecast.sources.http import HttpClient
from hazecast.sources.open_meteo import OpenMeteo, OpenMeteoWeather
from hazecast.sources.place import PlaceSource
from hazecast.sources.simulated import SimulatedSource
from hazecast.store import Store
from servers.base import Altered, ContractServer, Instead, ReceivedRequest, Reply
from servers.faults import Break, Provider, collected, common
from servers.open_meteo import OpenMeteoServer, broken_in_midstream, limited, refused, unequal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Town(SimulatedSource):
    """One station without weather of its own."""

    def __init__(self) -> None:
        super().__init__(n_stations=1)

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        return Weather.create_empty()


def fetch(server: ContractServer, client: HttpClient, store: Store) -> tuple[str, ...]:
    weather = OpenMeteoWeather(OpenMeteo(client, url=server.url))
    return collected(PlaceSource(Town(), weather), store, now=NOW)


def hourly(request: ReceivedRequest) -> bool:
    return "start_date" in request.params


def meta(request: ReceivedRequest) -> bool:
    return request.path.endswith("meta.json")


def instead(reply: Reply, **how: float) -> Break:
    return lambda server: server.breaks(Instead(reply), when=hourly, **how)


def altered(old: bytes, new: bytes) -> Break:
    return lambda server: server.breaks(Altered(lambda body: body.replace(old, new, 1)), when=hourly)


def first_is_null(variable: str) -> Break:
    begins = f'"{variable}": ['.encode()
    first = re.compile(re.escape(begins) + rb"[-0-9.]+")
    return lambda server: server.breaks(Altered(lambda body: first.sub(begins + b"null", body, count=1)), when=hourly)


def with_nan(body: bytes) -> bytes:
    """The last list begins with a NaN, which JSON does not know."""
    head, _, tail = body.rpartition(b"[")
    return head + b"[NaN," + tail.partition(b",")[2]


def emptied(body: bytes) -> bytes:
    """Every list is empty."""
    return re.sub(rb"\[[^\[\]]*\]", b"[]", body)


SPECIFIC: dict[str, Break] = {
    "HTTP 400 with a reason": instead(refused("No data is available for this location")),
    "HTTP 429, minutely limit": instead(limited("minute"), times=1),
    "HTTP 429, hourly limit": instead(limited("hour")),
    "HTTP 429, daily limit": instead(limited("day")),
    "HTTP 429, too many at once": instead(limited("crowd"), times=1),
    "HTTP 503 with a reason": instead(refused("The service is overloaded", status=503)),
    "HTTP 200 with an error": instead(refused("Unexpected error", status=200)),
    "HTTP 200, an error in mid-stream": lambda server: server.breaks(broken_in_midstream(), when=hourly),
    "arrays of unequal length": lambda server: server.breaks(unequal(), when=hourly),
    "empty lists": lambda server: server.breaks(Altered(emptied), when=hourly),
    "NaN among the values": lambda server: server.breaks(Altered(with_nan), when=hourly),
    "the newest run is not listed": lambda server: server.breaks(Instead(Reply.of_json({})), when=meta),
}

PROVIDER = Provider(
    title="Open-Meteo: weather",
    now=NOW,
    server=OpenMeteoServer,
    address="https://previous-runs-api.open-meteo.com",
    fetch=fetch,
    failures={
        **common(hourly),
        **SPECIFIC,
        "another unit": altered(b'"wind_speed_10m": "m/s"', b'"wind_speed_10m": "km/h"'),
        "a null": first_is_null("temperature_2m"),
    },
)
