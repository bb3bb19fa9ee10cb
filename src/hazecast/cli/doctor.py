"""Doctor: what could be wrong on this machine or at the services of the place, and the remedy for each."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx

from hazecast.air.clock import floor_hour, hours_between
from hazecast.air.tables import Forecasts, Observations, newest
from hazecast.cli.processes import Running, is_healthy, read_running, reserved_ports
from hazecast.cli.stack import Service, services
from hazecast.errors import HazecastError, SettingsError
from hazecast.settings import Settings
from hazecast.sources import BackgroundModel
from hazecast.steps.monitor import rows_ahead
from hazecast.wiring import Wiring

_FREE_GIB = 2.0
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """The result of one check: its name, whether it passed, and the facts or the remedy."""

    what: str
    good: bool
    found: str


def diagnose(parts: Wiring) -> list[Finding]:
    """Run all local checks; nothing is changed, except that a missing home folder is created."""
    checks: dict[str, Callable[[Wiring], str]] = {
        "Python": _python,
        "home folder": _home,
        "source": _source,
        "tables": _tables,
        "clock": _clock,
        "registry": _registry,
        "forecast": _forecast,
    }
    return [*(_check(what, check, parts) for what, check in checks.items()), *_services(parts.settings)]


def _check(what: str, check: Callable[[Wiring], str], parts: Wiring) -> Finding:
    """The finding of one check; an error is a finding too."""
    try:
        return Finding(what, good=True, found=check(parts))
    except (HazecastError, OSError) as err:
        return Finding(what, good=False, found=str(err))


def _python(_: Wiring) -> str:
    return sys.version.split()[0]


def _home(parts: Wiring) -> str:
    home = parts.settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    probe = home / ".doctor"
    probe.write_text("writable")
    probe.unlink()
    free_gib = shutil.disk_usage(home).free / 2**30
    if free_gib < _FREE_GIB:
        raise OSError(f"only {free_gib:.1f} GiB free under {home}; free some space or set HAZECAST_HOME elsewhere")
    return f"{home} is writable, {free_gib:.0f} GiB free"


def _source(parts: Wiring) -> str:
    if parts.place is not None:
        return f"{parts.place.title}: {parts.place.observations.source}; --live checks its services"
    stations = parts.source.fetch_stations()
    return f"{parts.source.name} offers {stations.height} stations"


def _tables(parts: Wiring) -> str:
    newest = parts.store.newest(Observations, "observed_at", until=parts.now())
    return f"newest observation {newest:%Y-%m-%d %H:%M} UTC" if newest else "empty; run `hazecast collect`"


def _clock(parts: Wiring) -> str:
    if parts.replayed_now is not None:
        return f"{parts.now():%Y-%m-%d %H:%M} UTC, replayed"
    if ahead := rows_ahead(parts.store, now=parts.now()):
        raise HazecastError(f"{ahead}. They are not used meanwhile")
    return f"{parts.now():%Y-%m-%d %H:%M} UTC; nothing is stored ahead of it"


def _registry(parts: Wiring) -> str:
    version = parts.registry.champion_version()
    if outdated := parts.registry.champion_problem():
        raise HazecastError(f"champion version {version} cannot forecast here: {outdated}")
    return f"champion is version {version}" if version else "no champion yet; run `hazecast run training`"


def _forecast(parts: Wiring) -> str:
    issued = parts.store.newest(Forecasts, "issued_at", until=parts.now())
    if issued is None:
        return "none issued yet; run `hazecast up` or `hazecast run full`"
    age_hours = hours_between(issued, parts.now())
    if age_hours > parts.settings.stale_after_hours:
        raise HazecastError(f"the newest forecast is {age_hours:.0f} h old; run `hazecast run prediction`")
    return f"issued {issued:%Y-%m-%d %H:%M} UTC, {age_hours:.0f} h ago"


def _services(settings: Settings) -> list[Finding]:
    """The health of each service of the running stack, of its port if none runs, and of each configured server."""
    running = read_running(settings.home.resolve())
    local = [_service(service, running, settings.home) for service in services(settings)]
    servers = {"MLflow": settings.mlflow_tracking_uri if settings.has_mlflow_server else ""}
    servers["Prefect"] = settings.prefect_api_url
    return [*local, *(_server(name, url) for name, url in servers.items() if url)]


def _service(service: Service, running: Running | None, home: Path) -> Finding:
    where = f"{service.name} at {service.url}"
    if running is not None and service.name in running.services:
        if is_healthy(service):
            return Finding("service", good=True, found=f"{where} is healthy, of the stack of process {running.pid}")
        log = home / "logs" / f"{service.name.lower()}.log"
        return Finding("service", good=False, found=f"{where} does not respond or is starting; see {log}")
    try:
        with reserved_ports([service]):
            return Finding("service", good=True, found=f"{service.name} is not running; port {service.port} is free")
    except SettingsError as err:
        alike = ". It passes this health check: perhaps another Hazecast" if is_healthy(service) else ""
        return Finding("service", good=False, found=f"{err}. It is not of this home{alike}")


def _server(name: str, url: str) -> Finding:
    """A configured MLflow or Prefect server; both have their health check under their address."""
    try:
        response = httpx.get(f"{url.rstrip('/')}/health", timeout=5, trust_env=False)
        problem = "" if response.is_success else f"responds with HTTP {response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as err:
        problem = f"does not respond ({err})"
    shown = url.rpartition("@")[2]
    if problem:
        return Finding("service", good=False, found=f"the {name} server at {shown} {problem}; check its address")
    return Finding("service", good=True, found=f"the {name} server at {shown} is healthy")


def query_providers(parts: Wiring) -> list[Finding]:
    """Send one small request to every service of the chosen place; nothing is stored.

    Raises:
        SettingsError: no live place is chosen.
    """
    if parts.place is None:
        raise SettingsError(
            "--live queries the services of a place; choose one with --place; `hazecast places` lists them"
        )
    checks: dict[str, Callable[[Wiring], str]] = {
        "stations": _stations,
        "observations": _observations,
        "weather": _weather,
    }
    checks |= {model.name: partial(_background, model) for model in parts.backgrounds}
    return [_check(what, check, parts) for what, check in checks.items()]


def _stations(parts: Wiring) -> str:
    stations = parts.source.fetch_stations()
    return f"{parts.source.name} offers {stations.height} stations, such as {stations['name'][0]}"


def _observations(parts: Wiring) -> str:
    until = floor_hour(parts.now())
    found = parts.source.fetch_observations(since=until - _DAY, until=until)
    if found.is_empty():
        raise SettingsError(f"{parts.source.name} has no observation of the last day; choose other stations or wait")
    last = newest(found["observed_at"])
    return f"{found.height} in the last day, the newest of {last:%Y-%m-%d %H:%M} UTC"


def _weather(parts: Wiring) -> str:
    until = floor_hour(parts.now())
    found = parts.source.fetch_weather(since=until - 2 * _DAY, until=until)
    issued = newest(found["issued_at"])
    if issued is None:
        raise SettingsError("no forecast was issued in the last two days; check the weather model in the place file")
    return f"{found.height} hours, the newest forecast issued {issued:%Y-%m-%d %H:%M} UTC"


def _background(model: BackgroundModel, parts: Wiring) -> str:
    found = model.fetch_background(parts.source.fetch_stations().head(1), now=parts.now())
    if found.is_empty():
        raise SettingsError("has no run for the first station; remove it from the place file or wait")
    return f"{found.height} hours of the run of {newest(found['issued_at']):%Y-%m-%d %H:%M} UTC"
