"""A source as it was, or would have been, at a moment of the past, with the troubles of a scenario."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import polars as pl

from hazecast.air.tables import FetchedObservations
from hazecast.errors import NotKnown, SourceUnavailable
from hazecast.replay.scenario import Trouble
from hazecast.sources import Source
from hazecast.sources.simulated import Fault

_SERIES = ("station_id", "pollutant")


class ReplayedWorld:
    """Any source, seen from a clock that the replay moves.

    Args:
        source: what really was, or is simulated.
        troubles: what goes wrong.
        start: of the replay; troubles count their days from there.

    Raises:
        NotKnown: a trouble is aimed at a station that the source does not have.
    """

    def __init__(self, source: Source, troubles: Sequence[Trouble], *, start: datetime) -> None:
        self.now = start
        self._source, self._troubles, self._start = source, tuple(troubles), start
        self._faults = [fault for fault in (trouble.fault(start) for trouble in troubles) if fault]
        self.name, self.simulated = source.name, source.simulated
        known = source.fetch_stations()["station_id"].to_list()
        for trouble in troubles:
            if trouble.station not in (None, *known):
                raise NotKnown("station", str(trouble.station), known)

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """As the source has it."""
        return self._source.fetch_span()

    def fetch_stations(self) -> pl.DataFrame:
        """As the source has them."""
        self._reach()
        return self._source.fetch_stations()

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """What would be fetched now: with what is wrong at the instruments, and on the way."""
        self._reach()
        rows = self.truly_offered(since=since, until=until)
        for trouble in self._active("poisoned_batch"):
            rows = rows.with_columns(pl.col("concentration_ugm3") * trouble.factor)
        return rows

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """As the source has it."""
        self._reach()
        return self._source.fetch_weather(since=since, until=until)

    def truly_offered(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """What the instruments gave, faults included, whether or not it could be fetched unharmed at the time."""
        rows = self._source.fetch_observations(since=since, until=until)
        for fault in self._faults:
            rows = _struck(rows, fault)
        return rows

    def _reach(self) -> None:
        for trouble in self._active("source_outage"):
            until = trouble.span(self._start)[1]
            raise SourceUnavailable(f"{self.name} cannot be reached (replayed outage until {until:%Y-%m-%d %H:%M} UTC)")

    def _active(self, kind: str) -> list[Trouble]:
        spans = ((trouble, trouble.span(self._start)) for trouble in self._troubles if trouble.kind == kind)
        return [trouble for trouble, (since, until) in spans if since <= self.now < until]


def _struck(rows: pl.DataFrame, fault: Fault) -> pl.DataFrame:
    """`rows` as the fault leaves them; what it swallows is absent."""
    parts = [
        _distorted(part, fault, key=_key(str(station), str(pollutant)))
        if fault.hits(str(station), str(pollutant))
        else part
        for (station, pollutant), part in rows.group_by(_SERIES, maintain_order=True)
    ]
    return pl.concat(parts) if parts else FetchedObservations.create_empty()


def _distorted(rows: pl.DataFrame, fault: Fault, *, key: int) -> pl.DataFrame:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    hours = ((rows["observed_at"] - epoch).dt.total_hours()).to_numpy().astype(np.int64)
    readings = fault.strike(rows["concentration_ugm3"].to_numpy(), hours, key=key)
    return rows.with_columns(concentration_ugm3=pl.Series(readings).round(1)).filter(
        pl.col("concentration_ugm3").is_not_nan()
    )


def _key(station_id: str, pollutant: str) -> int:
    return int.from_bytes(sha256(f"{station_id} {pollutant}".encode()).digest()[:8], "big")
