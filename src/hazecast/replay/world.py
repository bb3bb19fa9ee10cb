"""A source as of a moment of the past, with the faults of a scenario."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import polars as pl

from hazecast.air.tables import FetchedObservations
from hazecast.errors import NotKnown, SourceUnavailable
from hazecast.replay.scenario import PlannedFault
from hazecast.sources import Source
from hazecast.sources.simulated import Fault

_SERIES = ("station_id", "pollutant")


class ReplayedWorld:
    """A source as of `now`, which the replay advances.

    Args:
        source: recorded or simulated data.
        planned: the faults.
        start: of the replay; the days of faults count from here.

    Raises:
        NotKnown: a fault names a station that the source does not have.
    """

    def __init__(self, source: Source, planned: Sequence[PlannedFault], *, start: datetime) -> None:
        self.now = start
        self._source, self._planned, self._start = source, tuple(planned), start
        self._faults = [fault for fault in (one.fault(start) for one in planned) if fault]
        self.name, self.simulated = source.name, source.simulated
        known = source.fetch_stations()["station_id"].to_list()
        for one in planned:
            if one.station not in (None, *known):
                raise NotKnown("station", str(one.station), known)

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """See `Source`."""
        return self._source.fetch_span()

    def fetch_stations(self) -> pl.DataFrame:
        """See `Source`; not during an outage."""
        self._require_reachable()
        return self._source.fetch_stations()

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observations as fetched now: with the faults of instruments and of the transfer."""
        self._require_reachable()
        rows = self.ground_truth(since=since, until=until)
        for planned in self._active("poisoned_batch"):
            rows = rows.with_columns(pl.col("concentration_ugm3") * planned.factor)
        return rows

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """See `Source`."""
        self._require_reachable()
        return self._source.fetch_weather(since=since, until=until)

    def ground_truth(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observations with instrument faults only, whether or not they could be fetched at the time."""
        rows = self._source.fetch_observations(since=since, until=until)
        for fault in self._faults:
            rows = _struck(rows, fault)
        return rows

    def _require_reachable(self) -> None:
        for planned in self._active("source_outage"):
            until = planned.span(self._start)[1]
            raise SourceUnavailable(f"{self.name} cannot be reached (replayed outage until {until:%Y-%m-%d %H:%M} UTC)")

    def _active(self, kind: str) -> list[PlannedFault]:
        spans = ((one, one.span(self._start)) for one in self._planned if one.kind == kind)
        return [one for one, (since, until) in spans if since <= self.now < until]


def _struck(rows: pl.DataFrame, fault: Fault) -> pl.DataFrame:
    """`rows` with the fault applied; values it removes are absent."""
    parts = [
        _distorted(part, fault, key=_key(str(station), str(pollutant)))
        if fault.affects(str(station), str(pollutant))
        else part
        for (station, pollutant), part in rows.group_by(_SERIES, maintain_order=True)
    ]
    return pl.concat(parts) if parts else FetchedObservations.create_empty()


def _distorted(rows: pl.DataFrame, fault: Fault, *, key: int) -> pl.DataFrame:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    hours = ((rows["observed_at"] - epoch).dt.total_hours()).to_numpy().astype(np.int64)
    readings = fault.apply(rows["concentration_ugm3"].to_numpy(), hours, key=key)
    return rows.with_columns(concentration_ugm3=pl.Series(readings).round(1)).filter(
        pl.col("concentration_ugm3").is_not_nan()
    )


def _key(station_id: str, pollutant: str) -> int:
    return int.from_bytes(sha256(f"{station_id} {pollutant}".encode()).digest()[:8], "big")
