"""`flows/main_flows.py` as a worker loads it, on a Prefect server in memory."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

FLOWS = Path(__file__).resolve().parents[1] / "flows"
MODULES = ("bootstrap", "stdio", "artifacts", "main_flows", "maintenance")


@contextmanager
def loaded_flows() -> Iterator[ModuleType]:
    """The module of the flows, with a test server of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FLOWS))
        importlib.import_module("bootstrap")
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=180):
            yield importlib.import_module("main_flows")
        for module in MODULES:
            sys.modules.pop(module, None)
