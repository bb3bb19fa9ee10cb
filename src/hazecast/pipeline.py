"""The steps in their order, at one moment: what the terminal, the Prefect tasks and the replay all call."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl
import structlog

from hazecast.air.clock import floor_hour
from hazecast.air.tables import Forecasts
from hazecast.errors import (
    AlreadyRunning,
    HazecastError,
    NoChampion,
    RegistryError,
    SourceUnavailable,
    TooLittleHistory,
)
from hazecast.models.forecaster import LIGHT, Forecaster
from hazecast.steps import Progress, silent
from hazecast.steps.alert import Alerted, alert
from hazecast.steps.backfill import backfill, outstanding_stretches
from hazecast.steps.background import archive_background
from hazecast.steps.check import Checked, check
from hazecast.steps.collect import Batch, collect, first_hour
from hazecast.steps.explain import explain
from hazecast.steps.forecast import BASELINE_VERSION, baseline_forecaster, forecast, newest_version
from hazecast.steps.lock import only_one
from hazecast.steps.monitor import MonitoringReport, monitor, summary_of
from hazecast.steps.record import Notes, recorded
from hazecast.steps.shadow import forecast_in_shadow
from hazecast.steps.train import Candidate, train
from hazecast.steps.validate import Verdict, validate
from hazecast.steps.verify import VerificationResult, verify
from hazecast.wiring import Wiring, training_parameters

log = structlog.get_logger()

Showing = Callable[[str], AbstractContextManager[Progress]]
"""Shows one step by name while it runs, and gives it something to report its progress to."""


@contextmanager
def unseen(_step: str) -> Iterator[Progress]:
    """A step that nobody watches."""
    yield silent


class Pipeline:
    """Runs steps on the parts of one place as of one moment; each leaves a row in `runs`, also when it fails.

    Args:
        parts: store, source, registry and settings.
        showing: how each step is shown.
        now: the moment to act at, UTC; None: the clock of the parts.
    """

    def __init__(self, parts: Wiring, *, showing: Showing = unseen, now: datetime | None = None) -> None:
        self.parts = parts
        self._showing, self._given_now = showing, now

    @cached_property
    def now(self) -> datetime:
        """The moment all steps of this pipeline act at, UTC."""
        return self._given_now or self.parts.now()

    @property
    def is_issued(self) -> bool:
        """Whether this hour's forecast is in the archive already; then there is nothing left to predict."""
        return self.parts.store.newest(Forecasts, "issued_at") == floor_hour(self.now)

    def collect(self, *, since: datetime | None = None) -> Batch:
        """Fetch what is new; nothing of it is stored yet.

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
            QualityError: the batch is worthless; the report is kept, nothing else was stored.
        """
        with self._step("check") as (notes, report):
            checked = check(batch, self.parts.store, now=self.now, progress=report)
            notes.summary = f"observations version {checked.observations_version}"
        self._archive_background()
        return checked

    def train(self) -> Candidate:
        """Fit a candidate.

        Raises:
            TooLittleHistory: not enough to train on yet.
            AlreadyRunning: another process trains for this place.
        """
        settings = self.parts.settings
        with self._step("train") as (notes, report), only_one("training", settings.home / "locks", settings.place_name):
            candidate = train(
                self.parts.store,
                now=self.now,
                validation_days=settings.validation_days,
                effort=LIGHT if settings.light_training else None,
                progress=report,
            )
            notes.summary = f"trained until {candidate.judged_since:%Y-%m-%d %H:%M} UTC"
        return candidate

    def validate(self, candidate: Candidate) -> Verdict:
        """Judge a candidate, register it, promote it if it earned it."""
        parts = self.parts
        with self._step("validate") as (notes, report):
            known = training_parameters(parts)
            verdict = validate(candidate, parts.registry, parts.store, now=self.now, parameters=known, progress=report)
            notes.summary = f"version {verdict.version} {verdict.outcome}: {verdict.reason}"
        return verdict

    def forecast(self) -> pl.DataFrame:
        """Issue the next 72 hours with the champion, or with the climatology while there is none.

        With the registry out of reach the champion that this machine read last goes on. The challenger forecasts in its
        shadow; whatever happens to it, the served forecast is out.
        """
        parts = self.parts
        with self._step("forecast") as (notes, report):
            forecaster, version = self._speaker()
            rows = forecast(parts.store, forecaster, model_version=version, now=self.now, progress=report)
            notes.summary = f"{rows.height:,} hours by model version {version}"
        try:
            explain(parts.store, forecaster, rows)
        except HazecastError as err:
            log.warning("what moved the forecast is not known", reason=str(err))
        try:
            forecast_in_shadow(parts.store, parts.registry, now=self.now)
        except HazecastError as err:
            log.warning("the challenger could not forecast", reason=str(err))
        return rows

    def verify(self) -> VerificationResult:
        """Score every issued forecast whose hours have been observed since."""
        with self._step("verify") as (notes, report):
            verified = verify(self.parts.store, progress=report)
            notes.summary = f"{verified.n_hours:,} hours scored"
        return verified

    def monitor(self) -> MonitoringReport:
        """Judge model, inputs, sensors and pipeline, and whether to train anew; `verify` before."""
        parts = self.parts
        with self._step("monitor") as (notes, report):
            found = monitor(
                parts.store,
                self._champion_version(),
                now=self.now,
                stale_after_hours=parts.settings.stale_after_hours,
                spec=parts.spec,
                cool_down=timedelta(hours=parts.settings.retrain_cooldown_hours),
                progress=report,
            )
            notes.summary = summary_of(found)
        return found

    def alert(self) -> Alerted:
        """Tell whom it concerns what the newest verdicts and forecast say; under a replayed clock nobody is told."""
        parts = self.parts
        is_replayed = self._given_now is not None or parts.replayed_now is not None
        with self._step("alert") as (notes, report):
            told = alert(parts.store, parts.alert_rules, () if is_replayed else parts.alert_channels, now=self.now)
            notes.summary = f"{len(told.messages)} messages, {len(told.failed)} not delivered"
            report(notes.summary, 1.0)
        for channel, reason in told.failed.items():
            log.warning("an alert is still owed", channel=channel, reason=reason)
        return told

    def training(self) -> Verdict:
        """Collect, check, train, validate."""
        self.check(self.collect())
        return self.validate(self.train())

    def prediction(self) -> pl.DataFrame:
        """Collect, check, forecast, alert; while the source is out of reach, forecast from the last good data."""
        try:
            batch = self.collect()
        except SourceUnavailable as err:
            log.warning("forecasting from what is stored", reason=str(err))
        else:
            self.check(batch)
        rows = self.forecast()
        self.alert()
        return rows

    def monitoring(self) -> MonitoringReport:
        """Verify, monitor, alert, and train anew where that is justified."""
        self.verify()
        report = self.monitor()
        self.alert()
        if report.retrain.justified:
            self._training_if_possible()
        return report

    def full(self) -> MonitoringReport:
        """Train, forecast, monitor; with too little history the climatology forecasts."""
        self._training_if_possible()
        self.forecast()
        return self.monitoring()

    def _speaker(self) -> tuple[Forecaster, str]:
        """Who forecasts, and its version."""
        registry = self.parts.registry
        try:
            return registry.champion()
        except NoChampion as err:
            log.warning("the climatology forecasts", reason=str(err))
            return baseline_forecaster(self.now), BASELINE_VERSION
        except RegistryError as err:
            known = registry.champion_read_last()
            if known is None:
                raise
            log.warning("forecasting with the champion read last", version=known[1], reason=str(err))
            return known

    def _champion_version(self) -> str | None:
        """Of the champion; with the registry out of reach, which is noted as a failure, of the newest forecast."""
        store = self.parts.store
        try:
            with recorded("registry", store, as_of=self.now) as notes:
                version = self.parts.registry.champion_version()
                notes.summary = f"champion: {version or 'none yet'}"
        except RegistryError:
            return newest_version(store)
        return version

    def _training_if_possible(self) -> None:
        try:
            self.training()
        except (TooLittleHistory, AlreadyRunning) as err:
            log.warning("not trained", reason=str(err))

    def _backfill(self, since: datetime | None) -> None:
        parts, until = self.parts, floor_hour(self.now)
        days = parts.settings.history_days
        start = since or first_hour(parts.source, parts.store, until=until, history_days=days)
        stretches = outstanding_stretches(parts.store, since=start, now=self.now)
        if stretches:
            with self._step("backfill") as (notes, report):
                notes.summary = backfill(parts.source, parts.store, stretches, now=self.now, progress=report)

    def _archive_background(self) -> None:
        parts = self.parts
        if parts.backgrounds:
            with self._step("background") as (notes, report):
                notes.summary = archive_background(parts.backgrounds, parts.store, now=self.now, progress=report)

    @contextmanager
    def _step(self, name: str) -> Iterator[tuple[Notes, Progress]]:
        with self._showing(name) as report, recorded(name, self.parts.store, as_of=self.now) as notes:
            yield notes, report
