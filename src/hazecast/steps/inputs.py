"""Model inputs: the stored tables as a panel."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from hazecast.air.tables import Observations, Stations, Weather
from hazecast.errors import TooLittleHistory
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.store import Store

_ENOUGH_RUNS = 0.5


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
        weather=weather_ahead(observations, weather),
    )


def weather_ahead(observations: pl.DataFrame, weather: pl.DataFrame) -> FutureWeather:
    """FORECAST where runs were issued on most observed days: rare inputs cannot be learned from."""
    issued = weather.drop_nulls("issued_at")["issued_at"].dt.date().unique()
    days = observations["observed_at"].dt.date().unique()
    share = days.is_in(issued.implode()).sum() / len(days)
    return FutureWeather.FORECAST if share >= _ENOUGH_RUNS else FutureWeather.NONE


def _from(column: str, since: datetime | None) -> pl.Expr | None:
    return None if since is None else pl.col(column) >= since
