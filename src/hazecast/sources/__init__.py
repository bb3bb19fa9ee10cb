"""Where observations and weather come from: one file per provider, one signature for all."""

from datetime import datetime
from typing import Protocol

import polars as pl


class Source(Protocol):
    """What every provider does, and nothing more.

    Frames follow `air.tables`: Stations, FetchedObservations, Weather. Times are UTC; [since, until) covers hours by
    their start. A missing value is an absent row (observations) or a null (weather); nothing is ever filled in.

    Raises (all methods):
        SourceUnavailable: not reachable now.
        SourceRefused: malformed or forbidden; the message names the remedy.
    """

    name: str
    simulated: bool

    def fetch_span(self) -> tuple[datetime, datetime] | None:
        """First hour and end of the last hour it can offer; None: any requested span up to now."""
        ...

    def fetch_stations(self) -> pl.DataFrame:
        """One row per station."""
        ...

    def fetch_observations(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Hourly means that start in [since, until)."""
        ...

    def fetch_weather(self, *, since: datetime, until: datetime) -> pl.DataFrame:
        """Observed weather of the hours in [since, until) and every forecast issued in it; empty where it has none."""
        ...


class BackgroundModel(Protocol):
    """A physics model that forecasts air quality itself; archived next to our forecasts and compared with them.

    Raises:
        SourceUnavailable: not reachable now.
        SourceRefused: malformed or forbidden; the message names the remedy.
    """

    @property
    def name(self) -> str:
        """Value of `source` in its rows."""
        ...

    @property
    def attribution(self) -> str:
        """The credit line, with the licence."""
        ...

    def fetch_background(self, stations: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
        """Rows of `air.tables.Background`: the newest run known at `now`, at the stations it covers, from its issue on.

        Empty where it covers none.
        """
        ...
