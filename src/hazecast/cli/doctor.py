"""Doctor: what could be wrong on this machine, and the remedy for each."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from hazecast.air.clock import hours_between
from hazecast.air.tables import Forecasts, Observations
from hazecast.cli.stack import require_free_ports, services
from hazecast.errors import HazecastError
from hazecast.wiring import Wiring

_FREE_GIB = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and whether it is as it should be."""

    what: str
    good: bool
    found: str


def diagnose(parts: Wiring) -> list[Finding]:
    """Look at everything; nothing is changed but for the home folder, which is made if it is not there."""
    checks: dict[str, Callable[[Wiring], str]] = {
        "Python": _python,
        "home folder": _home,
        "ports": _ports,
        "source": _source,
        "tables": _tables,
        "registry": _registry,
        "forecast": _forecast,
    }
    return [look(what, check, parts) for what, check in checks.items()]


def look(what: str, check: Callable[[Wiring], str], parts: Wiring) -> Finding:
    """What `check` found; an error is a finding too."""
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
    require_free_ports(local, parts.settings.host)
    return f"{', '.join(str(service.port) for service in local)} are free"


def _source(parts: Wiring) -> str:
    if parts.place is not None:
        return f"{parts.place.title}: {parts.place.observations.source}; --live asks its services"
    stations = parts.source.fetch_stations()
    return f"{parts.source.name} offers {stations.height} stations"


def _tables(parts: Wiring) -> str:
    newest = parts.store.newest(Observations, "observed_at")
    return f"newest observation {newest:%Y-%m-%d %H:%M} UTC" if newest else "empty; run `hazecast collect`"


def _registry(parts: Wiring) -> str:
    version = parts.registry.champion_version()
    return f"champion is version {version}" if version else "no champion yet; run `hazecast run training`"


def _forecast(parts: Wiring) -> str:
    issued = parts.store.newest(Forecasts, "issued_at")
    if issued is None:
        return "none issued yet; run `hazecast up` or `hazecast run full`"
    age_hours = hours_between(issued, parts.now())
    if age_hours > parts.settings.stale_after_hours:
        raise HazecastError(f"the newest forecast is {age_hours:.0f} h old; run `hazecast run prediction`")
    return f"issued {issued:%Y-%m-%d %H:%M} UTC, {age_hours:.0f} h ago"
