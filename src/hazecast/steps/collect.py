"""Collect: fetch what is new from the source."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.air.tables import FetchedObservations, Observations, Stations, Weather, conform
from hazecast.errors import SourceError
from hazecast.sources import Source
from hazecast.steps import Progress, silent
from hazecast.store import Store

# Networks revise and deliver late for up to three days (OpenAQ archive); older hours are taken as final.
REVISED_HOURS = 72


@dataclass(frozen=True)
class Batch:
    """What one collection fetched for the hours in [since, until): Stations, FetchedObservations, Weather."""

    stations: pl.DataFrame
    observations: pl.DataFrame
    weather: pl.DataFrame
    since: datetime
    until: datetime


def collect(source: Source, store: Store, *, now: datetime, history_days: int, progress: Progress = silent) -> Batch:
    """Fetch every complete hour since the newest stored one, and the last 72 h again for revisions.

    Nothing is stored yet. A first collection takes all the source has, or `history_days` of an endless source [d].

    Raises:
        SourceError: the source did not deliver, or it is simulated and the place is real (or the other way round).
        ContractError: the source broke its contract.
    """
    until = floor_hour(now)
    progress(f"asking {source.name} for stations", 0.0)
    stations = conform(Stations, source.fetch_stations())
    _refuse_to_mix(store, stations)
    since = _since(source, store, until=until, history_days=history_days)
    progress(f"observations {since:%Y-%m-%d} to {until:%Y-%m-%d %H:%M} UTC", 0.1)
    observations = conform(FetchedObservations, source.fetch_observations(since=since, until=until))
    progress("weather", 0.6)
    weather = conform(Weather, source.fetch_weather(since=since, until=until))
    progress(f"{observations.height:,} observations of {stations.height} stations", 1.0)
    return Batch(stations, observations, weather, since, until)


def _since(source: Source, store: Store, *, until: datetime, history_days: int) -> datetime:
    newest = store.newest(Observations, "observed_at")
    if newest is not None:
        return min(newest, until) - timedelta(hours=REVISED_HOURS)
    span = source.fetch_span()
    return span[0] if span else until - timedelta(days=history_days)


def _refuse_to_mix(store: Store, stations: pl.DataFrame) -> None:
    """Simulated and real data never share tables."""
    simulated = {"simulated"}
    stored = set(store.read(Stations)["source"])
    arriving = set(stations["source"])
    if stored and (stored == simulated) != (arriving == simulated):
        raise SourceError(
            f"{store.root} holds data of {', '.join(sorted(stored))}, not of {', '.join(sorted(arriving))}; simulated "
            "and real data never mix: choose another HAZECAST_PLACE or HAZECAST_HOME"
        )
