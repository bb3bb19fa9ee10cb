"""Queries on the stored tables: the newest rows of each are cached in memory, older ones are read on request."""

import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import dataframely as dy
import polars as pl
import structlog

from hazecast.air.clock import floor_hour
from hazecast.air.indices import IndexResult
from hazecast.air.tables import (
    Background,
    DayForecasts,
    Drivers,
    Forecasts,
    Observations,
    Quality,
    Runs,
    Scores,
    Stations,
    Trajectories,
    Weather,
)
from hazecast.api.errors import NoTables
from hazecast.errors import StoreError
from hazecast.store import Store

# The newest rows are searched in these windows before the whole table is read.
_DAY_ORDER = ("scope", "station_id", "pollutant", "day", "statistic")
LOOKBACKS = (timedelta(days=3), timedelta(days=60))
VERSION_CHECK_SECONDS = 1.0
TABLES = (Stations, Observations, Weather, Forecasts, Quality, Scores, Runs)
SIMULATED = "simulated"

Value = TypeVar("Value")

log = structlog.get_logger()


@dataclass
class Provenance:
    """What a response was computed from; equal provenance of one request means equal content, except for ages.

    Attributes:
        versions: of the tables that were read, by name.
        values: what else determines the content: a status that follows the clock, a default span.
        is_held: whether rows were served that could not be compared with the stored ones.
    """

    versions: dict[str, str | None] = field(default_factory=dict)
    values: list[object] = field(default_factory=list)
    is_held: bool = False


# The provenance of the response that is being computed.
provenance: ContextVar[Provenance] = ContextVar("provenance")


def depends_on(*values: object) -> None:
    """Record values other than the stored tables that determine the content of the current response."""
    current = provenance.get(None)
    if current is not None:
        current.values += values


class ServedStore:
    """The stored tables as endpoints read them.

    A table that disappears while the API runs is an error, not an empty table: a disk was unmounted, or a folder
    removed. Versions that are read are recorded in the `provenance` of the response.

    Args:
        store: the tables.

    Raises (all methods):
        StoreError: a table is corrupt, unreachable or has disappeared.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._revisions: dict[str, tuple[int, str]] = {}

    def read(self, table: type[dy.Schema], where: pl.Expr | None = None) -> pl.DataFrame:
        """Rows of `table` matching `where`; an empty frame if nothing was ever stored."""
        self.record(table, self.revision(table))
        return self._store.read(table, where)

    def version(self, table: type[dy.Schema]) -> int | None:
        """Number of the newest commit of `table`; None if nothing was ever stored."""
        revision = self._read_revision(table)
        return None if revision is None else revision[0]

    def revision(self, table: type[dy.Schema]) -> str | None:
        """Identifies the stored content of `table`: the number and time of its newest commit."""
        revision = self._read_revision(table)
        return None if revision is None else f"{revision[0]} {revision[1]}"

    @staticmethod
    def record(table: type[dy.Schema], revision: str | None, *, is_held: bool = False) -> None:
        """Record in the provenance of the response that this revision of `table` was read."""
        current = provenance.get(None)
        if current is not None:
            current.versions[table.__name__] = revision
            current.is_held |= is_held

    def _read_revision(self, table: type[dy.Schema]) -> tuple[int, str] | None:
        name, version = table.__name__, self._store.version(table)
        known = self._revisions.get(name)
        if version is None:
            if known is not None:
                raise StoreError(f"{name.lower()}: the table has disappeared; its last version was {known[0]}")
            return None
        if known is None or known[0] != version:
            # The time tells a table that was restored from a backup from one that was written on.
            known = self._revisions[name] = (version, self._store.committed_at(table))
        return known


class IssuedForecasts:
    """Forecasts with one issue per series, sorted so that one series is one slice.

    Args:
        rows: rows of `air.tables.Forecasts` with one issued_at per (station_id, pollutant).

    Attributes:
        pollutants: the pollutants with a forecast, by station_id.
        issued_at: the latest issue; None: no rows.
        model_version: of the latest issue.
        index_by_hour: cache of index values by (station_id, index).
        means_before: cache of the means of the day before the issue by station_id and pollutant [µg/m³].
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows.sort("station_id", "pollutant", "valid_at")
        spans = self._rows.with_row_index().group_by("station_id", "pollutant").agg(pl.col("index").min(), pl.len())
        self._spans = {(station, pollutant): (first, n) for station, pollutant, first, n in spans.iter_rows()}
        self.index_by_hour: dict[tuple[str, str], Mapping[datetime, IndexResult]] = {}
        self.means_before: dict[str, Mapping[str, float]] = {}
        self.pollutants: dict[str, set[str]] = {}
        for station, pollutant in self._spans:
            self.pollutants.setdefault(station, set()).add(pollutant)
        latest = self._rows.sort("issued_at").tail(1)
        self.issued_at: datetime | None = latest["issued_at"].max()  # type: ignore[assignment]  # a time or None
        self.model_version: str | None = latest["model_version"].max()  # type: ignore[assignment]  # a text or None

    def series(self, station_id: str, pollutant: str) -> pl.DataFrame:
        """One series by valid_at; empty when there is none."""
        return self._rows.slice(*self._spans.get((station_id, pollutant), (0, 0)))

    def station(self, station_id: str) -> pl.DataFrame:
        """All pollutants of a station's newest issue, by pollutant and valid_at; empty when there is none."""
        rows = self._rows.filter(pl.col("station_id") == station_id)
        return rows.filter(pl.col("issued_at") == pl.col("issued_at").max())


