"""A web service on loopback with a route table, and what can go wrong with its answers.

class Weather(ContractServer):
    def __init__(self):
        super().__init__()
        self.route("/v1/forecast", self.forecast)

    def forecast(self, request: ReceivedRequest) -> Reply:
        return Reply.of_json({"latitude": float(request.params["latitude"])})

with Weather() as server:
    server.breaks(Instead(Reply.of_json({"error": True}, status=503)), times=2)
    ...                          # two 503, then it works again
    assert len(server.requests) == 3
"""

import gzip
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived; `params` holds the last value of a parameter, `every` all of them."""

    path: str
    every: dict[str, list[str]]
    headers: dict[str, str]

    @property
    def params(self) -> dict[str, str]:
        return {name: values[-1] for name, values in self.every.items()}


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        body = json.dumps(content, ensure_ascii=False).encode()
        return cls(status, body, {"Content-Type": "application/json", **(headers or {})})

    @classmethod
    def of_text(cls, text: str, *, status: int = 200, kind: str = "text/plain") -> Self:
        return cls(status, text.encode(), {"Content-Type": f"{kind}; charset=utf-8"})

    @classmethod
    def of_gzip(cls, text: str) -> Self:
        """A .gz file, as object stores serve it."""
        return cls(200, gzip.compress(text.encode(), mtime=0), {"Content-Type": "binary/octet-stream"})


class Fault(Protocol):
    """How an answer goes wrong: given the connection, the request and the right reply."""

    def strike(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None: ...


@dataclass(frozen=True)
class Instead:
    """Another reply, such as an error."""

    reply: Reply

    def strike(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        send(handler, self.reply)


@dataclass(frozen=True)
class Altered:
    """The right reply with another body: unequal arrays, a sentinel, an error in mid-stream of a complete answer."""

    change: Callable[[bytes], bytes]

    def strike(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        send(handler, replace(reply, body=self.change(reply.body)))


@dataclass(frozen=True)
class Late:
    """The right reply after a silence."""

    seconds: float

    def strike(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        time.sleep(self.seconds)
        send(handler, reply)


@dataclass(frozen=True)
class Cut:
    """HTTP 200 and a part of the body, then the connection closes."""

    share: float = 0.5

    def strike(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        send(handler, reply, sent=int(len(reply.body) * self.share))
        handler.close_connection = True


@dataclass(frozen=True)
class Dripping:
    """The right reply, so slowly that each byte comes in time and the whole does not."""

    seconds_per_piece: float
    pieces: int = 50

    def strike(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        send(handler, reply, sent=0)
        step = max(1, len(reply.body) // self.pieces)
        for start in range(0, len(reply.body), step):
            handler.wfile.write(reply.body[start : start + step])
            handler.wfile.flush()
            time.sleep(self.seconds_per_piece)


@dataclass(frozen=True)
class Reset:
    """The connection is reset before the status line."""

    def strike(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        handler.connection.close()


def send(handler: BaseHTTPRequestHandler, reply: Reply, *, sent: int | None = None) -> None:
    """Send `reply`, its head complete, its body up to `sent` bytes."""
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if reply.status != 304:
        handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    handler.wfile.write(reply.body[:sent])
    handler.wfile.flush()


@dataclass
class _Planned:
    fault: Fault
    left: float
    when: Callable[[ReceivedRequest], bool]


class ContractServer:
    """A service as documented; subclasses add routes. `requests` lists every request that arrived."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self._routes: list[tuple[re.Pattern[str], Callable[[ReceivedRequest], Reply]]] = []
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads, self._server.block_on_close = True, False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def route(self, path: str, answer: Callable[[ReceivedRequest], Reply]) -> None:
        """Serve requests whose whole path matches the regular expression `path`."""
        self._routes.append((re.compile(path), answer))

    def breaks(
        self,
        fault: Fault,
        *,
        times: float = float("inf"),
        when: Callable[[ReceivedRequest], bool] = lambda request: True,
    ) -> None:
        """Let the next `times` requests that match `when` fail; faults strike in the order they are given."""
        self._planned.append(_Planned(fault, times, when))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, request: ReceivedRequest) -> Reply:
        for path, answer in self._routes:
            if path.fullmatch(request.path):
                return answer(request)
        return Reply.of_json({"detail": "Not Found"}, status=404)

    def _fault(self, request: ReceivedRequest) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for planned in self._planned:
                if planned.left >= 1 and planned.when(request):
                    planned.left -= 1
                    return planned.fault
        return None

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler below has its own self
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                every = parse_qs(parts.query, keep_blank_values=True)
                request = ReceivedRequest(
                    parts.path, every, {name.lower(): value for name, value in self.headers.items()}
                )
                fault = server._fault(request)
                try:
                    reply = server._reply(request)
                    fault.strike(self, reply) if fault else send(self, reply)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client has given up on a slow answer

            def log_message(self, format: str, *arguments: object) -> None:
                """Tests read `requests` instead."""

        return Handler
