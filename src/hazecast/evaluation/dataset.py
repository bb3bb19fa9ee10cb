"""A dataset folder, read and checked: the input and the truth of a backtest."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from hazecast import quality
from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.distance import without_null_island
from hazecast.air.pollutants import POLLUTANTS
from hazecast.errors import UsageError
from hazecast.features import Panel, build_panel
from hazecast.sources import Source
from hazecast.sources.files import FilesSource
from hazecast.sources.files.containers import find_files
from hazecast.sources.files.options import FILE, TABLES
from hazecast.sources.simulated import SimulatedSource

_ALL_TIME = {"since": datetime(1900, 1, 1, tzinfo=UTC), "until": datetime(2200, 1, 1, tzinfo=UTC)}


@dataclass(frozen=True)
class Dataset:
    """The tables of one folder.

    Attributes:
        folder: its path.
        stations: `air.tables.Stations`.
        observations: `air.tables.Observations`, flagged by the quality rules.
        weather: `air.tables.Weather`, observed and forecast.
        since: first observed hour.
        until: end of the last observed hour.
        fingerprint: changes if a file changes.
    """

    folder: Path
    stations: pl.DataFrame
    observations: pl.DataFrame
    weather: pl.DataFrame
    since: datetime
    until: datetime
    fingerprint: str

    @cached_property
    def panel(self) -> Panel:
        """The tables as arrays, the input of the models."""
        return build_panel(self.observations, self.weather, self.stations)

    @property
    def timezone(self) -> str:
        """IANA time zone of the first station, used for the whole dataset."""
        return str(self.stations["timezone"][0])

    @property
    def pollutants(self) -> list[str]:
        """Pollutants with a valid observation, in the usual order."""
        observed = set(self.observations.filter(pl.col("flag") != "invalid")["pollutant"])
        return [pollutant for pollutant in POLLUTANTS if pollutant in observed]

    def moment(self, text: str, *, option: str) -> datetime:
        """The UTC hour of an ISO 8601 date or time; without a zone it is in the dataset's time zone.

        Raises:
            UsageError: not ISO 8601; the message names `option`.
        """
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as err:
            raise UsageError(
                f"{option} {text!r} is not a date or time such as 2016-03-01 or 2016-03-01T06:00Z"
            ) from err
        return floor_hour(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone)))


def read_dataset(folder: Path, *, ignore_columns: bool = False, aggregate: bool = False) -> Dataset:
    """Read and check the folder (layout: docs/data.md).

    Args:
        folder: its path.
        ignore_columns: leave out columns that are not understood instead of refusing them.
        aggregate: average values within an hour to the hour.

    Raises:
        SourceRefused: the folder does not exist, or a file in it is malformed.
    """
    source = FilesSource(folder, ignore_columns=ignore_columns, aggregate=aggregate)
    return _checked(source, folder, _fingerprint(folder), **_ALL_TIME)


def simulate_dataset(*, n_stations: int, since: datetime, until: datetime) -> Dataset:
    """Simulated air and weather of a fictitious city in [since, until), weather forecasts included."""
    fingerprint = f"simulated {n_stations} {since.isoformat()} {until.isoformat()}"
    return _checked(SimulatedSource(n_stations=n_stations), Path("simulated"), fingerprint, since=since, until=until)


def _checked(source: Source, folder: Path, fingerprint: str, *, since: datetime, until: datetime) -> Dataset:
    stations = without_null_island(source.fetch_stations())
    fetched = source.fetch_observations(since=since, until=until)
    hours = fetched["observed_at"].sort()
    end = hours[-1] + HOUR
    return Dataset(
        folder=folder,
        stations=stations,
        observations=quality.flag(fetched, recent=None, now=end, stations=stations).rows,
        weather=quality.check_weather(source.fetch_weather(since=since, until=until)).rows,
        since=hours[0],
        until=end,
        fingerprint=fingerprint,
    )


def _fingerprint(folder: Path) -> str:
    digest = blake2b(digest_size=8)
    options = [path for path in (folder / FILE,) if path.is_file()]
    for path in sorted([*options, *(path for stem in TABLES for path in find_files(folder, stem))]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
