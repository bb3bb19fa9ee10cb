import threading
import time
import warnings
from contextlib import contextmanager
from datetime import timedelta

import pytest
import small_store
import uvicorn

with warnings.catch_warnings():
    # Starlette's TestClient prefers httpx2 and warns; the project uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

from hazecast.api.app import Options, create_app


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = small_store.NOW

    def __call__(self):
        return self.now

    def advance(self, **span):
        self.now += timedelta(**span)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="session")
def filled_store(tmp_path_factory):
    """Shared by the session: a test that writes fills its own store."""
    return small_store.fill(tmp_path_factory.mktemp("store"))


@pytest.fixture
def make_client(clock):
    """A client of the API over a store."""

    def make(store):
        return TestClient(create_app(store=store, clock=clock, clock_replayed=False), raise_server_exceptions=False)

    return make


@pytest.fixture
def client(make_client, filled_store):
    return make_client(filled_store)


@contextmanager
def serving(store, *, port, clock_replayed=True, **options):
    """The API over `store` on a real port; yields its address."""
    app = create_app(
        store=store, clock=lambda: small_store.NOW, clock_replayed=clock_replayed, options=Options(**options)
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def serve(unused_port):
    return lambda store, **options: serving(store, port=unused_port, **options)
