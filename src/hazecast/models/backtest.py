"""The past, replayed: train on what was known, forecast what came next, move on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast.features import FutureWeather, Panel
from hazecast.models.forecaster import Forecaster, fit


@dataclass(frozen=True)
class Replay:
    """What a backtest covers.

    Attributes:
        since: first issue time, UTC; also the first training's end.
        until: issues stop before.
        every: time between issues.
        retrain_every: time between trainings; None: trained once, at `since`.
    """

    since: datetime
    until: datetime
    every: timedelta = timedelta(hours=24)
    retrain_every: timedelta | None = None


def rolling_origin(
    panel: Panel, *, pollutants: Sequence[str], weather: FutureWeather, replay: Replay, seed: int = 0
) -> Iterator[tuple[Forecaster, pl.DataFrame]]:
    """One (forecaster, its forecasts) per training period, in order of time.

    Each forecaster is trained on what was available at the start of its period and forecasts only issues within it.
    """
    start = replay.since
    while start < replay.until:
        end = min(replay.until, start + replay.retrain_every) if replay.retrain_every else replay.until
        forecaster = fit(panel, pollutants=pollutants, until=start, weather=weather, seed=seed)
        yield forecaster, forecaster.predict(panel, _issues(start, end, replay.every))
        start = end


def _issues(start: datetime, end: datetime, every: timedelta) -> list[datetime]:
    count = -((start - end) // every)
    return [start + k * every for k in range(count)]
