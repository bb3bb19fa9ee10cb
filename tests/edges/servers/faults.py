"""Provider failures: every failure is provoked for real and becomes a row of docs/faults.md.

A provider registers itself with a module `servers/faults_<name>.py` with a `PROVIDER`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from hazecast.air.tables import Background, Observations, Weather
from hazecast.errors import HazecastError
from hazecast.sources import Source
from hazecast.sources.http import HttpClient, RetryPolicy
from hazecast.steps.check import check
from hazecast.steps.collect import collect
from hazecast.store import Store
from servers.base import ContractServer, Cut, Instead, Late, ReceivedRequest, Reply, Reset
from servers.clock import Clock

DEFAULT_POLICY = RetryPolicy(connect_seconds=30, read_seconds=30, total_seconds=60, attempts=3, backoff_seconds=0.001)
# Only where a late response is provoked: a busy machine is late by itself.
SHORT_TIMEOUT = replace(DEFAULT_POLICY, read_seconds=0.5)
TOO_LATE = Late(0.8)
IN_TIME = "no response in time"
Break = Callable[[ContractServer], None]


@dataclass(frozen=True)
class Provider:
    """One section of the table.

    Args:
        title: the section's heading.
        now: the current time.
        server: starts the service as it was at `now`.
        address: what takes the place of the loopback address in messages.
        fetch: collects from the server into the store, as `hazecast collect` does, and returns its complaints.
        failures: how to break the server, by their name in the table.
    """

    title: str
    now: datetime
    server: Callable[[datetime], ContractServer]
    address: str
    fetch: Callable[[ContractServer, HttpClient, Store], tuple[str, ...]]
    failures: Mapping[str, Break]


@dataclass(frozen=True)
class Outcome:
    requests: int
    waited_seconds: int
    stored: str
    seen: str


def providers() -> list[Provider]:
    """All that have registered, by module name."""
    here = Path(__file__).parent
    names = sorted(module.name for module in iter_modules([str(here)]) if module.name.startswith("faults_"))
    return [import_module(f"servers.{name}").PROVIDER for name in names]


def outcome(provider: Provider, failure: str, folder: Path) -> Outcome:
    """What collecting from the broken provider stored, and what its user saw."""
    clock, store = Clock(provider.now), Store(str(folder))
    retry_policy = SHORT_TIMEOUT if failure.startswith(IN_TIME) else DEFAULT_POLICY
    client = HttpClient(retry_policy=retry_policy, clock=clock, sleep=clock.sleep)
    with provider.server(provider.now) as server, client:
        provider.failures[failure](server)
        try:
            complaints = provider.fetch(server, client, store)
            seen = "; ".join(["exit 0", *complaints])
        except HazecastError as err:
            seen = f"exit 1, {type(err).__name__}: {err}"
        waited = round((clock.now - clock.start).total_seconds())
        shown = re.sub(r"\?[^ ]*\)", "?…)", seen.replace(server.url, provider.address))
        return Outcome(len(server.requests), waited, stored(store), shown)


def stored(store: Store) -> str:
    """What lies in the store, in words."""
    flags = dict(store.read(Observations).group_by("flag").len().iter_rows())
    counts = {"observations": sum(flags.values()), "suspicious": flags.get("suspicious", 0)}
    counts["invalid"] = flags.get("invalid", 0)
    counts["weather"] = store.read(Weather).height
    counts["background"] = store.read(Background).height
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing"


def collected(source: Source, store: Store, *, now: datetime) -> tuple[str, ...]:
    """Collect the last two days and check them."""
    batch = collect(source, store, now=now, history_days=2)
    check(batch, store, now=now)
    return batch.complaints


def anything(request: ReceivedRequest) -> bool:
    return True


def common(when: Callable[[ReceivedRequest], bool] = anything) -> dict[str, Break]:
    """What can happen to every service; `when` selects the affected requests."""
    busy = Reply.of_text("busy", status=503)
    return {
        "nothing": lambda server: None,
        "connection reset, twice": lambda server: server.breaks(Reset(), times=2, when=when),
        "connection reset, always": lambda server: server.breaks(Reset(), when=when),
        f"{IN_TIME}, once": lambda server: server.breaks(TOO_LATE, times=1, when=when),
        f"{IN_TIME}, always": lambda server: server.breaks(TOO_LATE, when=when),
        "HTTP 200, cut in mid-stream, once": lambda server: server.breaks(Cut(), times=1, when=when),
        "HTTP 200, cut in mid-stream, always": lambda server: server.breaks(Cut(), when=when),
        "HTTP 503, twice": lambda server: server.breaks(Instead(busy), times=2, when=when),
        "HTTP 503, always": lambda server: server.breaks(Instead(busy), when=when),
        "HTTP 429, Retry-After 20 s, once": lambda server: server.breaks(wait(20), times=1, when=when),
        "HTTP 429, Retry-After 2 h": lambda server: server.breaks(wait(7200), when=when),
        "moved to another host": lambda server: server.breaks(
            Instead(Reply(301, b"", {"Location": "https://elsewhere.example/"})), when=when
        ),
    }


def wait(seconds: int) -> Instead:
    return Instead(Reply(429, b"too many requests", {"Retry-After": str(seconds)}))
