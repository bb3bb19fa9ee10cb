"""The archive's failures: a month ago, five days collected."""

import gzip
import re
from datetime import timedelta

from hazecast.sources.http import HttpClient
from hazecast.steps.check import check
from hazecast.steps.collect import Batch
from hazecast.store import Store
from servers.base import Altered, ContractServer, Instead, ReceivedRequest, Reply
from servers.faults import Break, Provider, common
from servers.faults_openaq import NOW, source_at
from servers.openaq import OpenAQServer

SINCE = NOW - timedelta(days=30)
UNTIL = SINCE + timedelta(days=5)


def fetch(server: ContractServer, client: HttpClient, store: Store) -> tuple[str, ...]:
    source = source_at(server, client)
    observed = source.fetch_observations(since=SINCE, until=UNTIL)
    weather = source.fetch_weather(since=SINCE, until=UNTIL)
    check(Batch(source.fetch_stations(), observed, weather, SINCE, UNTIL), store, now=NOW)
    return ()


def day_file(request: ReceivedRequest) -> bool:
    return request.path.startswith("/records")


def one_day(request: ReceivedRequest) -> bool:
    return f"{SINCE + timedelta(days=2):%Y%m%d}" in request.path


def first_value(text: str) -> Altered:
    """A file whose first value is replaced."""

    def change(body: bytes) -> bytes:
        lines = gzip.decompress(body).decode().splitlines(keepends=True)
        lines[1] = re.sub(r"[^,]+$", f"{text}\n", lines[1])
        return Reply.of_gzip("".join(lines)).body

    return Altered(change)


def greek(body: bytes) -> bytes:
    return Reply.of_gzip(gzip.decompress(body).decode().replace("\u00b5", "\u03bc")).body


def header(body: bytes) -> bytes:
    return Reply.of_gzip(gzip.decompress(body).decode().splitlines()[0] + "\n").body


def on(when: object, fault: object) -> Break:
    return lambda server: server.breaks(fault, when=when)


PROVIDER = Provider(
    title="OpenAQ: archive of daily files",
    now=NOW,
    server=lambda now: OpenAQServer(now=now),
    address="https://openaq-data-archive.s3.amazonaws.com",
    fetch=fetch,
    failures={
        **common(day_file),
        "a day without a file (HTTP 404)": on(one_day, Instead(Reply.of_text("NoSuchKey", status=404))),
        "access denied (HTTP 403)": on(day_file, Instead(Reply.of_text("AccessDenied", status=403))),
        "a file cut and complete by its length": on(one_day, Altered(lambda body: body[: len(body) // 2])),
        "a file that is no gzip": on(one_day, Altered(lambda body: b"location_id,sensors_id\n")),
        "a file without rows": on(one_day, Altered(header)),
        "-999 for an hour": on(one_day, first_value("-999.0")),
        "NaN for an hour": on(one_day, first_value("NaN")),
        "no value for an hour": on(one_day, first_value("")),
        "a text for a value": on(one_day, first_value("n/a")),
        "Greek mu in the unit": on(day_file, Altered(greek)),
        "a file with other columns": on(one_day, Altered(lambda body: Reply.of_gzip("a,b\n1,2\n").body)),
    },
)
