"""The steps of the pipeline at one moment, each recorded in the table `runs`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl
import structlog
from structlog.contextvars import bound_contextvars

from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.tables import Forecasts, Runs
from hazecast.errors import HazecastError, NoChampion, RegistryError
from hazecast.models import Model
from hazecast.models.climatology import Climatology
from hazecast.monitoring import Finding
from hazecast.steps import Progress, silent
from hazecast.steps.alert import AlertResult, alert
from hazecast.steps.backfill import backfill, outstanding_stretches
from hazecast.steps.background import archive_background
from hazecast.steps.check import Checked, check
from hazecast.steps.collect import Batch, collect, first_hour
from hazecast.steps.explain import explain
from hazecast.steps.forecast import BASELINE_VERSION, forecast, newest_version
from hazecast.steps.lock import only_one
from hazecast.steps.monitor import (
    MonitoringReport,
    check_data,
    check_model,
    check_sensors,
    count_verdicts,
    decide_replacement,
    decide_retraining,
    summary_of,
)
from hazecast.steps.ongoing import published
from hazecast.steps.record import Notes, recorded
from hazecast.steps.shadow import forecast_in_shadow
from hazecast.steps.shards import IssueInputs
from hazecast.steps.train import Candidate, train
from hazecast.steps.validate import ValidationResult, validate
from hazecast.steps.verify import VerificationResult, verify
from hazecast.wiring import Wiring, training_parameters

log = structlog.get_logger()

ShowStep = Callable[[str], AbstractContextManager[Progress]]
"""Displays one step by name while it runs and yields the function it reports progress to."""


@contextmanager
def hidden(_step: str) -> Iterator[Progress]:
    """A step without a progress display."""
    yield silent


class Pipeline:
    """Runs steps on the parts of one place as of one moment; each leaves a row in `runs`, also when it fails.

    Args:
        parts: store, source, registry and settings.
        show: displays each step.
        now: the moment to act at, UTC; None: the clock of the parts.
    """

    def __init__(self, parts: Wiring, *, show: ShowStep = hidden, now: datetime | None = None) -> None:
        self.parts = parts
        self._show, self._given_now = show, now

    @cached_property
    def now(self) -> datetime:
        """The moment all steps of this pipeline act at, UTC."""
        return self._given_now or self.parts.now()

    @property
    def _is_replayed(self) -> bool:
        """Whether the clock is not the real one."""
        return self._given_now is not None or self.parts.replayed_now is not None

    @property
    def is_issued(self) -> bool:
        """Whether this hour's forecast is in the archive already."""
        return self.parts.store.newest(Forecasts, "issued_at", until=self.now) == floor_hour(self.now)

    def collect(self, *, since: datetime | None = None) -> Batch:
        """Fetch new data; nothing is stored yet.

        At a live place, and from `since` on where it is given, history that is missing is fetched, checked and stored
        first, four weeks at a time.

        Raises:
            SourceError: the source did not deliver.
        """
        parts = self.parts
        if since is not None or parts.place is not None:
            self._backfill(since)
        with self._step("collect") as (notes, report):
            days = parts.settings.history_days
            batch = collect(parts.source, parts.store, now=self.now, history_days=days, progress=report)
            found = f"{batch.observations.height:,} observations since {batch.since:%Y-%m-%d %H:%M} UTC"
            notes.summary = "; ".join([found, *batch.complaints])
        return batch

    def check(self, batch: Batch) -> Checked:
        """Flag, report and store a batch.

        Raises:
            QualityError: the batch is unusable; its report is stored, its rows are not.
        """
        with self._step("check") as (notes, report):
            checked = check(batch, self.parts.store, now=self.now, progress=report)
            notes.summary = f"observations version {checked.observations_version}"
        self._archive_background()
        return checked

    def train(self, *, is_first: bool = False) -> Candidate:
        """Fit a candidate.

        Args:
            is_first: in seconds, for the first start (`steps.train`).

        Raises:
            TooLittleHistory: not enough to train on yet.
            AlreadyRunning: another process trains for this place.
        """
        settings = self.parts.settings
        with (
            self._step("train") as (notes, report),
            only_one("training", settings.home / "locks", settings.place_name),
            published("train", settings.home, settings.place_name, report) as publish,
        ):
            candidate = train(
                self.parts.store,
                now=self.now,
                validation_days=settings.validation_days,
                kind=settings.model,
                spec=self.parts.spec,
                config=self.parts.model_config,
                is_first=is_first,
                progress=publish,
            )
            notes.summary = f"trained until {candidate.judged_since:%Y-%m-%d %H:%M} UTC"
        return candidate

    def validate(self, candidate: Candidate) -> ValidationResult:
        """Validate a candidate, register it, and promote it if it passes the promotion test."""
        parts = self.parts
        home, place = parts.settings.home, parts.settings.place_name
        with self._step("validate") as (notes, report), published("validate", home, place, report) as publish:
            known = training_parameters(parts)
            verdict = validate(candidate, parts.registry, parts.store, now=self.now, parameters=known, progress=publish)
            notes.summary = f"version {verdict.version} {verdict.outcome}: {verdict.reason}"
            notes.model_version = verdict.version
        self._delete_old()
        return verdict

    def forecast(self) -> pl.DataFrame:
        """Issue a forecast with the champion, or with climatology if there is none.

        If the registry is unreachable, the cached champion forecasts. The challenger forecasts in shadow; an error of
        it does not affect the served forecast.
        """
        parts = self.parts
        with self._step("forecast") as (notes, report):
            forecaster, version = self._active_model()
            notes.model_version = version
            if forecaster.spec != parts.spec:
                own, wanted = forecaster.spec.horizon_hours, parts.spec.horizon_hours
                log.warning("the model has another horizon than the place; train again", model=own, place=wanted)
            inputs = IssueInputs(parts.store, forecaster, floor_hour(self.now))
            rows = forecast(
                parts.store, forecaster, model_version=version, now=self.now, inputs=inputs, progress=report
            )
            notes.summary = f"{rows.height:,} hours by model version {version}"
        try:
            explain(parts.store, forecaster, rows, inputs)
        except HazecastError as err:
            log.warning("drivers of the forecast are not available", reason=str(err))
        try:
            forecast_in_shadow(parts.store, parts.registry, now=self.now, inputs=inputs)
        except HazecastError as err:
            log.warning("the shadow forecast failed", reason=str(err))
        return rows

    def forecast_before(self) -> pl.DataFrame:
        """Issue the forecast of the hour before: the archive never changes, and this hour is for the full model."""
        return Pipeline(self.parts, show=self._show, now=self.now - HOUR).forecast()

    @property
    def has_first_models_only(self) -> bool:
        """Whether no full training has followed the quick one of the first start."""
        try:
            versions = self.parts.registry.versions()
        except RegistryError:
            return False
        return bool(versions) and all(version.notes.get("is_first") == "true" for version in versions)

    def verify(self) -> VerificationResult:
        """Score every issued forecast whose hours have been observed since."""
        with self._step("verify") as (notes, report):
            verified = verify(self.parts.store, progress=report)
            notes.summary = f"{verified.n_hours:,} hours scored"
        return verified

    def monitor(self) -> MonitoringReport:
        """Check the model and the data and decide whether to retrain; `verify` before."""
        self.check_model()
        self.check_data()
        return self.decide_retraining()

    def check_model(self) -> pl.DataFrame:
        """Check skill, coverage, the newest forecast and recent runs; `verify` before. Returns rows of Health."""
        parts = self.parts
        with self._step("model_health") as (notes, report):
            report("skill and coverage", 0.1)
            notes.model_version = self.champion_version
            health = check_model(
                parts.store,
                self.champion_version,
                sensors=self._sensors,
                now=self.now,
                stale_after_hours=parts.settings.stale_after_hours,
                spec=parts.spec,
                outdated=self.champion_problem(),
            )
            notes.summary = count_verdicts(health)
        return health

    def check_data(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Check sensors, stations, source and drift. Returns rows of Health and of Drift."""
        with self._step("data_drift") as (notes, report):
            report("sensors and drift", 0.1)
            health, drifts = check_data(self.parts.store, sensors=self._sensors, now=self.now)
            notes.summary = count_verdicts(health)
        return health, drifts

    def decide_retraining(self) -> MonitoringReport:
        """Decide from the verdicts stored for this moment whether to retrain, and store the decision."""
        cool_down = timedelta(hours=self.parts.settings.retrain_cooldown_hours)
        with self._step("retrain") as (notes, _):
            found = decide_retraining(self.parts.store, self.champion_version, now=self.now, cool_down=cool_down)
            notes.summary = summary_of(found)
        return found

    def champion_problem(self) -> str | None:
        """Why the champion cannot forecast here; None if it can, there is none, or the registry is unreachable."""
        try:
            return self.parts.registry.champion_problem()
        except RegistryError as err:
            log.warning("whether the champion can forecast here is not known", reason=str(err))
            return None

    def is_champion_replaced(self) -> bool:
        """Whether a champion that cannot forecast justifies a training now; the decision is stored."""
        problem, champion = self.champion_problem(), self.champion_version
        if problem is None or champion is None:
            return False
        cool_down = timedelta(hours=self.parts.settings.retrain_cooldown_hours)
        with self._step("retrain") as (notes, _):
            decision = decide_replacement(self.parts.store, champion, problem, now=self.now, cool_down=cool_down)
            notes.summary = "; ".join(decision.reasons)
        return decision.justified

    def alert(self) -> AlertResult:
        """Update incidents from the newest verdicts and forecast; notify the channels unless the clock is replayed."""
        parts = self.parts
        with self._step("alert") as (notes, report):
            result = alert(
                parts.store, parts.alert_rules, () if self._is_replayed else parts.alert_channels, now=self.now
            )
            notes.summary = f"{len(result.messages)} messages, {len(result.failed)} not delivered"
            report(notes.summary, 1.0)
        for channel, reason in result.failed.items():
            log.warning("an alert is still pending", channel=channel, reason=reason)
        return result

    def _active_model(self) -> tuple[Model, str]:
        """The model that forecasts, and its version."""
        registry = self.parts.registry
        try:
            return registry.champion()
        except NoChampion as err:
            log.warning("falling back to climatology", reason=str(err))
            return Climatology(floor_hour(self.now), self.parts.spec), BASELINE_VERSION
        except RegistryError as err:
            known = registry.champion_read_last()
            if known is None:
                raise
            log.warning("forecasting with the cached champion", version=known[1], reason=str(err))
            return known

    @cached_property
    def champion_version(self) -> str | None:
        """Version of the champion, read once; if the registry is unreachable, of the newest forecast."""
        store = self.parts.store
        try:
            with self._recorded("registry") as notes:
                version = self.parts.registry.champion_version()
                notes.summary, notes.model_version = f"champion: {version or 'none yet'}", version
        except RegistryError:
            return newest_version(store, now=self.now)
        return version

    @cached_property
    def _sensors(self) -> list[Finding]:
        """Findings about sensors, computed once for both checks."""
        return check_sensors(self.parts.store, now=self.now, clock_is_real=not self._is_replayed)

    def _backfill(self, since: datetime | None) -> None:
        parts, until = self.parts, floor_hour(self.now)
        days = parts.settings.history_days
        start = since or first_hour(parts.source, parts.store, until=until, history_days=days)
        stretches = outstanding_stretches(parts.store, since=start, now=self.now)
        if stretches:
            with self._step("backfill") as (notes, report):
                notes.summary = backfill(parts.source, parts.store, stretches, now=self.now, progress=report)

    def _delete_old(self) -> None:
        """Delete old model versions and rows of `runs`; a failure is logged, and the next training tries again."""
        parts = self.parts
        try:
            if deleted := parts.registry.prune(keep=parts.settings.keep_models):
                log.info("old model versions deleted", versions=deleted)
            parts.store.delete_before(Runs, "as_of", self.now - timedelta(days=parts.settings.keep_runs_days))
        except HazecastError as err:
            log.warning("old models or runs were not deleted", reason=str(err))

    def _archive_background(self) -> None:
        parts = self.parts
        if parts.backgrounds:
            with self._step("background") as (notes, report):
                notes.summary = archive_background(parts.backgrounds, parts.store, now=self.now, progress=report)

    @contextmanager
    def _step(self, name: str) -> Iterator[tuple[Notes, Progress]]:
        with self._show(name) as report, self._recorded(name) as notes:
            yield notes, report

    @contextmanager
    def _recorded(self, name: str) -> Iterator[Notes]:
        place = bound_contextvars(place=self.parts.settings.place_name)
        with place, recorded(name, self.parts.store, as_of=self.now) as notes:
            yield notes
