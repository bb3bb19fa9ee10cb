"""Backtest: replay a dataset's past as if every forecast had been issued then, and keep the forecasts in one file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import version
from itertools import count, groupby, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

import hazecast
from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import HORIZON_HOURS
from hazecast.errors import NotKnown, SettingsError, TooLittleHistory
from hazecast.evaluation.checkpoints import Workbench, read_facts, relative
from hazecast.evaluation.dataset import Dataset
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.models import Forecaster, fit
from hazecast.steps import Progress, silent
from hazecast.steps.train import MIN_HISTORY_DAYS

COLUMNS = ("station_id", "pollutant", "issued_at", "valid_at", "lead_hours", "mean", *QUANTILES, "status")
WEATHER_IN_WORDS = {
    FutureWeather.NONE: "No weather ahead: the forecasts know nothing of the weather after their issue.",
    FutureWeather.FORECAST: "Real weather forecasts, each used only once it was available.",
    FutureWeather.NOISY: (
        "Imitated weather forecasts: the weather that came true plus seeded errors of a realistic size. "
        "No real weather forecast was used."
    ),
    FutureWeather.OBSERVED: (
        "PERFECT PROG: the forecasts were given the weather that came true. This is an upper bound; no live forecast "
        "can be this good."
    ),
}
_ROOMS = ("air", "quality", "features", "models")
_CASES_PER_PART = 500


@dataclass(frozen=True)
class Period:
    """One training and the issue times it serves, none of them before `trained_until`; all UTC."""

    trained_until: datetime
    issues: tuple[datetime, ...]


def issue_times(since: datetime, until: datetime, *, every: timedelta, hour: int, timezone: str) -> list[datetime]:
    """Every issue in [since, until) by a clock on the wall, so that daylight saving does not move it.

    Args:
        since: the first issue is at or after it.
        until: issues stop before it.
        every: time between issues, as the clock shows it.
        hour: of the first issue, 0…23 by the clock of `timezone`.
        timezone: IANA name. Where its hours are not UTC hours, an issue moves back to the start of the UTC hour.

    Returns:
        Whole hours, UTC, in order; empty when there is none.
    """
    zone = ZoneInfo(timezone)
    first, last = floor_hour(since), floor_hour(until)
    today = datetime.combine(first.astimezone(zone).date(), time(hour))
    start = today if floor_hour(today.replace(tzinfo=zone)) >= first else today + timedelta(days=1)
    wall = (start + k * every for k in count())
    moments = (floor_hour(clock.replace(tzinfo=zone)) for clock in wall)
    return sorted(set(takewhile(lambda moment: moment < last, moments)))


def periods(issues: Sequence[datetime], *, train_until: datetime, retrain_every: timedelta | None) -> list[Period]:
    """Divide issues among trainings, each on everything up to its time (an expanding window).

    Args:
        issues: in order.
        train_until: end of the first training, not after the first issue.
        retrain_every: the next training comes this long after the first issue, and so on; None: trained once.

    Raises:
        ValueError: the first training would know what came after the first issue.
    """
    if issues and train_until > issues[0]:
        raise ValueError(f"trained until {train_until.isoformat()}, after the first issue {issues[0].isoformat()}")
    if retrain_every is None:
        return [Period(train_until, tuple(issues))] if issues else []
    grouped = groupby(issues, key=lambda issue: (issue - issues[0]) // retrain_every)
    return [Period(issues[0] + k * retrain_every if k else train_until, tuple(group)) for k, group in grouped]


@dataclass(frozen=True)
class Backtest:
    """What is replayed; times are whole hours, UTC.

    Attributes:
        train_until: no truth of a later hour teaches the first forecaster.
        since: issues start here.
        until: issues stop before.
        hour: of issue, by the dataset's clock.
        every: time between issues.
        horizon_hours: longest lead kept.
        weather: what the forecasts know of the weather ahead.
        pollutants: which to forecast; empty: all there are.
        retrain_every: time between trainings; None: trained once.
        unseen_groups: leave stations out: divide them into so many groups, and forecast each with a model that was
            trained without it; 0: every station is seen in training.
        seed: of the training.
    """

    train_until: datetime
    since: datetime
    until: datetime
    hour: int
    every: timedelta = timedelta(hours=24)
    horizon_hours: int = HORIZON_HOURS
    weather: FutureWeather = FutureWeather.NONE
    pollutants: tuple[str, ...] = ()
    retrain_every: timedelta | None = None
    unseen_groups: int = 0
    seed: int = 0


def run(
    backtest: Backtest, dataset: Dataset, out: Path, *, training: Progress = silent, issuing: Progress = silent
) -> dict[str, Any]:
    """Train, forecast every issue and write the file `out`; a killed run started again goes on where it was.

    Unfinished work lies beside `out` in a folder named after the arguments, the data and the code, so that different
    runs never mix. A finished run leaves only `out`; running it again changes nothing.

    Args:
        backtest: what to replay.
        dataset: in what.
        out: Parquet; one row per (station_id, pollutant, issued_at, valid_at): lead_hours [h], mean and q05 … q95
            [µg/m³], status.
        training: told how far the trainings are.
        issuing: told how far the issues are.

    Returns:
        The facts of the run, as they are kept in the file's metadata.

    Raises:
        SettingsError: the arguments contradict each other or the dataset, or `out` cannot be written.
        NotKnown: a pollutant the dataset does not have.
        TooLittleHistory: there is next to nothing to train on.
    """
    asked = _settled(backtest, dataset)
    if out.is_dir() or not out.parent.is_dir():
        raise SettingsError(f"--out {out}: give a file in a folder that exists")
    schedule = _schedule(asked, dataset)
    facts = _facts(asked, dataset, schedule, folder=out.parent)
    if read_facts(out).get("fingerprint") != facts["fingerprint"]:
        _Replay(asked, dataset, Workbench(out, facts["fingerprint"]), training, issuing).run(schedule, facts)
    return facts


def _settled(backtest: Backtest, dataset: Dataset) -> Backtest:
    """The same with its pollutants named, once nothing speaks against it."""
    for pollutant in backtest.pollutants:
        if pollutant not in dataset.pollutants:
            raise NotKnown("pollutant", pollutant, dataset.pollutants)
    asked = tuple(p for p in dataset.pollutants if p in (backtest.pollutants or dataset.pollutants))
    settled = replace(backtest, pollutants=asked)
    _refuse_contradictions(settled)
    _refuse_impossible(settled, dataset)
    if settled.unseen_groups and not 1 < settled.unseen_groups <= dataset.stations.height:
        raise SettingsError(f"--unseen-groups must lie between 2 and the {dataset.stations.height} stations")
    _refuse_missing_weather(settled.weather, dataset.weather["issued_at"])
    return settled


def _schedule(backtest: Backtest, dataset: Dataset) -> list[Period]:
    """The trainings and the issues each serves; an issue after the last observation has no truth and is left out."""
    until = min(backtest.until, dataset.until)
    issues = issue_times(backtest.since, until, every=backtest.every, hour=backtest.hour, timezone=dataset.timezone)
    if not issues:
        raise SettingsError(f"no day between --from and --to has an issue at {backtest.hour}:00 ({dataset.timezone})")
    return periods(issues, train_until=backtest.train_until, retrain_every=backtest.retrain_every)


@dataclass(frozen=True)
class _Turn:
    """One training and what it forecasts: the issues of a period, for the `unseen` stations or, if none, for all."""

    name: str
    period: Period
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class _Replay:
    """One run: what is asked, on which dataset, where its work lies, and who is told."""

    backtest: Backtest
    dataset: Dataset
    bench: Workbench
    training: Progress
    issuing: Progress

    @cached_property
    def panel(self) -> Panel:
        return build_panel(self.dataset.observations, self.dataset.weather, self.dataset.stations)

    def run(self, schedule: list[Period], facts: dict[str, Any]) -> None:
        parts: list[str] = []
        turns = self._turns(schedule)
        n_issues, done = sum(len(turn.period.issues) for turn in turns), 0
        for number, turn in enumerate(turns):
            chunks = self._chunks(turn)
            if not all(map(self.bench.has, chunks)):
                forecaster = self._forecaster(turn, number / len(turns), 1 / len(turns))
            for part, issues in chunks.items():
                self.issuing(f"issue {issues[0]:%Y-%m-%d}", done / n_issues)
                if not self.bench.has(part):
                    self.bench.put(part, self._forecast(forecaster, turn, issues))
                done += len(issues)
            parts += chunks
        self.bench.finish(parts, facts)
        self.training(f"{len(turns)} trained", 1.0)
        self.issuing(f"{n_issues} issues", 1.0)

    def _turns(self, schedule: list[Period]) -> list[_Turn]:
        stations = sorted(self.dataset.stations["station_id"])
        n = self.backtest.unseen_groups
        groups = [tuple(stations[k::n]) for k in range(n)] or [()]
        return [
            _Turn(f"{number:04d}-{k:02d}", period, group)
            for number, period in enumerate(schedule)
            for k, group in enumerate(groups)
        ]

    def _chunks(self, turn: _Turn) -> dict[str, list[datetime]]:
        """Issues by part: few enough to hold in memory, and to lose."""
        size = max(1, _CASES_PER_PART // self.dataset.stations.height)
        issues = turn.period.issues
        return {f"{turn.name}-{first:05d}": list(issues[first : first + size]) for first in range(0, len(issues), size)}

    def _forecaster(self, turn: _Turn, before: float, share: float) -> Forecaster:
        until = turn.period.trained_until

        def tell(line: str, done: float) -> None:
            self.training(f"until {until:%Y-%m-%d}: {line}", before + share * done)

        def learn() -> Forecaster:
            return fit(
                self._panel_without(turn.unseen),
                pollutants=self.backtest.pollutants,
                until=until,
                weather=self.backtest.weather,
                seed=self.backtest.seed,
                progress=tell,
            )

        return self.bench.model(f"model-{turn.name}", learn)

    def _panel_without(self, unseen: tuple[str, ...]) -> Panel:
        if not unseen:
            return self.panel
        data = self.dataset
        seen = data.observations.filter(~pl.col("station_id").is_in(unseen))
        return build_panel(seen, data.weather, data.stations)

    def _forecast(self, forecaster: Forecaster, turn: _Turn, issues: list[datetime]) -> pl.DataFrame:
        asked = pl.col("pollutant").is_in(self.backtest.pollutants)
        if turn.unseen:
            asked &= pl.col("station_id").is_in(turn.unseen)
        rows = forecaster.predict(self.panel, issues).filter(asked, pl.col("lead_hours") <= self.backtest.horizon_hours)
        return rows.select(COLUMNS).sort("issued_at", "pollutant", "station_id", "lead_hours")


def _refuse_contradictions(backtest: Backtest) -> None:
    since, until, learned = (f"{t:%Y-%m-%dT%H:%MZ}" for t in (backtest.since, backtest.until, backtest.train_until))
    if backtest.since >= backtest.until:
        raise SettingsError(f"--from {since} is not before --to {until}")
    if backtest.train_until > backtest.since:
        raise SettingsError(
            f"--train-until {learned} is after --from {since}: the model would be judged on hours it has learned from"
        )
    if not 1 <= backtest.horizon_hours <= HORIZON_HOURS:
        raise SettingsError(f"--horizon {backtest.horizon_hours} is not between 1 and {HORIZON_HOURS} hours")


def _refuse_impossible(backtest: Backtest, dataset: Dataset) -> None:
    span = f"the dataset has {dataset.since:%Y-%m-%dT%H:%MZ} to {dataset.until:%Y-%m-%dT%H:%MZ}"
    if not dataset.since <= backtest.since < dataset.until:
        raise SettingsError(f"--from {backtest.since:%Y-%m-%dT%H:%MZ} is outside the observations: {span}")
    past = dataset.observations.filter(
        pl.col("pollutant").is_in(backtest.pollutants), pl.col("observed_at") < backtest.train_until
    )
    first = past["observed_at"].min()
    if not isinstance(first, datetime) or backtest.train_until - first < timedelta(days=MIN_HISTORY_DAYS):
        raise TooLittleHistory(
            f"before --train-until {backtest.train_until:%Y-%m-%dT%H:%MZ} lie less than {MIN_HISTORY_DAYS} days of "
            f"{', '.join(backtest.pollutants)} to learn from; {span}"
        )


def _refuse_missing_weather(weather: FutureWeather, issued_at: pl.Series) -> None:
    if weather is FutureWeather.FORECAST and not issued_at.is_not_null().any():
        raise SettingsError("--weather forecast: the dataset has no weather forecasts; use none, noisy or observed")
    if weather in (FutureWeather.NOISY, FutureWeather.OBSERVED) and not issued_at.is_null().any():
        raise SettingsError(f"--weather {weather.value}: the dataset has no observed weather; use none")


def _facts(backtest: Backtest, dataset: Dataset, schedule: list[Period], *, folder: Path) -> dict[str, Any]:
    """What the file says of itself; the fingerprint is of all but where the data lay."""
    issues = [issue for period in schedule for issue in period.issues]
    retrain = backtest.retrain_every
    facts = {
        "dataset": dataset.folder.resolve().name,
        "dataset_fingerprint": dataset.fingerprint,
        "weather": backtest.weather.value,
        "weather_in_words": WEATHER_IN_WORDS[backtest.weather],
        "perfect_prog": backtest.weather is FutureWeather.OBSERVED,
        "trained_until": [period.trained_until.isoformat() for period in schedule],
        "first_issue": issues[0].isoformat(),
        "last_issue": issues[-1].isoformat(),
        "n_issues": len(issues),
        "every_hours": backtest.every / HOUR,
        "retrain_every_hours": retrain / HOUR if retrain else None,
        "horizon_hours": backtest.horizon_hours,
        "timezone": dataset.timezone,
        "pollutants": list(backtest.pollutants),
        "unseen_groups": backtest.unseen_groups,
        "seed": backtest.seed,
        "code": _code_fingerprint(),
        "hazecast": hazecast.__version__,
    }
    fingerprint = blake2b(json.dumps(facts).encode(), digest_size=6).hexdigest()
    return {**facts, "fingerprint": fingerprint, "data": relative(dataset.folder, to=folder)}


def _code_fingerprint() -> str:
    """Of all that shapes a forecast: our rooms up to the models, and the libraries that compute."""
    root = Path(hazecast.__file__).parent
    digest = blake2b(digest_size=6)
    for path in sorted(path for room in _ROOMS for path in (root / room).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    digest.update("".join(version(library) for library in ("lightgbm", "numpy", "polars")).encode())
    return digest.hexdigest()
