"""First visits of fresh dashboards: python benchmarks/bench_first_visits.py [--processes 20] [--visitors 5]

Each process serves the small store of the tests. As soon as it is healthy, all visitors open a page at the same moment,
as browsers do after a restart. A visit fails if its page has an error, or the log of the dashboard has a traceback.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_api import free_port, stop

STORE = Path(__file__).resolve().parents[1] / "tests" / "shells" / "small_store.py"
TIMEOUT_SECONDS = 120


async def visit(port: int, path: str) -> list[str]:
    """Open a page; returns the errors on it."""
    below = f"/{path}" if path else ""
    url, errors = f"ws://127.0.0.1:{port}{below}/_stcore/stream", []
    async with websockets.connect(url, subprotocols=["streamlit"], max_size=None) as socket:
        request = BackMsg()
        request.rerun_script.query_string = ""
        await socket.send(request.SerializeToString())
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                message = ForwardMsg()
                message.ParseFromString(await socket.recv())
                element = message.delta.new_element
                if element.WhichOneof("type") == "exception":
                    errors.append(element.exception.message)
                if element.WhichOneof("type") == "alert" and element.alert.format == element.alert.ERROR:
                    errors.append(element.alert.body)
                if message.WhichOneof("type") == "script_finished":
                    return errors


def wait_until_healthy(url: str) -> None:
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        try:
            if httpx.get(url, timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise TimeoutError(url)


def start(*command: str, log: Path, **environment: str) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


async def visit_fresh_process(api_url: str, folder: Path, visitors: int, path: str) -> list[str]:
    port, log = free_port(), folder / "dashboard.log"
    address = ("--server.address", "127.0.0.1", "--server.port", str(port))
    environment = {"HAZECAST_API_URL": api_url, "HAZECAST_DASHBOARD_PATH": path}
    dashboard = start("-m", "hazecast.dashboard", *address, log=log, **environment)
    try:
        below = f"/{path}" if path else ""
        wait_until_healthy(f"http://127.0.0.1:{port}{below}/_stcore/health")
        found = await asyncio.gather(*(visit(port, path) for _ in range(visitors)))
    finally:
        stop(dashboard)
    errors = [error for errors in found for error in errors]
    text = log.read_text()
    return [*errors, text] if "Traceback" in text or "page failed" in text else errors


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--visitors", type=int, default=5)
    parser.add_argument("--path", default="", help="serve below this path")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder, port = Path(home), free_port()
        api = start(str(STORE), str(folder / "tables"), str(port), log=folder / "api.log")
        failed = 0
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/api/v1/ready")
            for k in range(arguments.processes):
                started = time.monotonic()
                errors = await visit_fresh_process(
                    f"http://127.0.0.1:{port}", folder, arguments.visitors, arguments.path
                )
                failed += bool(errors)
                print(f"process {k + 1}: {time.monotonic() - started:.1f} s, {errors or 'no error'}", flush=True)
        finally:
            stop(api)
    print(f"{arguments.processes} processes, {arguments.visitors} visitors each: {failed} with errors")
    sys.exit(bool(failed))


if __name__ == "__main__":
    asyncio.run(main())
