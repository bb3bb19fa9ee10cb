"""Finding what was asked for: stations, pollutants and spans of time, or saying what exists instead."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import as_iso
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import QUANTILES
from hazecast.api.answers import station_answer
from hazecast.api.problems import NotAnswerable, NothingYet
from hazecast.api.reader import Issues, Reader
from hazecast.api.schemas import Station
from hazecast.errors import NotKnown

DEFAULT_SPAN = timedelta(days=7)
LONGEST_SPAN = timedelta(days=366)


def list_stations(reader: Reader) -> list[Station]:
    """Every station with the pollutants that are forecast or observed there."""
    pollutants = {station: set(forecast) for station, forecast in reader.newest_issues().pollutants.items()}
    for station_id, pollutant in reader.newest_hours():
        pollutants.setdefault(station_id, set()).add(pollutant)
    rows = reader.stations().iter_rows(named=True)
    return [station_answer(row, pollutants.get(row["station_id"], set())) for row in rows]


def find_station(reader: Reader, station_id: str) -> Station:
    """The station of that id.

    Raises:
        NotKnown: there is none.
    """
    stations = reader.stations()
    found = stations.filter(pl.col("station_id") == station_id)
    if found.is_empty():
        raise NotKnown("station", station_id, stations["station_id"].to_list())
    observed = {pollutant for station, pollutant in reader.newest_hours() if station == station_id}
    forecast = reader.newest_issues().pollutants.get(station_id, set())
    return station_answer(found.row(0, named=True), observed | forecast)


def choose_forecast_pollutant(reader: Reader, station: Station, asked: str | None) -> str:
    """The pollutant asked for, or the first one that is forecast at the station.

    Raises:
        NotKnown: it is not forecast there; the error lists what is.
        NothingYet: nothing is.
    """
    forecast = reader.newest_issues().pollutants.get(station.station_id, set())
    if not forecast:
        raise NothingYet(f"There is no forecast for {station.station_id} yet. Make one with `hazecast forecast`.")
    return _choose([pollutant for pollutant in POLLUTANTS if pollutant in forecast], asked)


def choose_observed_pollutant(station: Station, asked: str | None) -> str:
    """The pollutant asked for, or the first one that is known at the station.

    Raises:
        NotKnown: it is not known there; the error lists what is.
        NothingYet: nothing is.
    """
    if not station.pollutants:
        raise NothingYet(f"There are no observations of {station.station_id} yet. Get them with `hazecast collect`.")
    return _choose([str(pollutant) for pollutant in station.pollutants], asked)


def choose_span(since: datetime | None, until: datetime | None, *, now: datetime) -> tuple[datetime, datetime]:
    """The hours [since, until) asked for; without `until` up to now, without `since` the 7 days before it.

    Raises:
        NotAnswerable: the span is empty or longer than 366 days.
    """
    until = until or now
    since = since or until - DEFAULT_SPAN
    if since >= until:
        raise NotAnswerable(f"since ({as_iso(since)}) must be before until ({as_iso(until)})")
    if until - since > LONGEST_SPAN:
        raise NotAnswerable(f"at most {LONGEST_SPAN.days} days at a time; ask in parts")
    return since, until


def choose_quantiles(asked: str | None) -> tuple[str, ...]:
    """The quantiles asked for, comma-separated; all without.

    Raises:
        NotKnown: one that is not forecast.
    """
    return QUANTILES if asked is None else read_words("quantile", asked, QUANTILES)


def choose_pollutants(asked: str | None) -> tuple[str, ...]:
    """The pollutants asked for, comma-separated; all without.

    Raises:
        NotKnown: one that Hazecast does not forecast.
    """
    return POLLUTANTS if asked is None else read_words("pollutant", asked, POLLUTANTS)


def read_words(kind: str, asked: str, known: Sequence[str]) -> tuple[str, ...]:
    """Comma-separated words, each of them known.

    Raises:
        NotKnown: one that is not; the error lists what is.
    """
    words = tuple(word.strip() for word in asked.split(","))
    for word in words:
        if word not in known:
            raise NotKnown(kind, word, list(known))
    return words


def find_issues(reader: Reader, station_id: str, pollutant: str, issued_at: datetime | None) -> Issues:
    """The station's newest forecasts, or those issued then; there is one of `pollutant` among them.

    Raises:
        NotKnown: none was issued then; the error lists when some were, newest first.
    """
    if issued_at is None:
        return reader.newest_issues()
    issues = reader.issue(station_id, issued_at)
    if issues.of(station_id, pollutant).is_empty():
        issue_times = reader.issue_times(station_id, pollutant)
        raise NotKnown("issue time", as_iso(issued_at), [as_iso(time) for time in issue_times])
    return issues


def _choose(known: list[str], asked: str | None) -> str:
    if asked is not None and asked not in known:
        raise NotKnown("pollutant", asked, known)
    return asked or known[0]
