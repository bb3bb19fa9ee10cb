"""From a question to forecast series: which issue, which hours, with which index."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import polars as pl

from hazecast.air.clock import as_iso, hours_between
from hazecast.air.indices import Index, find_index
from hazecast.api import lookup
from hazecast.api.answers import SIMULATED, Shown, served_status
from hazecast.api.days import DAY_BEFORE, days_ahead
from hazecast.api.indexing import index_name, indexed_hours
from hazecast.api.problems import NotAnswerable
from hazecast.api.reader import Issues, Reader
from hazecast.api.schemas import Station, Summary
from hazecast.api.service import Service
from hazecast.errors import NotKnown


@dataclass(frozen=True)
class Selection:
    """What of a forecast is asked for; no index: None."""

    pollutants: tuple[str, ...]
    quantiles: tuple[str, ...]
    index: Index | None
    since: datetime | None
    until: datetime | None

    @classmethod
    def read(
        cls,
        pollutants: str | None,
        quantiles: str | None,
        index: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> Self:
        """From the words of a question.

        Raises:
            NotKnown: a pollutant, quantile or index that does not exist.
            NotAnswerable: the span is empty.
        """
        if since and until and since >= until:
            raise NotAnswerable("since must be before until")
        chosen = None if index is None else find_index(index)
        return cls(lookup.choose_pollutants(pollutants), lookup.choose_quantiles(quantiles), chosen, since, until)

    def hours(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows whose hour starts in the span."""
        if self.since is not None:
            rows = rows.filter(pl.col("valid_at") >= self.since)
        return rows if self.until is None else rows.filter(pl.col("valid_at") < self.until)


def choose_issues(reader: Reader, issued_at: datetime | None) -> Issues:
    """The newest issues, or everything issued at that hour.

    Raises:
        NotKnown: nothing was issued then; the error lists when something was.
    """
    if issued_at is None:
        return reader.newest_issues()
    issues = reader.issued_at_once(issued_at)
    if not issues.pollutants:
        raise NotKnown("issue time", as_iso(issued_at), [as_iso(time) for time in reader.all_issue_times()])
    return issues


def series_of(
    serving: Service, issues: Issues, station: Station, selection: Selection
) -> Iterator[tuple[pl.DataFrame, Station, Shown]]:
    """Every series of a station that is asked for, with what is needed to show it; those without hours are left out."""
    shown = shown_for(serving, issues, station, selection)
    for pollutant in selection.pollutants:
        rows = selection.hours(issues.of(station.station_id, pollutant))
        if not rows.is_empty():
            yield rows, station, shown


def shown_for(serving: Service, issues: Issues, station: Station, selection: Selection) -> Shown:
    """How the series of a station are to be shown."""
    index = selection.index
    now = serving.clock()
    return Shown(
        now=now,
        stale_after_hours=serving.stale_after_hours,
        next_issue_at=serving.shelf.next_issue(now),
        quantiles=selection.quantiles,
        index=index,
        indexed={} if index is None else indexed_hours(serving.reader, issues, station.station_id, index),
    )


def summary_of(serving: Service, station: Station, asked: str | None) -> Summary:
    """The days ahead at a station that has a forecast, by the index asked for or the place's own.

    Raises:
        NotKnown: no such index.
    """
    index = find_index(asked or serving.index)
    now, issues = serving.clock(), serving.reader.newest_issues()
    issue = issues.of_station(station.station_id).with_columns(
        local=pl.col("valid_at").dt.convert_time_zone(station.timezone)
    )
    issued_at = issue["issued_at"][0]
    before = serving.reader.trusted(station.station_id, since=issued_at - DAY_BEFORE, until=issued_at)
    indexed = indexed_hours(serving.reader, issues, station.station_id, index)
    age_hours = hours_between(issued_at, now)
    return Summary(
        **station.model_dump(include={"station_id", "name", "latitude", "longitude", "timezone", "attribution"}),
        distance_km=station.distance_km,
        issued_at=issued_at,
        now=now,
        status=served_status(issue["status"], age_hours=age_hours, stale_after_hours=serving.stale_after_hours),
        simulated=issue["source"][0] == SIMULATED,
        index=index_name(index),
        days=days_ahead(issue, before, indexed, index=index, now=now),
    )
