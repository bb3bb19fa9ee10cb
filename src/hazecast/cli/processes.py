"""The processes of `hazecast up`: their ports are held, their logs rotated, and one that stops is started again.

A service that is slow or fails does not stop the others. All end with `hazecast up`, also when it is killed.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import httpx

from hazecast.cli.stack import Service
from hazecast.errors import SettingsError
from hazecast.settings import variable_of

# How long the addresses are held back for services that start. A slower one is reported and goes on starting.
START_SECONDS = 90.0
STOP_SECONDS = 10.0
# Pause before a service that stopped is started again: doubled each time, up to the longest.
RESTART_SECONDS, LONGEST_RESTART_SECONDS = 5.0, 300.0
STEADY_SECONDS = 600.0
HEALTH_SECONDS, MISSES_REPORTED = 30.0, 3
LOG_BYTES, LOG_FILES = 10 * 2**20, 3
_LINES_SHOWN = 3
_TAIL_BYTES = 8_192
_SUPERVISOR = Path(__file__).with_name("supervisor.py")


@contextmanager
def reserved_ports(services: Sequence[Service]) -> Iterator[dict[str, socket.socket]]:
    """Listen on every port, by name of the service, so that no other process takes it before the service starts.

    Raises:
        SettingsError: a port is taken; the message names the service, the port and the setting that changes it.
    """
    with ExitStack() as held:
        yield {service.name: held.enter_context(_listener(service)) for service in services}


def _listener(service: Service) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in service.host else socket.AF_INET)
    # A service sets it too, so it can bind while this socket still exists but no longer listens.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((service.host, service.port))
        listener.listen(1)
    except OSError as err:
        listener.close()
        variable = variable_of(service.port_setting)
        raise SettingsError(
            f"port {service.port} for {service.name} on {service.host} is not free ({err.strerror}); stop "
            f"the process that uses it, or choose another port: {variable}={service.port + 1000}"
        ) from err
    return listener


@dataclass
class Process:
    """One service and its present child process.

    Attributes:
        service: what runs.
        child: the process; None before the first start.
        is_healthy: whether its health check succeeded last.
        restart_at: monotonic time of the next start; None while it runs.
    """

    service: Service
    child: subprocess.Popen[bytes] | None = None
    is_healthy: bool = False
    restart_at: float | None = None
    started_at: float = 0.0
    checked_at: float = 0.0
    n_restarts: int = 0
    n_misses: int = 0
    log_start: int = field(default=0, repr=False)


class Processes:
    """Starts services, starts those again that stop, and stops all.

    Args:
        services: in starting order.
        environment: of all of them, over that of this process.
        home: logs are under `logs`; `up.json` lists the running processes for `hazecast doctor`.
        ports: sockets that hold the ports; each is released when its service starts.
        warn: called with one line for people.
    """

    def __init__(
        self,
        services: Sequence[Service],
        environment: Mapping[str, str],
        home: Path,
        ports: Mapping[str, socket.socket],
        *,
        warn: Callable[[str], None],
    ) -> None:
        self._processes = [Process(service) for service in services]
        self._environment, self._ports, self._warn = environment, ports, warn
        self._logs, self._state = home / "logs", home / "up.json"
        self._started: list[subprocess.Popen[bytes]] = []
        self._supervisor: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start the essential services, wait for them, start the others, and stop all at the end of the body."""
        self._logs.mkdir(parents=True, exist_ok=True)
        # Prefect's server does not create its own home.
        Path(self._environment["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
        previous = signal.signal(signal.SIGTERM, _interrupt)
        self._supervisor = subprocess.Popen(
            [sys.executable, str(_SUPERVISOR)], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            essential = [process for process in self._processes if process.service.essential]
            for process in essential:
                self._start(process)
            self._await(essential)
            for process in self._processes:
                if not process.service.essential:
                    self._start(process)
            yield
        finally:
            self._stop()
            self._state.unlink(missing_ok=True)
            self._supervisor.communicate()
            signal.signal(signal.SIGTERM, previous)

    def watch(self) -> None:
        """Restart services that stop and report those that do not respond, until interrupted."""
        while True:
            self._look()
            time.sleep(0.5)

    def _await(self, processes: Sequence[Process]) -> None:
        """Wait until all are healthy, or have stopped, or START_SECONDS have passed; a late one is reported."""
        deadline = time.monotonic() + START_SECONDS
        while waiting := [process for process in processes if process.restart_at is None and not process.is_healthy]:
            if time.monotonic() > deadline:
                for process in waiting:
                    words = f"{process.service.name} is not ready after {START_SECONDS:.0f} s and goes on starting"
                    self._warn(f"{words}: {self._reason(process)}")
                return
            self._look()
            time.sleep(0.2)

    def _look(self) -> None:
        for process in self._processes:
            if process.restart_at is not None:
                if time.monotonic() >= process.restart_at:
                    self._start(process)
            elif process.child is not None and process.child.poll() is not None:
                self._restart_later(process)
            elif process.child is not None:
                self._check(process)

    def _check(self, process: Process) -> None:
        """Request the health of a service: at every look until it is ready, later every HEALTH_SECONDS."""
        now = time.monotonic()
        if process.is_healthy and now - process.checked_at < HEALTH_SECONDS:
            return
        process.checked_at, was_healthy = now, process.is_healthy
        if is_healthy(process.service):
            process.is_healthy = True
            if process.n_misses >= MISSES_REPORTED or (not was_healthy and now - process.started_at > START_SECONDS):
                self._warn(f"{process.service.name} is ready")
            process.n_misses = 0
        elif was_healthy:
            process.n_misses += 1
            if process.n_misses == MISSES_REPORTED:
                self._warn(f"{process.service.name} does not respond: {self._reason(process)}")
        self._rotate(process)

    def _restart_later(self, process: Process) -> None:
        assert process.child is not None
        if time.monotonic() - process.started_at > STEADY_SECONDS:
            process.n_restarts = 0
        pause = min(RESTART_SECONDS * 2**process.n_restarts, LONGEST_RESTART_SECONDS)
        process.n_restarts += 1
        process.is_healthy, process.restart_at = False, time.monotonic() + pause
        ended = f"{process.service.name} stopped with code {process.child.returncode}"
        self._warn(f"{ended} and starts again in {pause:.0f} s: {self._reason(process)}")

    def _start(self, process: Process) -> None:
        service = process.service
        if holder := self._ports.get(service.name):
            with suppress(OSError):  # it listens no longer after the first start
                holder.shutdown(socket.SHUT_RDWR)
        self._rotate(process)
        path = self._log_of(process)
        with path.open("ab") as log:
            log.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {service.name} starts ---\n".encode())
            log.flush()
            process.log_start = log.tell()
            # A session of its own: Ctrl-C reaches only this process, which then stops the child's whole process group.
            process.child = subprocess.Popen(
                service.command,
                env={**os.environ, **self._environment, **service.environment()},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process.restart_at, process.started_at, process.n_misses = None, time.monotonic(), 0
        self._started.append(process.child)
        assert self._supervisor is not None
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.write(f"{process.child.pid}\n".encode())
        self._supervisor.stdin.flush()
        self._write_state()

    def _write_state(self) -> None:
        running = {
            process.service.name: process.child.pid
            for process in self._processes
            if process.child and not process.restart_at
        }
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(Running(os.getpid(), running))))
        fresh.replace(self._state)

    def _reason(self, process: Process) -> str:
        """The last lines that the service logged since its start, and where its log is."""
        path = self._log_of(process)
        with path.open("rb") as log:
            log.seek(max(process.log_start, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        shown = " | ".join(lines[-_LINES_SHOWN:]) or "it logged nothing"
        return f"{shown} (log: {path})"

    def _rotate(self, process: Process) -> None:
        """Move a large log aside; the service goes on writing to the emptied file, which is open for appending."""
        path = self._log_of(process)
        if not path.exists() or path.stat().st_size < LOG_BYTES:
            return
        for number in range(LOG_FILES - 1, 0, -1):
            with suppress(FileNotFoundError):
                path.with_suffix(f".log.{number}").replace(path.with_suffix(f".log.{number + 1}"))
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)
        process.log_start = 0

    def _log_of(self, process: Process) -> Path:
        return self._logs / f"{process.service.name.lower()}.log"

    def _stop(self) -> None:
        for child in self._started:
            _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._started:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(deadline - time.monotonic(), 0.1))
            _signal_group(child, signal.SIGKILL)
            child.wait()


@dataclass(frozen=True)
class Running:
    """What `up.json` in the home records: the process of `hazecast up`, and those of its services by name."""

    pid: int
    services: Mapping[str, int]


def read_running(home: Path) -> Running | None:
    """The running stack of a home; None if there is none, or if it was killed."""
    try:
        found = Running(**json.loads((home / "up.json").read_text()))
        os.kill(found.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return found


def is_healthy(service: Service) -> bool:
    """Whether the health check of a service succeeds now."""
    try:
        return httpx.get(service.url + service.health_path, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
