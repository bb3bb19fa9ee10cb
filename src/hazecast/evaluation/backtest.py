"""Backtest: forecast the past of a dataset as if every forecast had been issued then, and write them to one file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from hashlib import blake2b
from importlib.metadata import version
from itertools import count, groupby, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

import hazecast
from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.spec import DEFAULT_HORIZON_HOURS, HORIZONS_HOURS, MAX_HORIZON_HOURS, QUANTILES, ForecastSpec
from hazecast.errors import NotKnown, TooLittleHistory, UsageError
from hazecast.evaluation.checkpoints import Checkpoints, read_metadata, relative
from hazecast.evaluation.dataset import Dataset
from hazecast.evaluation.days import day_limits
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.models import DEFAULT_KIND, Model, ModelConfig, model_class
from hazecast.models.base import days_of
from hazecast.models.days import distributions, exceedance
from hazecast.steps import Progress, silent
from hazecast.steps.train import MIN_HISTORY_DAYS

COLUMNS = ("station_id", "pollutant", "issued_at", "valid_at", "lead_hours", "mean", *QUANTILES, "status")
WEATHER_DESCRIPTIONS = {
    FutureWeather.NONE: "No weather ahead: the forecasts use no weather after their issue.",
    FutureWeather.FORECAST: "Real weather forecasts, each used only after it became available.",
    FutureWeather.NOISY: (
        "Imitated weather forecasts: the observed weather plus seeded errors of a realistic size. "
        "No real weather forecast was used."
    ),
    FutureWeather.OBSERVED: (
        "PERFECT PROG: the forecasts used the observed weather after their issue. This is an upper bound; no live "
        "forecast can be this good."
    ),
}
# The packages whose code shapes a forecast.
_MODEL_PACKAGES = ("air", "quality", "features", "models")
_CASES_PER_PART = 500
DAY_KEY = ("station_id", "pollutant", "issued_at", "day", "statistic", "n_hours")
DAY_COLUMNS = (*DAY_KEY, "mean", *QUANTILES, "limit_key", "limit_ugm3", "p_exceed")
_DAYS = "days-"  # parts with day statistics


@dataclass(frozen=True)
class Period:
    """One training and the issues forecast with it, none of them before `trained_until`; all UTC."""

    trained_until: datetime
    issues: tuple[datetime, ...]


def issue_times(since: datetime, until: datetime, *, every: timedelta, hour: int, timezone: str) -> list[datetime]:
    """Every issue in [since, until) at the same local time of day, also across daylight-saving changes.

    Args:
        since: the first issue is at or after it.
        until: issues stop before it.
        every: time between issues in local time.
        hour: of the first issue, 0…23 in `timezone`.
        timezone: IANA name. Where its hours are not UTC hours, an issue moves back to the start of the UTC hour.

    Returns:
        Whole hours, UTC, in order; empty if there is none.
    """
    zone = ZoneInfo(timezone)
    first, last = floor_hour(since), floor_hour(until)
    today = datetime.combine(first.astimezone(zone).date(), time(hour))
    start = today if floor_hour(today.replace(tzinfo=zone)) >= first else today + timedelta(days=1)
    local_times = (start + k * every for k in count())
    issues = (floor_hour(local.replace(tzinfo=zone)) for local in local_times)
    return sorted(set(takewhile(lambda issue: issue < last, issues)))


def periods(issues: Sequence[datetime], *, train_until: datetime, retrain_every: timedelta | None) -> list[Period]:
    """Divide the issues among trainings, each on all data up to its time (an expanding window).

    Args:
        issues: in order.
        train_until: end of the first training, not after the first issue.
        retrain_every: time from the first issue to the next training, and between trainings; None: trained once.

    Raises:
        ValueError: the first training would use data after the first issue.
    """
    if issues and train_until > issues[0]:
        raise ValueError(f"trained until {train_until.isoformat()}, after the first issue {issues[0].isoformat()}")
    if retrain_every is None:
        return [Period(train_until, tuple(issues))] if issues else []
    grouped = groupby(issues, key=lambda issue: (issue - issues[0]) // retrain_every)
    return [Period(issues[0] + k * retrain_every if k else train_until, tuple(group)) for k, group in grouped]


@dataclass(frozen=True)
class Backtest:
    """The arguments of a backtest; times are whole hours, UTC.

    Attributes:
        train_until: end of the training data of the first forecaster.
        since: the first issue is at or after it.
        until: issues stop before it.
        hour: of issue, in the dataset's time zone.
        every: time between issues.
        horizon_hours: longest lead kept.
        weather: which weather after the issue the forecasts use.
        pollutants: to forecast; empty: all in the dataset.
        retrain_every: time between trainings; None: trained once.
        unseen_groups: leave stations out: divide them into this many groups, and forecast each with a model that was
            trained without it; 0: every station is in the training.
        thresholds: by pollutant [µg/m³]; the probability that each day statistic is above them is forecast too.
        with_days: forecast day statistics too.
        seed: of the training.
        kind: of the model.
        config: its hyper-parameters.
    """

    train_until: datetime
    since: datetime
    until: datetime
    hour: int
    every: timedelta = timedelta(hours=24)
    horizon_hours: int = DEFAULT_HORIZON_HOURS
    weather: FutureWeather = FutureWeather.NONE
    pollutants: tuple[str, ...] = ()
    retrain_every: timedelta | None = None
    unseen_groups: int = 0
    thresholds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    with_days: bool = False
    seed: int = 0
    kind: str = DEFAULT_KIND
    config: ModelConfig = field(default_factory=ModelConfig)

    @property
    def spec(self) -> ForecastSpec:
        """The shortest supported horizon that covers `horizon_hours`; the model is trained for it."""
        return ForecastSpec(min(hours for hours in HORIZONS_HOURS if hours >= self.horizon_hours))


def run(
    backtest: Backtest,
    dataset: Dataset,
    out: Path,
    *,
    days_out: Path | None = None,
    training: Progress = silent,
    issuing: Progress = silent,
) -> dict[str, Any]:
    """Train, forecast every issue and write the file `out`. An interrupted run resumes where it stopped.

    Checkpoints are next to `out`, in a folder named after the arguments, the data and the code, so that different runs
    never mix. A finished run leaves only `out`; running it again changes nothing.

    Args:
        backtest: the arguments.
        dataset: the tables.
        out: Parquet; one row per (station_id, pollutant, issued_at, valid_at): lead_hours [h], mean and q05 … q95
            [µg/m³], status.
        days_out: Parquet with DAY_COLUMNS; one row per station, pollutant, issue, statistic of a local day and limit:
            the limits written for the statistic (`limit_key`) and the thresholds ("threshold"); null without.
        training: receives the progress of the trainings.
        issuing: receives the progress of the issues.

    Returns:
        The metadata of the run, as stored in the file.

    Raises:
        UsageError: the arguments contradict each other or the dataset, or `out` cannot be written.
        NotKnown: a pollutant that is not in the dataset.
        TooLittleHistory: the training data are too short.
    """
    backtest = _validated(replace(backtest, with_days=days_out is not None), dataset)
    for option, file in (("--out", out), ("--days-out", days_out)):
        if file and (file.is_dir() or not file.parent.is_dir()):
            raise UsageError(f"{option} {file}: the folder of the file must exist")
    schedule = _schedule(backtest, dataset)
    metadata = _metadata(backtest, dataset, schedule, folder=out.parent)
    fingerprint = metadata["fingerprint"]
    if any(read_metadata(file).get("fingerprint") != fingerprint for file in (out, days_out) if file):
        _Run(backtest, dataset, Checkpoints(out, fingerprint), training, issuing).run(schedule, metadata, days_out)
    return metadata


def _validated(backtest: Backtest, dataset: Dataset) -> Backtest:
    """The same with its pollutants listed, if it fits the dataset."""
    for pollutant in (*backtest.pollutants, *backtest.thresholds):
        if pollutant not in dataset.pollutants:
            raise NotKnown("pollutant", pollutant, dataset.pollutants)
    selected = backtest.pollutants or dataset.pollutants
    backtest = replace(backtest, pollutants=tuple(name for name in dataset.pollutants if name in selected))
    _require_consistent(backtest)
    _require_history(backtest, dataset)
    if backtest.unseen_groups and not 1 < backtest.unseen_groups <= dataset.stations.height:
        raise UsageError(f"--unseen-groups must be between 2 and the {dataset.stations.height} stations")
    require_weather(backtest.weather, dataset.weather["issued_at"])
    return backtest


def _schedule(backtest: Backtest, dataset: Dataset) -> list[Period]:
    """The trainings with their issues, without issues after the last observation, which cannot be verified."""
    until = min(backtest.until, dataset.until)
    issues = issue_times(backtest.since, until, every=backtest.every, hour=backtest.hour, timezone=dataset.timezone)
    if not issues:
        raise UsageError(f"no day between --from and --to has an issue at {backtest.hour}:00 ({dataset.timezone})")
    return periods(issues, train_until=backtest.train_until, retrain_every=backtest.retrain_every)


@dataclass(frozen=True)
class _Fold:
    """One training and its forecasts: the issues of a period, for the `unseen` stations or, if empty, for all."""

    name: str
    period: Period
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class _Run:
    """One run: its arguments, dataset, checkpoints and progress."""

    backtest: Backtest
    dataset: Dataset
    checkpoints: Checkpoints
    training: Progress
    issuing: Progress

    def run(self, schedule: list[Period], metadata: dict[str, Any], days_out: Path | None) -> None:
        parts: list[str] = []
        folds = self._folds(schedule)
        n_issues, done = sum(len(fold.period.issues) for fold in folds), 0
        for number, fold in enumerate(folds):
            chunks = self._chunks(fold)
            if not all(map(self.checkpoints.has, chunks)):
                forecaster = self._forecaster(fold, number / len(folds), 1 / len(folds))
            for part, issues in chunks.items():
                self.issuing(f"issue {issues[0]:%Y-%m-%d}", done / n_issues)
                if not self.checkpoints.has(part):
                    rows = self._forecast(forecaster, fold, issues)
                    if days_out:
                        self.checkpoints.put(_DAYS + part, self._days(forecaster, rows))
                    self.checkpoints.put(part, rows)
                done += len(issues)
            parts += chunks
        outs = {self.checkpoints.out: parts} | ({days_out: [_DAYS + part for part in parts]} if days_out else {})
        self.checkpoints.finish(outs, metadata)
        self.training(f"{len(folds)} trained", 1.0)
        self.issuing(f"{n_issues} issues", 1.0)

    def _folds(self, schedule: list[Period]) -> list[_Fold]:
        stations = sorted(self.dataset.stations["station_id"])
        n = self.backtest.unseen_groups
        groups = [tuple(stations[k::n]) for k in range(n)] or [()]
        return [
            _Fold(f"{number:04d}-{k:02d}", period, group)
            for number, period in enumerate(schedule)
            for k, group in enumerate(groups)
        ]

    def _chunks(self, fold: _Fold) -> dict[str, list[datetime]]:
        """Issues by part: few enough to fit in memory, and to be computed again after an interruption."""
        size = max(1, _CASES_PER_PART // self.dataset.stations.height)
        issues = fold.period.issues
        return {f"{fold.name}-{first:05d}": list(issues[first : first + size]) for first in range(0, len(issues), size)}

    def _forecaster(self, fold: _Fold, done_before: float, share: float) -> Model:
        until = fold.period.trained_until

        def report(line: str, done: float) -> None:
            self.training(f"until {until:%Y-%m-%d}: {line}", done_before + share * done)

        def train() -> Model:
            return model_class(self.backtest.kind).fit(
                self._panel_without(fold.unseen),
                pollutants=self.backtest.pollutants,
                until=until,
                weather=self.backtest.weather,
                spec=self.backtest.spec,
                config=self.backtest.config,
                seed=self.backtest.seed,
                progress=report,
            )

        return self.checkpoints.model(f"model-{fold.name}", train)

    def _panel_without(self, unseen: tuple[str, ...]) -> Panel:
        if not unseen:
            return self.dataset.panel
        data = self.dataset
        seen = data.observations.filter(~pl.col("station_id").is_in(unseen))
        return build_panel(seen, data.weather, data.stations)

    def _forecast(self, forecaster: Model, fold: _Fold, issues: list[datetime]) -> pl.DataFrame:
        selected = pl.col("pollutant").is_in(self.backtest.pollutants)
        if fold.unseen:
            selected &= pl.col("station_id").is_in(fold.unseen)
        rows = forecaster.predict(self.dataset.panel, issues).filter(
            selected, pl.col("lead_hours") <= self.backtest.horizon_hours
        )
        return rows.select(COLUMNS).sort("issued_at", "pollutant", "station_id", "lead_hours")

    def _days(self, forecaster: Model, rows: pl.DataFrame) -> pl.DataFrame:
        """Day statistics of every issue of `rows`, with one row per limit and threshold."""
        frames = []
        for issue in rows.partition_by("issued_at", maintain_order=True):
            found = days_of(forecaster).members(issue, self.dataset.panel).of_stations()
            limits = day_limits(self.backtest.thresholds)
            distribution = distributions(found).with_row_index("row")
            long = distribution.join(limits, on=["pollutant", "statistic"], how="left", maintain_order="left")
            p = exceedance(found[long["row"].to_numpy()], long["limit_ugm3"].to_numpy())
            frames.append(long.with_columns(p_exceed=pl.Series(p).fill_nan(None)).select(DAY_COLUMNS))
        return pl.concat(frames).sort("issued_at", "pollutant", "station_id", "day", "statistic", maintain_order=True)


def _require_consistent(backtest: Backtest) -> None:
    since, until, train_until = (f"{t:%Y-%m-%dT%H:%MZ}" for t in (backtest.since, backtest.until, backtest.train_until))
    if backtest.since >= backtest.until:
        raise UsageError(f"--from {since} is not before --to {until}")
    if backtest.train_until > backtest.since:
        raise UsageError(
            f"--train-until {train_until} is after --from {since}: the model would be verified on its own training data"
        )
    if not 1 <= backtest.horizon_hours <= MAX_HORIZON_HOURS:
        raise UsageError(f"--horizon {backtest.horizon_hours} is not between 1 and {MAX_HORIZON_HOURS} hours")


def _require_history(backtest: Backtest, dataset: Dataset) -> None:
    span = f"the dataset has {dataset.since:%Y-%m-%dT%H:%MZ} to {dataset.until:%Y-%m-%dT%H:%MZ}"
    if not dataset.since <= backtest.since < dataset.until:
        raise UsageError(f"--from {backtest.since:%Y-%m-%dT%H:%MZ} is outside the observations: {span}")
    past = dataset.observations.filter(
        pl.col("pollutant").is_in(backtest.pollutants), pl.col("observed_at") < backtest.train_until
    )
    first = past["observed_at"].min()
    if not isinstance(first, datetime) or backtest.train_until - first < timedelta(days=MIN_HISTORY_DAYS):
        raise TooLittleHistory(
            f"the training data before --train-until {backtest.train_until:%Y-%m-%dT%H:%MZ} have less than "
            f"{MIN_HISTORY_DAYS} days of {', '.join(backtest.pollutants)}; {span}"
        )


def require_weather(weather: FutureWeather, issued_at: pl.Series) -> None:
    """Raise unless the dataset has the weather that these forecasts need.

    Args:
        weather: ahead.
        issued_at: of the dataset's weather; null where it was observed.

    Raises:
        UsageError: it has not.
    """
    if weather is FutureWeather.FORECAST and not issued_at.is_not_null().any():
        raise UsageError("--weather forecast: the dataset has no weather forecasts; use none, noisy or observed")
    if weather in (FutureWeather.NOISY, FutureWeather.OBSERVED) and not issued_at.is_null().any():
        raise UsageError(f"--weather {weather.value}: the dataset has no observed weather; use none")


def _metadata(backtest: Backtest, dataset: Dataset, schedule: list[Period], *, folder: Path) -> dict[str, Any]:
    """The metadata of the file; the fingerprint covers all but the location of the data."""
    issues = [issue for period in schedule for issue in period.issues]
    retrain = backtest.retrain_every
    metadata = {
        "dataset": dataset.folder.resolve().name,
        "dataset_fingerprint": dataset.fingerprint,
        "weather": backtest.weather.value,
        "weather_in_words": WEATHER_DESCRIPTIONS[backtest.weather],
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
        "thresholds": dict(backtest.thresholds),
        "with_days": backtest.with_days,
        "seed": backtest.seed,
        "kind": backtest.kind,
        "model_parameters": backtest.config.parameters,
        "code": _code_fingerprint(),
        "hazecast": hazecast.__version__,
    }
    fingerprint = blake2b(json.dumps(metadata).encode(), digest_size=6).hexdigest()
    return {**metadata, "fingerprint": fingerprint, "data": relative(dataset.folder, to=folder)}


def _code_fingerprint() -> str:
    """Of the code that shapes a forecast: the packages up to the models, and the numerical libraries."""
    root = Path(hazecast.__file__).parent
    digest = blake2b(digest_size=6)
    for path in sorted(path for package in _MODEL_PACKAGES for path in (root / package).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    digest.update("".join(version(library) for library in ("lightgbm", "numpy", "polars")).encode())
    return digest.hexdigest()
