"""What the API knows of the stored tables: the newest of each held in memory, everything older read on demand."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import dataframely as dy
import polars as pl
import structlog

from hazecast.air.clock import floor_hour
from hazecast.air.indices import Answer
from hazecast.air.tables import Background, Drivers, Forecasts, Observations, Quality, Scores, Stations
from hazecast.errors import StoreError
from hazecast.store import Store

LOOK_BACKS = (timedelta(days=3), timedelta(days=60))
VERSION_CHECK_SECONDS = 1.0

Held = TypeVar("Held")

log = structlog.get_logger()


class Reader:
    """Reads for the endpoints; safe to share between threads.

    What is held is read again when its table has a new version (looked up at most once a second) or the hour changes.

    Args:
        store: the tables.
        clock: tells the time; forecasts and observations after it are not seen.

    Raises (all methods):
        StoreError: a table is corrupt or out of reach.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._stations = Cached(store, Stations, self._read_stations)
        self._forecasts = Cached(store, Forecasts, self._read_newest_issues)
        self._observed = Cached(store, Observations, self._read_newest_hours)
        self._quality = Cached(store, Quality, self._read_newest_check)
        self._scores = Cached(store, Scores, self._read_newest_scores)

    def stations(self) -> pl.DataFrame:
        """Every station, one row each, by station_id."""
        return self._stations.get(self._clock())

    def newest_issues(self) -> "Issues":
        """The newest forecast of every station and pollutant."""
        return self._forecasts.get(self._clock())

    def newest_hours(self) -> dict[tuple[str, str], datetime]:
        """`observed_at` of the newest observation of every (station_id, pollutant)."""
        return self._observed.get(self._clock())

    def newest_check(self) -> pl.DataFrame:
        """Rows of the latest quality check; empty when there was none."""
        return self._quality.get(self._clock())

    def newest_scores(self) -> pl.DataFrame:
        """The latest verification over all leads of every model and pollutant; empty when there was none."""
        return self._scores.get(self._clock())

    def issue(self, station_id: str, issued_at: datetime) -> "Issues":
        """What was issued then for a station, from the archive."""
        where = (pl.col("station_id") == station_id) & (pl.col("issued_at") == issued_at)
        return Issues(self._store.read(Forecasts, where))

    def all_issue_times(self) -> list[datetime]:
        """When anything was issued, newest first."""
        first_hours = self._store.read(Forecasts, pl.col("lead_hours") == 1)
        return first_hours["issued_at"].unique().sort(descending=True).to_list()

    def issue_times(self, station_id: str, pollutant: str) -> list[datetime]:
        """When forecasts were issued, newest first."""
        first_hours = self._store.read(Forecasts, _series(station_id, pollutant) & (pl.col("lead_hours") == 1))
        return first_hours["issued_at"].sort(descending=True).to_list()

    def issues_before(self, station_id: str, pollutant: str, before: datetime | None) -> pl.DataFrame:
        """`issued_at` and `model_version` of the archived forecasts of a series before a time, newest first."""
        until = pl.col("issued_at") <= self._clock()
        until = until if before is None else until & (pl.col("issued_at") < before)
        rows = self._store.read(Forecasts, _series(station_id, pollutant) & (pl.col("lead_hours") == 1) & until)
        return rows.select("issued_at", "model_version").sort("issued_at", descending=True)

    def observations(self, station_id: str, pollutant: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observations whose hour starts in [since, until), by observed_at."""
        span = pl.col("observed_at").is_between(since, until, closed="left")
        return self._store.read(Observations, _series(station_id, pollutant) & span).sort("observed_at")

    def trusted(self, station_id: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observations of all pollutants flagged ok whose hour starts in [since, until) and that were known by then."""
        span = pl.col("observed_at").is_between(since, until, closed="left") & (pl.col("available_at") <= until)
        mine = (pl.col("station_id") == station_id) & (pl.col("flag") == "ok")
        return self._store.read(Observations, mine & span)

    def background(self, station_id: str, pollutant: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Every physics model's newest run that is out by now, its hours in [since, until), by source and valid_at."""
        span = pl.col("valid_at").is_between(since, until, closed="left") & (pl.col("available_at") <= self._clock())
        rows = self._store.read(Background, _series(station_id, pollutant) & span)
        newest = rows.filter(pl.col("issued_at") == pl.col("issued_at").max().over("source"))
        return newest.sort("source", "valid_at")

    def drivers(self, station_id: str, pollutant: str, issued_at: datetime) -> pl.DataFrame:
        """What moved the forecast issued then, by valid_at and driver."""
        rows = self._store.read(Drivers, _series(station_id, pollutant) & (pl.col("issued_at") == issued_at))
        return rows.sort("valid_at", "driver")

    def issued_at_once(self, issued_at: datetime) -> "Issues":
        """All series issued then, from the archive."""
        return Issues(self._store.read(Forecasts, pl.col("issued_at") == issued_at))

    def generation(self) -> tuple[int, ...]:
        """Changes whenever something held was read again; looks for that first. Never fails while something is held."""
        held = (self._stations, self._forecasts, self._observed, self._quality, self._scores)
        return tuple(cached.generation(self._clock()) for cached in held)

    def version(self, table: type[dy.Schema]) -> int | None:
        """Newest version of `table`; None: nothing stored yet."""
        return self._store.version(table)

    def _read_stations(self, _: datetime) -> pl.DataFrame:
        return self._store.read(Stations).sort("station_id")

    def _read_newest_issues(self, now: datetime) -> "Issues":
        known_by_now = (pl.col("issued_at") <= now) & (pl.col("lead_hours") == 1)
        first_hours = self._read_recent(Forecasts, "issued_at", now=now, where=known_by_now)
        newest = first_hours.group_by("station_id", "pollutant").agg(pl.col("issued_at").max())
        rows = self._store.read(Forecasts, pl.col("issued_at").is_in(newest["issued_at"].unique().to_list()))
        return Issues(rows.join(newest, on=newest.columns, how="semi"))

    def _read_newest_hours(self, now: datetime) -> dict[tuple[str, str], datetime]:
        rows = self._read_recent(Observations, "observed_at", now=now, where=pl.col("observed_at") < now)
        newest = rows.group_by("station_id", "pollutant").agg(pl.col("observed_at").max())
        return {(station, pollutant): observed_at for station, pollutant, observed_at in newest.iter_rows()}

    def _read_newest_check(self, now: datetime) -> pl.DataFrame:
        rows = self._read_recent(Quality, "checked_at", now=now)
        last = rows.filter(pl.col("checked_at") == pl.col("checked_at").max())
        return last.filter(pl.col("window_end") == pl.col("window_end").max())

    def _read_newest_scores(self, _: datetime) -> pl.DataFrame:
        rows = self._store.read(Scores, pl.col("lead_block") == "all")
        newest_last = rows.sort("window_end", "scored_at").unique(
            ["model", "pollutant"], keep="last", maintain_order=True
        )
        return newest_last.sort("pollutant", "mae")

    def _read_recent(
        self, table: type[dy.Schema], when: str, *, now: datetime, where: pl.Expr | None = None
    ) -> pl.DataFrame:
        """Rows of the last days; further back, at last everything, only where those hold nothing."""
        where = pl.lit(True) if where is None else where
        for look_back in LOOK_BACKS:
            rows = self._store.read(table, where & (pl.col(when) >= now - look_back))
            if not rows.is_empty():
                return rows
        return self._store.read(table, where)


class Issues:
    """The newest forecast of every series, kept sorted so that one series is one slice.

    Args:
        rows: rows of `air.tables.Forecasts` with one issued_at per (station_id, pollutant).

    `indexed` remembers index answers by (station_id, index): they live as long as the issue does.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows.sort("station_id", "pollutant", "valid_at")
        spans = self._rows.with_row_index().group_by("station_id", "pollutant").agg(pl.col("index").min(), pl.len())
        self._spans = {(station, pollutant): (first, n) for station, pollutant, first, n in spans.iter_rows()}
        self.indexed: dict[tuple[str, str], Mapping[datetime, Answer]] = {}
        self.pollutants: dict[str, set[str]] = {}
        for station, pollutant in self._spans:
            self.pollutants.setdefault(station, set()).add(pollutant)
        latest = self._rows.sort("issued_at").tail(1)
        self.issued_at: datetime | None = latest["issued_at"].max()  # type: ignore[assignment]  # a time or None
        self.model_version: str | None = latest["model_version"].max()  # type: ignore[assignment]  # a text or None

    def of(self, station_id: str, pollutant: str) -> pl.DataFrame:
        """One series by valid_at; empty when it was never forecast."""
        return self._rows.slice(*self._spans.get((station_id, pollutant), (0, 0)))

    def of_station(self, station_id: str) -> pl.DataFrame:
        """All pollutants of a station's newest issue, by pollutant and valid_at; empty when there is none."""
        rows = self._rows.filter(pl.col("station_id") == station_id)
        return rows.filter(pl.col("issued_at") == pl.col("issued_at").max())


@dataclass
class Cached(Generic[Held]):
    """Something derived from one table, derived again only when the table or the hour has changed."""

    store: Store
    table: type[dy.Schema]
    derive: Callable[[datetime], Held]
    _held: Held = field(init=False)
    _held_for: tuple[int | None, datetime | None] = (None, None)
    _n_derived: int = 0
    _checked_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, now: datetime) -> Held:
        """The derived value as of `now`; the last good one while the store is out of reach or another thread looks.

        Raises:
            StoreError: the store is out of reach and nothing is held.
        """
        hour = floor_hour(now)
        if self._held_for[1] == hour and time.monotonic() - self._checked_at <= VERSION_CHECK_SECONDS:
            return self._held
        # Whoever comes while another thread reads waits only if there is nothing to serve meanwhile.
        if self._lock.acquire(blocking=self._held_for[1] is None):
            try:
                self._refresh(now, hour)
                self._checked_at = time.monotonic()
            finally:
                self._lock.release()
        return self._held

    def generation(self, now: datetime) -> int:
        """How often it was derived so far; what nobody has asked for yet stays underived."""
        if self._held_for[1] is not None:
            self.get(now)
        return self._n_derived

    def _refresh(self, now: datetime, hour: datetime) -> None:
        try:
            wanted = (self.store.version(self.table), hour)
            if wanted != self._held_for:
                self._held = self.derive(now)
                self._held_for = wanted
                self._n_derived += 1
        except StoreError as err:
            if self._held_for[1] is None:
                raise
            log.warning("serving what is held", table=self.table.__name__, reason=str(err))


def _series(station_id: str, pollutant: str) -> pl.Expr:
    return (pl.col("station_id") == station_id) & (pl.col("pollutant") == pollutant)
