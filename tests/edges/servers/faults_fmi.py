"""FMI's failures."""

from datetime import timedelta

from hazecast.sources.area import Box
from hazecast.sources.fmi import FmiSource
from hazecast.sources.http import HttpClient
from hazecast.store import Store
from servers.base import Altered, ContractServer, Instead, ReceivedRequest, Reply
from servers.faults import Break, Provider, collected, common
from servers.fmi import FmiServer, at, collection, exception

NOW = at("2026-03-01T12:00")
HELSINKI = Box(west=24.5, south=60.1, east=25.3, north=60.4)
HOUR = timedelta(hours=1)
VALUES_END = b"</gml:doubleOrNilReasonTupleList>"


def fetch(server: ContractServer, client: HttpClient, store: Store) -> tuple[str, ...]:
    return collected(FmiSource(client, area=HELSINKI, base_url=f"{server.url}/wfs"), store, now=NOW)


def air(request: ReceivedRequest) -> bool:
    return request.params["storedquery_id"].startswith("urban::")


def weather(request: ReceivedRequest) -> bool:
    return request.params["storedquery_id"].startswith("fmi::observations::weather")


def altered(old: bytes, new: bytes) -> Break:
    return lambda server: server.breaks(Altered(lambda body: body.replace(old, new, 1)), when=air)


def instead(reply: Reply) -> Break:
    return lambda server: server.breaks(Instead(reply), when=air)


def revised(value: float) -> Break:
    return lambda server: server.revised.update({("100662", "NO2", NOW - 5 * HOUR): value})


def carbon_monoxide_in_milligrams(server: FmiServer) -> None:
    hours = [NOW - HOUR * number for number in range(1, 49)]
    server.revised.update({("100742", "CO", hour): server.air("100742", "CO_PT1H_avg", hour) / 1000 for hour in hours})


TOO_LONG = ("Too long time interval requested!", "No more than 168.000000 hours allowed.")

PROVIDER = Provider(
    title="FMI: air quality and weather (WFS)",
    now=NOW,
    server=lambda now: FmiServer(now=now),
    address="https://opendata.fmi.fi",
    fetch=fetch,
    failures={
        **common(air),
        "HTTP 400 with an exception document": instead(exception("OperationProcessingFailed", *TOO_LONG)),
        "HTTP 200 with an exception document": instead(exception("OperationProcessingFailed", *TOO_LONG, status=200)),
        "HTTP 200 with a web page": instead(Reply.of_text("<html><body>Maintenance</body></html>", kind="text/html")),
        "a value too few": altered(VALUES_END, b" 1.0" + VALUES_END),
        "a row of values too many": altered(VALUES_END, b" 1 1 1 1 1 1 1 1 1" + VALUES_END),
        "a text among the values": altered(b"NaN", b"n/a"),
        "empty collection": instead(collection([])),
        "no station of the area in the registry": lambda server: server.breaks(Instead(collection([]))),
        "NaN for an hour": revised(float("nan")),
        "-999 for an hour": revised(-999.0),
        "carbon monoxide in mg/m³": carbon_monoxide_in_milligrams,
        "weather out of reach, air quality not": lambda server: server.breaks(
            Instead(Reply.of_text("busy", status=503)), when=weather
        ),
    },
)
