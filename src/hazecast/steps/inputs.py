"""Model inputs: the stored tables as a panel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from hazecast.air.distance import neighbour_pairs
from hazecast.air.tables import Observations, Stations, Weather
from hazecast.errors import TooLittleHistory
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.store import Store

_ENOUGH_RUNS = 0.5
# The columns of Observations that features, scores and forecasts use; the others would be half of the memory.
OBSERVED = ("station_id", "pollutant", "observed_at", "concentration_ugm3", "flag", "available_at")


@dataclass(frozen=True)
class Inputs:
    """The panel, the stations behind it and the version of the observations it was built from.

    `observations` has the columns OBSERVED.
    """

    panel: Panel
    observations: pl.DataFrame
    stations: pl.DataFrame
    observations_version: int
    weather: FutureWeather


def read_inputs(
    store: Store,
    *,
    since: datetime | None = None,
    weather_since: datetime | None = None,
    stations: Sequence[str] | None = None,
    halo: bool = False,
    version: int | None = None,
) -> Inputs:
    """What is stored since `since` (all of it when None), ready for the model.

    Args:
        store: of the place.
        since: first hour of the observations.
        weather_since: first hour of the weather; None: `since`.
        stations: ids of the stations to forecast; None: all.
        halo: also read their neighbours, which are inputs of their forecasts.
        version: of the observations; None: the newest.

    Raises:
        TooLittleHistory: nothing has been collected, or nothing of these stations since then.
    """
    version = store.version(Observations) if version is None else version
    known = store.read(Stations)
    read = known if stations is None else _with_halo(known, stations, halo=halo)
    ids = None if stations is None else pl.col("station_id").is_in(read["station_id"].to_list())
    where = _all_of(_from("observed_at", since), ids)
    observations = store.read(Observations, where, version=version, columns=OBSERVED)
    if version is None or observations.filter(pl.col("flag") != "invalid").is_empty():
        raise no_observations(store, since)
    weather = store.read(Weather, _all_of(_from("valid_at", weather_since or since), ids))
    return Inputs(
        panel=build_panel(observations, weather, read, targets=stations),
        observations=observations,
        stations=read,
        observations_version=version,
        weather=weather_ahead(observations, weather),
    )


def no_observations(store: Store, since: datetime | None) -> TooLittleHistory:
    """Why there is nothing to forecast from: nothing is stored, or only older hours."""
    newest = store.newest(Observations, "observed_at")
    if newest is None or since is None:
        return TooLittleHistory("nothing has been collected yet; run `hazecast collect`")
    return TooLittleHistory(
        f"there is no valid observation since {since:%Y-%m-%d %H:%M} UTC; the newest one is of {newest:%Y-%m-%d %H:%M} "
        "UTC; run `hazecast collect`, and check the clock of this machine if that hour is not long past"
    )


def _with_halo(known: pl.DataFrame, stations: Sequence[str], *, halo: bool) -> pl.DataFrame:
    wanted = known.filter(pl.col("station_id").is_in(stations))
    if not halo:
        return wanted
    others = neighbour_pairs(known).join(wanted, on="station_id", how="semi")["other"]
    return known.filter(pl.col("station_id").is_in([*stations, *others.unique()]))


def _all_of(*conditions: pl.Expr | None) -> pl.Expr | None:
    given = [condition for condition in conditions if condition is not None]
    return pl.all_horizontal(given) if given else None


def weather_ahead(observations: pl.DataFrame, weather: pl.DataFrame) -> FutureWeather:
    """FORECAST where runs were issued on most observed days: rare inputs cannot be learned from."""
    issued = weather.drop_nulls("issued_at")["issued_at"].dt.date().unique()
    days = observations["observed_at"].dt.date().unique()
    share = days.is_in(issued.implode()).sum() / len(days)
    return FutureWeather.FORECAST if share >= _ENOUGH_RUNS else FutureWeather.NONE


def _from(column: str, since: datetime | None) -> pl.Expr | None:
    return None if since is None else pl.col(column) >= since
