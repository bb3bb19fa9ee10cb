"""The dashboard in a real browser, on the real API and Streamlit servers, all on loopback."""

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from chromium import CHROMIUM
from ports import free_port

HERE = Path(__file__).resolve()
STORE = HERE.parents[1] / "shells" / "dashboard_store.py"
BALANCER = HERE.parent / "balancer.py"
PAGE = HERE.parents[2] / "src" / "hazecast" / "dashboard" / "app.py"
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]

BELOW_PAGE = ("/_stcore/health", "/_stcore/host-config")
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
PAGES = {
    "": "Today, ",
    "forecast": "Accuracy:",
    "verification": "by station",
    "data": "Sensors with warnings",
    "operations": "Runs",
}
SERIOUS = ("serious", "critical")
LAST_LINE = "not an official warning"  # of every page
TIMEOUT_SECONDS = 180  # generous: a slow page on a busy machine is not a failure

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@contextmanager
def process(*command, healthy_at, **environment):
    """A child process that is healthy inside the body."""
    child = subprocess.Popen([sys.executable, *command], env={**os.environ, **environment})
    try:
        until = time.monotonic() + TIMEOUT_SECONDS
        while not is_healthy(healthy_at):
            assert child.poll() is None, f"{command} died"
            assert time.monotonic() < until, f"{command} does not respond at {healthy_at}"
            time.sleep(0.1)
        yield child
    finally:
        child.terminate()
        child.wait(TIMEOUT_SECONDS)


def is_healthy(url):
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def dashboard(port, api_url):
    """A replica of the dashboard."""
    run = ("-m", "streamlit", "run", str(PAGE), "--server.address", "127.0.0.1", "--server.port", str(port))
    return process(*run, healthy_at=f"http://127.0.0.1:{port}/_stcore/health", HAZECAST_API_URL=api_url)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """(the API's process, its address)."""
    port = free_port()
    url, folder = f"http://127.0.0.1:{port}", str(tmp_path_factory.mktemp("store"))
    with process(str(STORE), folder, str(port), healthy_at=f"{url}/api/v1/health") as child:
        yield child, url


@pytest.fixture(scope="module")
def servers(api):
    """(the API's process, the dashboard's address)."""
    child, url = api
    port = free_port()
    with dashboard(port, url):
        yield child, f"http://127.0.0.1:{port}"


@pytest.fixture
def replicas(api):
    """(two dashboards, the address of their load balancer)."""
    ports = free_port(), free_port(), free_port()
    balancer = process(str(BALANCER), *map(str, ports), healthy_at=f"http://127.0.0.1:{ports[0]}/_stcore/health")
    with dashboard(ports[1], api[1]) as one, dashboard(ports[2], api[1]) as two, balancer:
        yield (one, two), f"http://127.0.0.1:{ports[0]}"


@pytest.fixture
def slow_servers(api):
    """(an event that releases the forecasts of the API, the address of a dashboard on that API)."""
    release = threading.Event()

    class Gate(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.split("?")[0].endswith("/forecast"):
                release.wait(TIMEOUT_SECONDS)
            response = httpx.get(api[1] + self.path, timeout=TIMEOUT_SECONDS, trust_env=False)
            self.send_response(response.status_code)
            self.send_header("Content-Type", response.headers["Content-Type"])
            self.end_headers()
            self.wfile.write(response.content)

    gate, port = ThreadingHTTPServer(("127.0.0.1", 0), Gate), free_port()
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    with dashboard(port, f"http://127.0.0.1:{gate.server_port}"):
        yield release, f"http://127.0.0.1:{port}"
    release.set()
    gate.shutdown()
    gate.server_close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        yield chromium
        chromium.close()


def is_page_error(message):
    """Whether a console message is an error of the page.

    Streamlit requests BELOW_PAGE below the address of the page first and gets a 404. Chromium drops connections,
    loopback too, when a network interface comes or goes, and retries.
    """
    is_ours = not message.location["url"].endswith(BELOW_PAGE) and NETWORK_CHANGED not in message.text
    return message.type == "error" and is_ours


@pytest.fixture
def tab(browser):
    """A tab in another time zone than any station, with the errors and the hosts of its requests."""
    context = browser.new_context(timezone_id="America/New_York", viewport={"width": 1280, "height": 1100})
    context.set_default_timeout(1000 * TIMEOUT_SECONDS)
    tab = context.new_page()
    tab.errors, tab.hosts = [], set()
    tab.on("console", lambda message: tab.errors.append(message.text) if is_page_error(message) else None)
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.on("request", lambda request: tab.hosts.add(httpx.URL(request.url).host))
    yield tab
    context.close()


def fan_chart(tab):
    """The fan chart, by its text alternative."""
    return tab.get_by_test_id("stVegaLiteChart").and_(tab.get_by_label("observations and forecast with its intervals"))


def test_the_fan_chart_is_drawn(servers, tab):
    _, url = servers
    tab.goto(f"{url}/forecast?station=sim/harbour&pollutant=pm25")
    chart = fan_chart(tab)
    chart.locator("canvas, svg").first.wait_for()
    tab.get_by_text(LAST_LINE).wait_for()
    tab.get_by_text("SIMULATED.").wait_for()
    tab.get_by_text("REPLAYED CLOCK.").wait_for()
    assert tab.get_by_test_id("stMetric").count() == 4
    assert tab.get_by_test_id("stException").count() == 0
    box = chart.bounding_box()
    chart.hover(position={"x": 0.85 * box["width"], "y": 0.6 * box["height"]})
    tooltip = tab.locator("#vg-tooltip-element")
    tooltip.get_by_text("q50").wait_for()
    assert "Mar" in tooltip.inner_text()
    assert tab.errors == []
    assert tab.hosts <= {"127.0.0.1", ""}


def test_choosing_changes_the_page_and_its_address(servers, tab):
    _, url = servers
    tab.goto(f"{url}/forecast?station=sim/harbour&pollutant=pm25")
    tab.get_by_role("radio", name="NO₂").or_(tab.get_by_role("button", name="NO₂")).first.click()
    tab.get_by_text("Probability above 200 µg/m³, tomorrow").wait_for()
    tab.locator("[data-test-script-state=notRunning]").wait_for()  # the page is complete
    assert "pollutant=no2" in tab.url
    tab.get_by_text("Data table").click()
    with tab.expect_download() as download:
        tab.get_by_text("Download CSV").click()
    assert download.value.suggested_filename == "hazecast_simulated_sim-harbour_no2.csv"
    rows = Path(download.value.path()).read_text().splitlines()
    assert rows[0].startswith("hour_start_utc,hour_start_local,observed_ugm3")
    assert len(rows) > 200
    assert tab.errors == []


def test_choosing_before_the_page_is_loaded_stays_on_the_page(slow_servers, tab):
    release, url = slow_servers
    tab.goto(f"{url}/forecast?station=sim/harbour&pollutant=pm25")
    tab.get_by_role("radio", name="NO₂").click()  # no forecast has come yet
    release.set()
    tab.get_by_text("Probability above 200 µg/m³, tomorrow").wait_for()
    assert httpx.URL(tab.url).path == "/forecast"


@pytest.mark.parametrize(("scheme", "interval_50"), [("light", "#6fb0d6"), ("dark", "#2a7aa5")])
def test_the_fan_is_painted_in_both_themes(servers, tab, scheme, interval_50):
    _, url = servers
    tab.emulate_media(color_scheme=scheme)
    tab.goto(f"{url}/forecast?station=dongsi&pollutant=pm25")
    chart = fan_chart(tab)
    fan = chart.locator(f".mark-area path[fill='{interval_50}']")
    fan.wait_for()
    assert fan.bounding_box()["width"] > 0.25 * chart.bounding_box()["width"]
    assert fan.bounding_box()["height"] > 20
    chart.get_by_text("WHO 2021 guideline, 24 h: 15 µg/m³").first.wait_for()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_complete_and_accessible(servers, tab, name, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    _, url = servers
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 1100})
    tab.goto(f"{url}/{name}?station=sim/harbour&lang=en")
    tab.get_by_text(PAGES[name]).first.wait_for()
    tab.get_by_text(LAST_LINE).wait_for()
    tab.get_by_text("SIMULATED.").wait_for()
    assert tab.get_by_test_id("stException").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []
    assert tab.errors == []


