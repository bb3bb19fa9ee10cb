"""`hazecast doctor --live`: one small request to every service of the place."""

from datetime import timedelta
from functools import partial

import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.air.tables import newest
from hazecast.cli.doctor import Finding, look
from hazecast.errors import SettingsError
from hazecast.sources import BackgroundModel
from hazecast.wiring import Wiring

_DAY = timedelta(days=1)


def query_providers(parts: Wiring) -> list[Finding]:
    """Response of each service of the chosen place; nothing is stored.

    Raises:
        SettingsError: no live place is chosen.
    """
    if parts.place is None:
        raise SettingsError(
            "--live queries the services of a place: choose one with --place; `hazecast places` lists them"
        )
    checks = {"stations": _stations, "observations": _observations, "weather": _weather}
    checks |= {model.name: partial(_background, model) for model in parts.backgrounds}
    return [look(what, check, parts) for what, check in checks.items()]


def _stations(parts: Wiring) -> str:
    stations = parts.source.fetch_stations()
    return f"{parts.source.name} offers {stations.height} stations, such as {stations['name'][0]}"


def _observations(parts: Wiring) -> str:
    until = floor_hour(parts.now())
    found = parts.source.fetch_observations(since=until - _DAY, until=until)
    if found.is_empty():
        raise SettingsError(f"{parts.source.name} observed nothing in the last day; choose other stations or wait")
    last = newest(found["observed_at"])
    return f"{found.height} in the last day, the newest of {last:%Y-%m-%d %H:%M} UTC"


def _weather(parts: Wiring) -> str:
    until = floor_hour(parts.now())
    found = parts.source.fetch_weather(since=until - 2 * _DAY, until=until)
    issued = newest(found["issued_at"])
    if issued is None:
        raise SettingsError("no forecast was issued in the last two days; check the model in the place file")
    return f"{found.height} hours, the newest forecast issued {issued:%Y-%m-%d %H:%M} UTC"


def _background(model: BackgroundModel, parts: Wiring) -> str:
    found = model.fetch_background(_one_station(parts), now=parts.now())
    if found.is_empty():
        raise SettingsError("has no run for the first station; take it out of the place file or wait")
    return f"{found.height} hours of the run of {newest(found['issued_at']):%Y-%m-%d %H:%M} UTC"


def _one_station(parts: Wiring) -> pl.DataFrame:
    return parts.source.fetch_stations().head(1)
