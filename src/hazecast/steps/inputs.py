"""What the model sees: the stored tables as a panel."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from hazecast.air.tables import Observations, Stations, Weather
from hazecast.errors import TooLittleHistory
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.store import Store


@dataclass(frozen=True)
class Inputs:
    """The panel, the stations behind it and the version of the observations it was built from."""

    panel: Panel
    observations: pl.DataFrame
    stations: pl.DataFrame
    observations_version: int
    weather: FutureWeather


def read_inputs(store: Store, *, since: datetime | None = None) -> Inputs:
    """Everything stored since `since` (all of it when None), ready for the model.

    Raises:
        TooLittleHistory: nothing has been collected.
    """
    version = store.version(Observations)
    observations = store.read(Observations, _from("observed_at", since), version=version)
    if version is None or observations.is_empty():
        raise TooLittleHistory("nothing has been collected yet; run `hazecast collect`")
    weather = store.read(Weather, _from("valid_at", since))
    stations = store.read(Stations)
    return Inputs(
        panel=build_panel(observations, weather, stations),
        observations=observations,
        stations=stations,
        observations_version=version,
        weather=FutureWeather.FORECAST if weather["issued_at"].is_not_null().any() else FutureWeather.NONE,
    )


def _from(column: str, since: datetime | None) -> pl.Expr | None:
    return None if since is None else pl.col(column) >= since