def test_the_former_address_of_the_verification_page_works(servers, tab):
    _, url = servers
    tab.goto(f"{url}/trust?station=sim/harbour&lang=en")
    tab.get_by_role("heading", name="Verification").wait_for()
    link = tab.get_by_role("link", name="Verification")
    link.first.wait_for()
    assert link.count() == 1
    assert tab.errors == []


def test_the_page_can_be_used_with_the_keyboard(servers, tab):
    _, url = servers
    tab.goto(f"{url}/forecast?station=sim/harbour&lang=en")
    tab.get_by_text(LAST_LINE).wait_for()

    tab_to(tab, tab.get_by_role("combobox", name="Station"))
    tab.keyboard.press("ArrowDown")
    tab.keyboard.type("dongsi")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile("station=dongsi"))
    tab.locator("[data-test-script-state=notRunning]").wait_for()

    tab_to(tab, tab.get_by_role("link", name="Verification"))
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile("/verification.*station=dongsi"))
    tab.get_by_role("heading", name="Verification").wait_for()
    assert tab.errors == []


def tab_to(tab, target):
    """Press Tab until the target has the focus, which must be visible."""
    unfocused = picture(tab, target)
    for _ in range(60):
        tab.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            assert picture(tab, target) != unfocused, "the focus is not visible"
            return
    raise AssertionError(f"the keyboard does not reach {target}")


def picture(tab, target):
    """A screenshot of the target and a few pixels around it, where the focus ring is drawn."""
    box = target.bounding_box()
    around = {"x": box["x"] - 6, "y": box["y"] - 6, "width": box["width"] + 12, "height": box["height"] + 12}
    return tab.screenshot(clip=around, animations="disabled", caret="hide")


def test_a_reload_moves_the_page_of_a_dead_replica_to_the_other(replicas, tab):
    dashboards, url = replicas
    tab.goto(f"{url}/forecast?station=sim/harbour&lang=en")
    tab.get_by_text(LAST_LINE).wait_for()
    tab.get_by_role("radio", name="NO₂").or_(tab.get_by_role("button", name="NO₂")).first.click()
    tab.get_by_text("Probability above 200 µg/m³, tomorrow").wait_for()
    assert tab.errors == []

    sticky = next(cookie["value"] for cookie in tab.context.cookies() if cookie["name"] == "replica")
    dashboards[int(sticky)].kill()
    tab.reload()
    tab.get_by_text("Probability above 200 µg/m³, tomorrow").wait_for()
    tab.get_by_text(LAST_LINE).wait_for()
    assert tab.get_by_test_id("stException").count() == 0


def test_without_the_api_the_page_shows_an_error(servers, tab):
    api, url = servers
    api.terminate()
    api.wait(TIMEOUT_SECONDS)
    tab.goto(url)
    tab.get_by_text("The API does not respond").wait_for()
    tab.get_by_role("button", name="Retry").wait_for()
    assert tab.get_by_test_id("stException").count() == 0