@dataclass(frozen=True)
class Snapshot:
    """The newest rows of the tables, in brief.

    Attributes:
        n_stations: number of stations; 0: no table was ever stored.
        simulated: whether any station is simulated.
        newest_observed_at: newest hour of any series.
        issued_at: of the newest forecast.
        model_version: of the newest forecast.
        check: rows of the latest quality check.
        scores: the latest verification.
        versions: of the tables, by name; None: never stored.
        is_held: the tables cannot be read now; these are the rows read last.
    """

    n_stations: int
    simulated: bool
    newest_observed_at: datetime | None
    issued_at: datetime | None
    model_version: str | None
    check: pl.DataFrame
    scores: pl.DataFrame
    versions: Mapping[str, int | None]
    is_held: bool


class Repository:
    """Reads for the endpoints; thread-safe.

    Cached values are refreshed when their table has a new version (checked at most once a second) or the hour changes.

    Args:
        store: the tables.
        clock: returns the current time; forecasts and observations after it are ignored.

    Raises (all methods):
        StoreError: a table is corrupt or unreachable, or no table was ever stored.
    """

    def __init__(self, store: ServedStore, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._stations = CachedQuery(store, Stations, self._read_stations)
        self._forecasts = CachedQuery(store, Forecasts, self._read_newest_forecasts)
        self._observed = CachedQuery(store, Observations, self._read_newest_observed_at)
        self._quality = CachedQuery(store, Quality, self._read_newest_check)
        self._scores = CachedQuery(store, Scores, self._read_newest_scores)
        self._days = CachedQuery(store, DayForecasts, self._read_newest_days)
        self._queries = (self._stations, self._forecasts, self._observed, self._quality, self._scores, self._days)

    def stations(self) -> pl.DataFrame:
        """Every station, one row each, by station_id."""
        return self._stations.get(self._clock())

    def newest_forecasts(self) -> IssuedForecasts:
        """The newest forecast of every station and pollutant."""
        return self._forecasts.get(self._clock())

    def newest_observed_at(self) -> dict[tuple[str, str], datetime]:
        """`observed_at` of the newest observation of every (station_id, pollutant)."""
        return self._observed.get(self._clock())

    def newest_check(self) -> pl.DataFrame:
        """Rows of the latest quality check; empty when there was none."""
        return self._quality.get(self._clock())

    def newest_scores(self) -> pl.DataFrame:
        """The latest verification over all leads of every model and pollutant; empty when there was none."""
        return self._scores.get(self._clock())

    def archived_forecasts(self, issued_at: datetime, station_id: str | None = None) -> IssuedForecasts:
        """The forecasts issued then, of one station or of all."""
        where = pl.col("issued_at") == issued_at
        if station_id is not None:
            where &= pl.col("station_id") == station_id
        return IssuedForecasts(self._store.read(Forecasts, where))

    def issues(self, station_id: str, pollutant: str) -> pl.DataFrame:
        """`issued_at` and `model_version` of the archived forecasts of a series, newest first."""
        where = _is_series(station_id, pollutant) & (pl.col("issued_at") <= self._clock())
        rows = self._store.read(Forecasts, where & (pl.col("lead_hours") == 1))
        return rows.select("issued_at", "model_version").sort("issued_at", descending=True)

    def issue_times(self) -> list[datetime]:
        """Issue times of all series together, newest first."""
        first_hours = self._store.read(Forecasts, pl.col("lead_hours") == 1)
        return first_hours["issued_at"].unique().sort(descending=True).to_list()

    def observations(self, station_id: str, pollutant: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observations of hours that start in [since, until), by observed_at."""
        span = pl.col("observed_at").is_between(since, until, closed="left")
        return self._store.read(Observations, _is_series(station_id, pollutant) & span).sort("observed_at")

    def ok_observations(self, station_id: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observations of all pollutants flagged ok, of hours that start in [since, until) and available by `until`."""
        span = pl.col("observed_at").is_between(since, until, closed="left") & (pl.col("available_at") <= until)
        is_ok = (pl.col("station_id") == station_id) & (pl.col("flag") == "ok")
        return self._store.read(Observations, is_ok & span)

    def background(self, station_id: str, pollutant: str, *, since: datetime, until: datetime) -> pl.DataFrame:
        """The newest available run of every physics model, hours in [since, until), by source and valid_at."""
        span = pl.col("valid_at").is_between(since, until, closed="left") & (pl.col("available_at") <= self._clock())
        rows = self._store.read(Background, _is_series(station_id, pollutant) & span)
        newest = rows.filter(pl.col("issued_at") == pl.col("issued_at").max().over("source"))
        return newest.sort("source", "valid_at")

    def drivers(self, station_id: str, pollutant: str, issued_at: datetime) -> pl.DataFrame:
        """Drivers of the forecast issued then, by valid_at and driver."""
        rows = self._store.read(Drivers, _is_series(station_id, pollutant) & (pl.col("issued_at") == issued_at))
        return rows.sort("valid_at", "driver")

    def days(self, issued_at: datetime | None = None) -> pl.DataFrame:
        """The forecasts of days issued then, or the newest of every station, pollutant and the place.

        Sorted by scope, station_id, pollutant, day and statistic.
        """
        if issued_at is None:
            return self._days.get(self._clock())
        return self._store.read(DayForecasts, pl.col("issued_at") == issued_at).sort(*_DAY_ORDER)

    def trajectories(self, model_version: str) -> dict[str, Any] | None:
        """The row of `air.tables.Trajectories` of a model; None: it issued before members were kept."""
        rows = self._store.read(Trajectories, pl.col("model_version") == model_version)
        return None if rows.is_empty() else rows.row(0, named=True)

    def generation(self) -> tuple[tuple[int, bool], ...]:
        """A value that changes whenever a cached query was refreshed; refreshes outdated ones first.

        It never fails once something is cached.
        """
        return tuple(query.generation(self._clock()) for query in self._queries)

    def snapshot(self) -> Snapshot:
        """The newest rows of the tables, in brief."""
        try:
            sources = self.stations()["source"]
        except NoTables:
            sources = pl.Series(dtype=pl.String)
        issued = self.newest_forecasts()
        observed, check, scores = self.newest_observed_at(), self.newest_check(), self.newest_scores()
        return Snapshot(
            n_stations=len(sources),
            simulated=SIMULATED in sources,
            newest_observed_at=max(observed.values(), default=None),
            issued_at=issued.issued_at,
            model_version=issued.model_version,
            check=check,
            scores=scores,
            versions={table.__name__.lower(): self._store.version(table) for table in TABLES},
            is_held=any(query.is_held for query in self._queries),
        )

    def _read_stations(self, _: datetime) -> pl.DataFrame:
        if self._store.version(Stations) is None:
            raise NoTables(
                "There are no stored tables. Make them with `hazecast collect`, or check that their storage is mounted."
            )
        return self._store.read(Stations).sort("station_id")

    def _read_newest_forecasts(self, now: datetime) -> IssuedForecasts:
        is_first_hour = (pl.col("issued_at") <= now) & (pl.col("lead_hours") == 1)
        first_hours = self._read_recent(Forecasts, "issued_at", now=now, where=is_first_hour)
        newest = first_hours.group_by("station_id", "pollutant").agg(pl.col("issued_at").max())
        rows = self._store.read(Forecasts, pl.col("issued_at").is_in(newest["issued_at"].unique().to_list()))
        return IssuedForecasts(rows.join(newest, on=newest.columns, how="semi"))

    def _read_newest_days(self, now: datetime) -> pl.DataFrame:
        rows = self._read_recent(DayForecasts, "issued_at", now=now, where=pl.col("issued_at") <= now)
        series = ["scope", "station_id", "pollutant"]
        newest = rows.filter(pl.col("issued_at") == pl.col("issued_at").max().over(series))
        return newest.sort(*_DAY_ORDER)

    def _read_newest_observed_at(self, now: datetime) -> dict[tuple[str, str], datetime]:
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
        """Rows of the shortest lookback that has any, else of the whole table."""
        where = pl.lit(True) if where is None else where
        for lookback in LOOKBACKS:
            rows = self._store.read(table, where & (pl.col(when) >= now - lookback))
            if not rows.is_empty():
                return rows
        return self._store.read(table, where)


@dataclass
class CachedQuery(Generic[Value]):
    """A query on one table, repeated only when the table or the hour has changed.

    `is_held`: the last comparison with the stored table failed, so the cached result may be out of date.
    """

    store: ServedStore
    table: type[dy.Schema]
    query: Callable[[datetime], Value]
    _value: Value = field(init=False)
    _cached_for: tuple[str | None, datetime | None] = (None, None)
    _n_refreshes: int = 0
    is_held: bool = False
    _checked_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, now: datetime) -> Value:
        """The result as of `now`; the last one while the store is unreachable or another thread refreshes.

        Raises:
            StoreError: the store is unreachable and nothing is cached.
        """
        self._refresh_if_due(now)
        self.store.record(self.table, self._cached_for[0], is_held=self.is_held)
        return self._value

    def generation(self, now: datetime) -> tuple[int, bool]:
        """Number of refreshes so far, and whether the store is unreachable; a query never requested is not run."""
        if self._cached_for[1] is not None:
            self._refresh_if_due(now)
        return self._n_refreshes, self.is_held

    def _refresh_if_due(self, now: datetime) -> None:
        hour = floor_hour(now)
        if self._cached_for[1] == hour and time.monotonic() - self._checked_at <= VERSION_CHECK_SECONDS:
            return
        # Other threads wait for the refresh only if nothing is cached yet.
        if self._lock.acquire(blocking=self._cached_for[1] is None):
            try:
                self._refresh(now, hour)
                self._checked_at = time.monotonic()
            finally:
                self._lock.release()

    def _refresh(self, now: datetime, hour: datetime) -> None:
        try:
            wanted = (self.store.revision(self.table), hour)
            if wanted != self._cached_for:
                self._value = self.query(now)
                self._cached_for = wanted
                self._n_refreshes += 1
            self.is_held = False
        except StoreError as err:
            if self._cached_for[1] is None:
                raise
            if not self.is_held:
                log.warning("store unreachable, serving cached rows", table=self.table.__name__, reason=str(err))
            self.is_held = True


def _is_series(station_id: str, pollutant: str) -> pl.Expr:
    return (pl.col("station_id") == station_id) & (pl.col("pollutant") == pollutant)
