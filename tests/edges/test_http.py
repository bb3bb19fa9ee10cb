"""The one HTTP client, against a real server that fails in every way the services do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.base import Altered, ContractServer, Cut, Dripping, Instead, Late, ReceivedRequest, Reply, Reset
from servers.clock import Clock

from hazecast.errors import SourceError, SourceRefused, SourceUnavailable
from hazecast.sources.http import Budget, HttpClient, Request, Response, RetryPolicy, Service, read_json, retry_after
from hazecast.sources.http.rate_limit import RateLimiter

QUICK = RetryPolicy(connect_seconds=1, read_seconds=0.3, total_seconds=0.6, attempts=3, backoff_seconds=0.001)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVICE = Service("airbase", remedy="check the area", key_remedy="set HAZECAST_AIRBASE_KEY")


class Echo(ContractServer):
    def __init__(self) -> None:
        super().__init__()
        self.etag = '"first"'
        self.route("/echo", lambda request: Reply.of_json(request.params))
        self.route("/tagged", self.tagged)

    def tagged(self, request: ReceivedRequest) -> Reply:
        if request.headers.get("if-none-match") == self.etag:
            return Reply(304, b"", {"ETag": self.etag})
        return Reply.of_json({"etag": self.etag}, headers={"ETag": self.etag})


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def client(clock: Clock, tmp_path: Path) -> Iterator[HttpClient]:
    with HttpClient(retry_policy=QUICK, cache_folder=tmp_path, clock=clock, sleep=clock.sleep) as made:
        yield made


def fetch(client: HttpClient, server: Echo, service: Service = SERVICE, path: str = "/echo", **params: str):
    return client.get(service, Request(server.url + path, params), read_json)


def test_the_user_agent_is_hazecast(client: HttpClient, server: Echo):
    assert fetch(client, server, q="1") == {"q": "1"}
    assert server.requests[0].headers["user-agent"].startswith("hazecast/")


@pytest.mark.parametrize(
    "fault",
    [
        Reset(),
        Late(0.5),
        Cut(),
        Dripping(0.1),
        Instead(Reply.of_text("gateway", status=502)),
        Instead(Reply.of_text("slow down", status=429)),
        Instead(Reply.of_text("timeout", status=408)),
        Altered(lambda body: body + b"Unexpected error while streaming data: timeoutReached"),
    ],
    ids=lambda fault: type(fault).__name__ + str(getattr(getattr(fault, "reply", ""), "status", "")),
)
def test_transient_failures_are_retried(client: HttpClient, server: Echo, fault):
    server.breaks(fault, times=2)
    assert fetch(client, server, q="x" * 500) == {"q": "x" * 500}
    assert len(server.requests) == 3


def test_the_last_attempt_raises_with_the_reason(client: HttpClient, server: Echo):
    server.breaks(Instead(Reply.of_text("the service is overloaded", status=503)))
    with pytest.raises(SourceUnavailable, match=r"airbase: HTTP 503 the service is overloaded, 3 times .*try again"):
        fetch(client, server)
    assert len(server.requests) == 3


def test_each_retry_is_logged(client: HttpClient, server: Echo, caplog: pytest.LogCaptureFixture):
    server.breaks(Instead(Reply.of_text("busy", status=503)), times=1)
    fetch(client, server)
    assert caplog.messages == ["airbase: HTTP 503 busy; trying again in 0.0 s"]


def test_a_closed_port_is_unavailable(client: HttpClient, unused_port: int):
    with pytest.raises(SourceUnavailable, match=r"airbase: no response: no connection \("):
        client.get(SERVICE, Request(f"http://127.0.0.1:{unused_port}/"), read_json)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "set HAZECAST_AIRBASE_KEY"), (403, "set HAZECAST_AIRBASE_KEY")]
    + [(status, "check the area") for status in (400, 404, 410, 422)],
)
def test_a_refused_request_is_not_retried(client: HttpClient, server: Echo, status: int, remedy: str):
    server.breaks(Instead(Reply.of_text("no", status=status)))
    with pytest.raises(SourceRefused, match=rf"airbase: HTTP {status} no \(.*; {remedy}"):
        fetch(client, server)
    assert len(server.requests) == 1


def test_does_not_follow_a_redirect_with_its_key(client: HttpClient, server: Echo):
    server.breaks(Instead(Reply(301, b"", {"Location": "https://new.example/"})))
    with pytest.raises(SourceRefused, match=r"moved to https://new\.example/; change the base URL"):
        fetch(client, server)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense"])
def test_an_address_that_is_none_is_refused(client: HttpClient, url: str):
    with pytest.raises(SourceRefused, match="cannot request"):
        client.get(SERVICE, Request(url), read_json)


@pytest.mark.parametrize("status", [401, 503, 200], ids=["refused", "unavailable", "broken"])
def test_never_shows_a_key(client: HttpClient, server: Echo, caplog: pytest.LogCaptureFixture, status: int):
    server.breaks(Instead(Reply.of_text("key s3cret is wrong", status=status)))
    request = Request(server.url + "/echo", {"apikey": "s3cret", "q": "1"}, {"X-API-Key": "s3cret"})
    with pytest.raises(SourceError) as raised:
        client.get(SERVICE, request, read_json)
    assert "key *** is wrong" in str(raised.value)
    assert "apikey=***&q=1" in str(raised.value)
    assert "s3cret" not in str(raised.value) + caplog.text


def test_a_response_above_the_size_limit_is_refused(client: HttpClient, server: Echo):
    with pytest.raises(SourceRefused, match="exceeds 1000 bytes"):
        fetch(client, server, Service("airbase", max_bytes=1000), q="x" * 2000)


def test_retry_after_is_respected_and_logged(
    client: HttpClient, server: Echo, clock: Clock, caplog: pytest.LogCaptureFixture
):
    server.breaks(Instead(Reply(429, b"", {"Retry-After": "7"})), times=1)
    fetch(client, server)
    assert clock.slept == [7]
    assert "airbase: it requested a pause (HTTP 429); waiting 7 s" in caplog.messages


def test_a_pause_applies_to_later_requests_of_the_same_service_only(client: HttpClient, server: Echo, clock: Clock):
    server.breaks(Instead(Reply(200, b"{}", {"Retry-After": "9"})), times=1)
    fetch(client, server)
    fetch(client, server, Service("other"))
    assert clock.slept == []
    fetch(client, server)
    assert clock.slept == [9]


def test_a_pause_too_long_is_an_error_with_the_time_to_retry(client: HttpClient, server: Echo):
    server.breaks(Instead(Reply(429, b"daily limit", {"Retry-After": "7200"})))
    with pytest.raises(SourceUnavailable, match=r"pause \(HTTP 429 daily limit\); try again after 2026-03-01 14:00:00"):
        fetch(client, server)
    assert len(server.requests) == 1


def test_retry_after_is_seconds_or_a_date_or_nothing():
    def parsed(text: str) -> datetime | None:
        return retry_after(Response(429, {"retry-after": text}, b""), NOW)

    assert parsed("30") == NOW + timedelta(seconds=30)
    assert parsed("Sun, 01 Mar 2026 13:00:00 GMT") == NOW + timedelta(hours=1)
    assert parsed("soon") is None
    assert retry_after(Response(429, {}, b""), NOW) is None


def test_cached_responses_are_requested_conditionally(client: HttpClient, server: Echo):
    cached = Service("archive", cached=True)
    assert fetch(client, server, cached, "/tagged") == fetch(client, server, cached, "/tagged") == {"etag": '"first"'}
    assert server.requests[1].headers["if-none-match"] == '"first"'
    server.etag = '"second"'
    assert fetch(client, server, cached, "/tagged") == {"etag": '"second"'}


def test_only_successful_responses_are_cached(client: HttpClient, server: Echo):
    cached = Service("archive", cached=True, accepted_statuses=frozenset({200, 404}))
    server.breaks(Instead(Reply(404, b"{}", {"ETag": server.etag})), times=1)
    assert fetch(client, server, cached, "/tagged") == {}
    assert fetch(client, server, cached, "/tagged") == {"etag": '"first"'}


def test_a_malformed_response_is_not_cached(client: HttpClient, server: Echo):
    cached = Service("archive", cached=True)
    server.breaks(Altered(lambda body: body[:-3]), times=1)
    assert fetch(client, server, cached, "/tagged") == {"etag": '"first"'}
    assert "if-none-match" not in server.requests[1].headers


def test_a_cache_that_cannot_be_written_keeps_nothing(server: Echo, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with HttpClient(retry_policy=QUICK, cache_folder=tmp_path / "file") as client:
        assert fetch(client, server, Service("archive", cached=True), "/tagged") == {"etag": '"first"'}


def test_a_request_that_can_never_fit_is_refused(client: HttpClient, server: Echo):
    small = Service("small", budgets=(Budget(10, 60),))
    with pytest.raises(SourceRefused, match="costs 11 exceeds the 10 allowed in 60 s"):
        client.get(small, Request(server.url + "/echo", weight=11), read_json)
    assert not server.requests


def test_an_exhausted_budget_waits_or_raises(client: HttpClient, server: Echo, clock: Clock):
    service = Service("small", budgets=(Budget(1, 60), Budget(2, 3600)))
    fetch(client, server, service)
    fetch(client, server, service)
    assert clock.slept == [60]
    with pytest.raises(SourceUnavailable, match="budget is spent; try again after 2026-03-01 13:00:00"):
        fetch(client, server, service)


@given(
    weights=st.lists(st.floats(0.1, 5), max_size=40),
    pauses=st.lists(st.floats(0, 30), min_size=40, max_size=40),
    budgets=st.tuples(st.floats(5, 20), st.floats(20, 40)),
)
def test_no_window_exceeds_its_budget(weights, pauses, budgets):
    clock, (minute, hour) = Clock(NOW), budgets
    service = Service("any", budgets=(Budget(minute, 60), Budget(hour, 3600)))
    limiter = RateLimiter(service, max_wait_seconds=1e9, clock=clock, sleep=clock.sleep)
    sent: list[tuple[datetime, float]] = []
    for weight, pause in zip(weights, pauses, strict=False):
        clock.now += timedelta(seconds=pause)
        limiter.wait_for(weight)
        sent.append((clock.now, weight))
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(sent))
    for start, _ in sent:
        for budget in service.budgets:
            end = start + timedelta(seconds=budget.seconds)
            assert sum(weight for moment, weight in sent if start <= moment < end) <= budget.weight + 1e-6
