"""Simulated faults of instruments and data transfer: one small class per fault.

A fault distorts the readings of its station and pollutant in [since, until); None means every station or pollutant.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from hazecast.air.arrays import Floats
from hazecast.air.pollutants import Pollutant
from hazecast.sources.simulated.noise import Hours, uniform

_HOUR_S = 3600


@dataclass(frozen=True)
class Series:
    """Readings [µg/m³] of one instrument.

    `since_hours` is the time of each since the fault began [h], `hour_of_day` its hour 0…23 UTC; `key` selects the
    stream of draws.
    """

    readings: Floats
    since_hours: Hours
    hour_of_day: Hours
    key: int


@dataclass(frozen=True, kw_only=True)
class Fault(ABC):
    """Where and when.

    Args:
        station_id: the station hit, None for all.
        pollutant: the pollutant hit, None for all.
        since: first hour hit, UTC.
        until: first hour no longer hit.
    """

    station_id: str | None = None
    pollutant: Pollutant | None = None
    since: datetime
    until: datetime

    def affects(self, station_id: str, pollutant: str) -> bool:
        """Whether this series is affected."""
        return self.station_id in (None, station_id) and self.pollutant in (None, pollutant)

    def apply(self, readings: Floats, hours: Hours, *, key: int) -> Floats:
        """`readings` [µg/m³] of one series at `hours`, distorted in [since, until); NaN where nothing arrives."""
        first, end = int(self.since.timestamp()) // _HOUR_S, int(self.until.timestamp()) // _HOUR_S
        affected = (hours >= first) & (hours < end)
        return np.where(affected, self._distort(Series(readings, hours - first, hours % 24, key)), readings)

    @abstractmethod
    def _distort(self, series: Series) -> Floats:
        """What is read instead."""


@dataclass(frozen=True, kw_only=True)
class Gap(Fault):
    """One instrument delivers nothing."""

    def _distort(self, series: Series) -> Floats:
        return np.full_like(series.readings, np.nan)


@dataclass(frozen=True, kw_only=True)
class Outage(Gap):
    """A whole station, or without `station_id` the whole network, delivers nothing."""


@dataclass(frozen=True, kw_only=True)
class Flatline(Fault):
    """The instrument repeats one number [µg/m³]."""

    stuck_at_ugm3: float

    def _distort(self, series: Series) -> Floats:
        return np.full_like(series.readings, self.stuck_at_ugm3)


@dataclass(frozen=True, kw_only=True)
class Spikes(Fault):
    """Single hours jump: a `share` of the hours reads `height_ugm3` too much."""

    height_ugm3: float = 300.0
    share: float = 0.02

    def _distort(self, series: Series) -> Floats:
        return series.readings + self.height_ugm3 * (uniform(series.key, series.since_hours) < self.share)


@dataclass(frozen=True, kw_only=True)
class SensorDrift(Fault):
    """The zero point creeps away by `per_day_ugm3` each day."""

    per_day_ugm3: float

    def _distort(self, series: Series) -> Floats:
        return series.readings + self.per_day_ugm3 * series.since_hours / 24.0


@dataclass(frozen=True, kw_only=True)
class UnitMistake(Fault):
    """The provider sends another unit under the old name: readings times `factor` (mg/m³ for µg/m³ is 0.001)."""

    factor: float = 0.001

    def _distort(self, series: Series) -> Floats:
        return series.readings * self.factor


@dataclass(frozen=True, kw_only=True)
class RegimeChange(Fault):
    """The air itself changes for good: true concentrations times `factor`.

    Without `hours` at all times, as by a new road or a ban. With `hours`, the first and last hour of the day (UTC),
    only then, as by a plant that runs at night; `hours` may pass midnight.
    """

    factor: float
    hours: tuple[int, int] | None = None

    def _distort(self, series: Series) -> Floats:
        if self.hours is None:
            return series.readings * self.factor
        first, last = self.hours
        active = (series.hour_of_day - first) % 24 <= (last - first) % 24
        return np.where(active, series.readings * self.factor, series.readings)
