"""The inputs of one issue, read once for all that uses them, in groups of stations that bound memory.

A group comes with its neighbours (halo), and corrections are computed once for all groups, so the forecast of a station
is the same whatever the groups are. A network of one group is read once; larger ones are read again by each use.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from hazecast.air.tables import Forecasts, Observations, Stations
from hazecast.errors import TooLittleHistory
from hazecast.models import Model
from hazecast.models.base import Shardable
from hazecast.models.climatology import Climatology
from hazecast.models.days import PAST_HOURS
from hazecast.steps.inputs import Inputs, no_observations, read_inputs
from hazecast.store import Store

# The climatology, the fallback for stations without recent data, needs a year.
HISTORY_DAYS = 400
SHARD_STATIONS = 250
# Any series observed after an issue of this age is still among the days that are read.
_LONGEST_GAP_DAYS = 28
_SERIES = ["station_id", "pollutant"]


class IssueInputs:
    """The inputs of the forecasts of one issue.

    Args:
        store: of the place.
        model: the first model that uses them; its needs decide how far back is read.
        issued_at: hour of issue.
        shard_stations: stations read at once.
    """

    def __init__(
        self, store: Store, model: Model, issued_at: datetime, *, shard_stations: int = SHARD_STATIONS
    ) -> None:
        self.store, self.issued_at, self._shard_stations = store, issued_at, shard_stations
        self.is_recent = isinstance(model, Shardable) and self._earlier is not None
        self.days = model.history_days if self.is_recent and isinstance(model, Shardable) else HISTORY_DAYS
        self._weather_days = model.weather_days if isinstance(model, Shardable) else HISTORY_DAYS
        self._version = store.version(Observations)
        self._only: list[Inputs] | None = None

    def serves(self, model: Model) -> bool:
        """Whether they reach as far back as another model needs."""
        if not isinstance(model, Shardable):
            return min(self.days, self._weather_days) >= HISTORY_DAYS
        return model.history_days <= self.days and model.weather_days <= self._weather_days

    def shards(self) -> Iterator[Inputs]:
        """Group by group; groups without observations are left out.

        Raises:
            TooLittleHistory: nothing has been collected.
        """
        groups = self._groups
        if self._only is None and len(groups) <= 1:
            self._only = [self._read(None)]
        if self._only is not None:
            yield from self._only
            return
        n_read = 0
        for group in groups:
            try:
                inputs = self._read(group)
            except TooLittleHistory:
                continue
            n_read += 1
            yield inputs
        if n_read == 0:
            raise no_observations(self.store, self.issued_at - timedelta(days=self.days))

    def predict(self, model: Model) -> Iterator[tuple[pl.DataFrame, Inputs]]:
        """What a model forecasts (`Model.predict`), group by group, with what it was computed from.

        Series without recent observations are the climatology of the past year, as they are without groups.
        """
        corrections, predicted, observed = self._corrections(model), [], []
        for inputs in self.shards():
            if isinstance(model, Shardable):
                rows = model.predict(inputs.panel, self.issued_at, corrections=corrections)
            else:
                rows = model.predict(inputs.panel, self.issued_at)
            if self.is_recent:
                rows = rows.filter(pl.col("status") != "baseline")
                predicted.append(rows.select(_SERIES).unique())
                observed.append(inputs.observations.select(_SERIES).unique())
            yield rows, inputs
        if self._earlier is not None and isinstance(model, Shardable):
            known = pl.concat([self._earlier, *observed]).unique()
            yield from self._climatology(model, known.join(pl.concat(predicted), on=_SERIES, how="anti"))

    def observed_before(self) -> Inputs:
        """All stations with the observations of the last hours, for statistics of days and of the place."""
        if self._only is not None:
            return self._only[0]
        since = self.issued_at - timedelta(hours=PAST_HOURS + 1)
        return read_inputs(self.store, since=since, weather_since=self.issued_at, version=self._version)

    def _climatology(self, model: Shardable, silent: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, Inputs]]:
        """The climatology of the series that the model has not forecast."""
        stations = silent["station_id"].unique().sort().to_list()
        for group in _split(stations, self._shard_stations):
            year = self.issued_at - timedelta(days=HISTORY_DAYS)
            try:
                inputs = read_inputs(
                    self.store, since=year, weather_since=self.issued_at, stations=group, version=self._version
                )
            except TooLittleHistory:
                continue
            spec = model.spec  # type: ignore[attr-defined]  # every model has it
            rows = Climatology(self.issued_at, spec, config=model.config).predict(inputs.panel, self.issued_at)
            yield rows.join(silent, on=_SERIES, how="semi"), inputs

    @cached_property
    def _earlier(self) -> pl.DataFrame | None:
        """The series of the issue before; None: there is none recent enough to name every series of the past year."""
        before = self.store.newest(Forecasts, "issued_at", until=self.issued_at - timedelta(hours=1))
        if before is None or before < self.issued_at - timedelta(days=_LONGEST_GAP_DAYS):
            return None
        where = (pl.col("issued_at") == before) & (pl.col("lead_hours") == 1)
        return self.store.read(Forecasts, where).select(_SERIES).unique()

    @cached_property
    def _groups(self) -> list[list[str]]:
        return _split(self.store.read(Stations)["station_id"].sort().to_list(), self._shard_stations)

    def _read(self, stations: Sequence[str] | None) -> Inputs:
        since, weather_since = (self.issued_at - timedelta(days=days) for days in (self.days, self._weather_days))
        return read_inputs(
            self.store,
            since=since,
            weather_since=weather_since,
            stations=stations,
            halo=stations is not None,
            version=self._version,
        )

    def _corrections(self, model: Model) -> Any:
        """Of the whole network; None: from the panel, where there is one group."""
        if not isinstance(model, Shardable) or len(self._groups) <= 1:
            return None
        stations = model.corrected_by([station for group in self._groups for station in group])
        return model.corrections(self._read(stations).panel, self.issued_at)


def _split(stations: Sequence[str], size: int) -> list[list[str]]:
    return [list(stations[first : first + size]) for first in range(0, len(stations), size)]
