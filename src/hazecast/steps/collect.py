"""Collect: fetch what is new from the source."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.air.tables import FetchedObservations, Observations, Stations, Weather, conform, newest
from hazecast.errors import SourceError
from hazecast.sources import Source
from hazecast.steps import Progress, silent
from hazecast.store import Store

# Networks revise and deliver late for up to three days (OpenAQ archive); older hours are taken as final.
REVISED_HOURS = 72
# Weather that has not come for so long will not come.
_LONGEST_CATCH_UP = timedelta(days=30)
# Not measured, so never in one table with measured data.
_NOT_MEASURED = ({"simulated"}, {"cams_model"})


@dataclass(frozen=True)
class Batch:
    """What one collection fetched for the hours in [since, until): Stations, FetchedObservations, Weather.

    `complaints` lists what could not be fetched; the rest is complete.
    """

    stations: pl.DataFrame
    observations: pl.DataFrame
    weather: pl.DataFrame
    since: datetime
    until: datetime
    complaints: tuple[str, ...] = ()


def collect(source: Source, store: Store, *, now: datetime, history_days: int, progress: Progress = silent) -> Batch:
    """Fetch every complete hour since the newest stored one, and the last 72 h again for revisions.

    Nothing is stored yet. A first collection takes all the source has, or `history_days` of an endless source [d].
    Weather that does not come is complained of, and fetched by a later collection.

    Raises:
        SourceError: the source did not deliver, or it is simulated and the place is real (or the other way round).
        ContractError: the source broke its contract.
    """
    until = floor_hour(now)
    since = first_hour(source, store, until=until, history_days=history_days)
    batch = fetch_observed(source, store, since=since, until=until, progress=progress)
    progress("weather", 0.6)
    try:
        batch = with_weather(batch, source)
    except SourceError as err:
        batch = _without_weather(batch, str(err))
    progress(_in_words(batch), 1.0)
    return batch


def fetch_observed(
    source: Source, store: Store, *, since: datetime, until: datetime, progress: Progress = silent
) -> Batch:
    """Stations and observations of the hours in [since, until), weather still empty.

    Raises:
        SourceError: the source did not deliver, or its data do not belong into this store.
        ContractError: the source broke its contract.
    """
    progress(f"fetching stations of {source.name}", 0.0)
    stations = conform(Stations, source.fetch_stations())
    _refuse_to_mix(store, stations)
    progress(f"observations {since:%Y-%m-%d} to {until:%Y-%m-%d %H:%M} UTC", 0.1)
    observations = conform(FetchedObservations, source.fetch_observations(since=since, until=until))
    return Batch(stations, observations, Weather.create_empty(), since, until)


def with_weather(batch: Batch, source: Source) -> Batch:
    """The batch with the weather of its hours.

    Raises:
        SourceError: the source did not deliver.
        ContractError: the source broke its contract.
    """
    weather = conform(Weather, source.fetch_weather(since=batch.since, until=batch.until))
    return Batch(batch.stations, batch.observations, weather, batch.since, batch.until)


def first_hour(source: Source, store: Store, *, until: datetime, history_days: int) -> datetime:
    """Where the next collection begins: 72 h before the newest stored hour; the start of history the first time.

    Observed weather that lags behind, because it was out of reach, is caught up with, for a month.
    """
    stored = [store.newest(Observations, "observed_at"), _newest_observed_weather(store)]
    ends = [moment for moment in stored if moment is not None]
    if stored[0] is not None:
        start = min(*ends, until) - timedelta(hours=REVISED_HOURS)
        return max(start, stored[0] - _LONGEST_CATCH_UP)
    span = source.fetch_span()
    return span[0] if span else until - timedelta(days=history_days)


def _newest_observed_weather(store: Store) -> datetime | None:
    return newest(store.read(Weather, pl.col("issued_at").is_null())["valid_at"])


def _without_weather(batch: Batch, reason: str) -> Batch:
    complaint = f"no weather this time: {reason}"
    return Batch(batch.stations, batch.observations, batch.weather, batch.since, batch.until, (complaint,))


def _in_words(batch: Batch) -> str:
    found = f"{batch.observations.height:,} observations of {batch.stations.height} stations"
    return "; ".join([found, *batch.complaints])


def _refuse_to_mix(store: Store, stations: pl.DataFrame) -> None:
    """Simulated, modelled and measured data never share tables."""
    stored, arriving = set(store.read(Stations)["source"]), set(stations["source"])
    if stored and any((stored == synthetic) != (arriving == synthetic) for synthetic in _NOT_MEASURED):
        raise SourceError(
            f"{store.root} contains data of {', '.join(sorted(stored))}, not of {', '.join(sorted(arriving))}; "
            "simulated, modelled and measured data never mix: choose another HAZECAST_PLACE or HAZECAST_HOME"
        )
