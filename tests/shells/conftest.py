import warnings
from datetime import timedelta

import pytest
import small_store

with warnings.catch_warnings():
    # Starlette asks for httpx2 here; the rest of the house speaks httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

from hazecast.api.app import create_app


class Clock:
    """A clock the test turns."""

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
    """Read-only: a test that writes takes its own."""
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
