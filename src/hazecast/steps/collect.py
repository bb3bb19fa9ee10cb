"""Collect: fetch what is new from the source."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.air.distance import moved_stations, without_null_island
from hazecast.air.tables import Observations, Stations, Weather
from hazecast.errors import SourceError
from hazecast.quality import check_weather
from hazecast.quality.rules import KEY
from hazecast.sources import Source
from hazecast.steps import Progress, silent
from hazecast.store import Store

# Networks revise and deliver late for up to three days (OpenAQ archive); older hours are taken as final.
REVISED_HOURS = 72
# Weather that has not come for so long will not come.
_LONGEST_CATCH_UP = timedelta(days=30)
# A fixed station does not move this far; coordinates do, by a mistyped digit or a fault of the service.
_FIXED_WITHIN_KM = 50.0
_IS_REPORTED = pl.col("flag_reasons").str.contains("reported", literal=True)
_PLACE = ["station_id", "latitude", "longitude"]
# Not measured, so never in one table with measured data.
_NOT_MEASURED = ({"simulated"}, {"cams_model"})


@dataclass(frozen=True)
class Batch:
    """What one collection fetched for the hours in [since, until): Stations, FetchedObservations, Weather.

    `complaints` lists what could not be fetched; the rest is complete. `misplaced` are stations whose coordinates are
    in doubt: they keep the stored ones, and no weather is fetched for them.
    """

    stations: pl.DataFrame
    observations: pl.DataFrame
    weather: pl.DataFrame
    since: datetime
    until: datetime
    complaints: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()


def collect(source: Source, store: Store, *, now: datetime, history_days: int, progress: Progress = silent) -> Batch:
    """Fetch every complete hour since the newest stored one, and the last 72 h again for revisions.

    Nothing is stored yet. A first collection takes all the source has, or `history_days` of an endless source [d]. A
    source with an end, such as a dataset folder, is read whole each time: the batch begins at the first hour that
    differs from the stored one, and a complaint counts what changed. Weather that does not come from a service is
    fetched by a later collection; weather files that cannot be read are an error.

    Raises:
        SourceError: the source did not deliver, or it is simulated and the place is real (or the other way round).
        ContractError: the source broke its contract.
    """
    until, span = floor_hour(now), source.fetch_span()
    since = first_hour(source, store, until=until, history_days=history_days)
    if span is not None:
        batch = fetch_observed(source, store, since=span[0], until=until, progress=progress)
        progress("weather", 0.6)
        batch = _since_first_change(with_weather(batch, source), store, since=max(since, span[0]))
        progress(_in_words(batch), 1.0)
        return batch
    batch = fetch_observed(source, store, since=since, until=until, progress=progress)
    progress("weather", 0.6)
    try:
        batch = with_weather(batch, source)
    except SourceError as err:
        batch = replace(batch, complaints=(*batch.complaints, f"no weather this time: {err}"))
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
    stations = source.fetch_stations()
    _refuse_to_mix(store, stations)
    placed = without_null_island(stations)
    n_lost = placed["latitude"].null_count() - stations["latitude"].null_count()
    complaints: tuple[str, ...] = (f"{n_lost} stations at 0, 0 count as without coordinates",) if n_lost else ()
    stored = store.read(Stations)
    moved = moved_stations(placed, stored, beyond_km=_FIXED_WITHIN_KM)
    complaints += _moves_in_words(moved, kept=source.fetch_span() is None)
    misplaced: tuple[str, ...] = ()
    if source.fetch_span() is None:
        misplaced = tuple(moved["station_id"])
        placed = placed.update(stored.filter(pl.col("station_id").is_in(misplaced)).select(_PLACE), on="station_id")
    progress(f"observations {since:%Y-%m-%d} to {until:%Y-%m-%d %H:%M} UTC", 0.1)
    observations = source.fetch_observations(since=since, until=until)
    return Batch(placed, observations, Weather.create_empty(), since, until, complaints, misplaced)


def with_weather(batch: Batch, source: Source) -> Batch:
    """The batch with the weather of its hours.

    Raises:
        SourceError: the source did not deliver.
        ContractError: the source broke its contract.
    """
    weather = source.fetch_weather(since=batch.since, until=batch.until)
    return replace(batch, weather=weather.filter(~pl.col("station_id").is_in(batch.misplaced)))


def first_hour(source: Source, store: Store, *, until: datetime, history_days: int) -> datetime:
    """Where the next collection begins: 72 h before the newest stored hour; the start of history the first time.

    Observed weather that lags behind, because it was out of reach, is caught up with, for a month.
    """
    # Hours after `until` were stored while the clock was ahead.
    observed = store.newest(Observations, "observed_at", until=until)
    stored = [observed, _newest_observed_weather(store, observed, until)]
    ends = [moment for moment in stored if moment is not None]
    if stored[0] is not None:
        start = min(*ends, until) - timedelta(hours=REVISED_HOURS)
        return max(start, stored[0] - _LONGEST_CATCH_UP)
    span = source.fetch_span()
    return span[0] if span else until - timedelta(days=history_days)


def _newest_observed_weather(store: Store, observed: datetime | None, until: datetime) -> datetime | None:
    """Looked for in the days that are caught up with first: older months are read only where there is none."""
    is_observed = pl.col("issued_at").is_null()
    recent = None if observed is None else is_observed & (pl.col("valid_at") >= observed - _LONGEST_CATCH_UP)
    found = None if recent is None else store.newest(Weather, "valid_at", until=until, where=recent)
    return found or store.newest(Weather, "valid_at", until=until, where=is_observed)


def _since_first_change(batch: Batch, store: Store, *, since: datetime) -> Batch:
    """The batch from the first hour on that differs from what is stored, at the latest from `since`."""
    stored = store.read(Observations, pl.col("observed_at") < batch.until)
    if stored.is_empty():
        return batch
    fetched = batch.observations.unique(KEY, keep="last", maintain_order=True)
    known = stored.select(*KEY, was="concentration_ugm3", was_reported=_IS_REPORTED)
    reported = _IS_REPORTED if "flag_reasons" in fetched.columns else pl.lit(value=False)
    compared = fetched.with_columns(is_reported=reported).join(known, on=KEY, how="left")
    value, was = pl.col("concentration_ugm3"), pl.col("was")
    added, changed = (
        compared.filter(condition)
        for condition in (was.is_null(), (value != was) | (pl.col("is_reported") != pl.col("was_reported")))
    )
    n_gone = known.join(fetched, on=KEY, how="anti").height
    weather = _changed_weather(batch.weather, store)
    first = _first_hour_of([added, changed], since)
    observations = batch.observations.filter(pl.col("observed_at") >= first)
    n_revised, n_late = changed.height, added.filter(pl.col("observed_at") < since).height
    counts = {
        "stored values changed": n_revised,
        "values added to stored hours": n_late,
        "weather rows changed or added": weather.height,
        "stored values are no longer in the source (kept)": n_gone,
    }
    found = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    complaints = (*batch.complaints, found) if found else batch.complaints
    return replace(batch, observations=observations, weather=weather, since=first, complaints=complaints)


def _first_hour_of(changes: Sequence[pl.DataFrame], since: datetime) -> datetime:
    """The earliest hour among `changes`, at the latest `since`."""
    firsts = [frame["observed_at"].min() for frame in changes]
    return min([since, *(first for first in firsts if isinstance(first, datetime))])


def _changed_weather(weather: pl.DataFrame, store: Store) -> pl.DataFrame:
    """Rows that are not stored as they are; compared after the check, which sets implausible values to null."""
    checked = check_weather(weather).rows
    values = [column for column in Weather.column_names() if column != "available_at"]
    changed = checked.join(store.read(Weather), on=values, how="anti", nulls_equal=True)
    key = ["station_id", "valid_at", "issued_at"]
    return weather.join(changed, on=key, how="semi", nulls_equal=True)


def _moves_in_words(moved: pl.DataFrame, *, kept: bool) -> tuple[str, ...]:
    """The moved stations as a complaint; empty where there is none."""
    if moved.is_empty():
        return ()
    listed = ", ".join(f"{station} by {km:.0f} km" for station, km in moved.head(3).iter_rows())
    remedy = (
        "their stored coordinates are kept, and no weather is fetched for them until the service corrects them; a "
        "station at a new site needs a new id"
        if kept
        else "their new coordinates count from now on; a station at a new site needs a new id"
    )
    return (f"{moved.height} stations moved ({listed}): {remedy}",)


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
