"""Development with live reload: API, dashboard and runs use the code of the checkout."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect, sync_playwright
from stack import API, ROOT, api, compose, composed_with, get, until

from chromium import CHROMIUM

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("HAZECAST_ENGINE_TEST" not in os.environ, reason="needs a container engine: make engine-test"),
]

RELOADED = ("api", "dashboard", "worker")


@pytest.fixture(scope="module")
def source(stack: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the code that the stack runs with the example override, so that no test changes the checkout."""
    folder = tmp_path_factory.mktemp("development")
    code, override = folder / "src", folder / "override.yml"
    shutil.copytree(ROOT / "src", code)
    mounted = {name: {"volumes": [f"{code}:/source:ro"]} for name in RELOADED}
    override.write_text(yaml.safe_dump({"services": mounted}))
    with composed_with(stack, "docker-compose.override.example.yml", override):
        yield code


def rewrite(path: Path, old: str, new: str) -> None:
    """Replace text in a file, in place."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_api_reloads(source: Path):
    assert api("openapi.json")["info"]["title"] == "Hazecast"
    rewrite(source / "hazecast/api/app.py", 'title="Hazecast"', 'title="Hazecast, changed"')
    took = until(lambda: "Hazecast, changed" in get(f"{API}/openapi.json")[1], seconds=60, what="the change is served")
    print(f"served {took:.0f} s after it was saved")


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: make browser")
def test_open_page_reloads(source: Path):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto("http://127.0.0.1:8501")
        expect(page).to_have_title("Hazecast", timeout=60_000)
        rewrite(source / "hazecast/dashboard/app.py", 'page_title="Hazecast"', 'page_title="Hazecast, changed"')
        expect(page).to_have_title("Hazecast, changed", timeout=60_000)
        browser.close()


def test_runs_import_the_checkout(source: Path):
    script = "import hazecast; print(hazecast.__file__)"
    assert compose("exec", "-T", "worker", "python", "-c", script).strip() == "/source/hazecast/__init__.py"
