"""Doctor: what could be wrong on this machine or at the services of the place, and the remedy for each."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from hazecast.air.clock import floor_hour, hours_between
from hazecast.air.tables import Forecasts, Observations, newest
from hazecast.cli.stack import require_free_ports, services
from hazecast.errors import HazecastError, SettingsError
from hazecast.sources import BackgroundModel
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
        "ports": _ports,
        "source": _source,
        "tables": _tables,
        "registry": _registry,
        "forecast": _forecast,
    }
    return [_check(what, check, parts) for what, check in checks.items()]


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


def _ports(parts: Wiring) -> str:
    local = services(parts.settings)
    require_free_ports(local)
    return f"{', '.join(str(service.port) for service in local)} are free"


def _source(parts: Wiring) -> str:
    if parts.place is not None:
        return f"{parts.place.title}: {parts.place.observations.source}; --live checks its services"
    stations = parts.source.fetch_stations()
    return f"{parts.source.name} offers {stations.height} stations"


def _tables(parts: Wiring) -> str:
    newest = parts.store.newest(Observations, "observed_at", until=parts.now())
    return f"newest observation {newest:%Y-%m-%d %H:%M} UTC" if newest else "empty; run `hazecast collect`"


def _registry(parts: Wiring) -> str:
    version = parts.registry.champion_version()
    if outdated := parts.registry.champion_outdated():
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
