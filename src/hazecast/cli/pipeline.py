"""The steps in their order, with a progress bar each and a row in `runs` for each."""

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hazecast.errors import NoChampion, TooLittleHistory
from hazecast.steps import Progress as Report
from hazecast.steps.check import check
from hazecast.steps.collect import collect
from hazecast.steps.forecast import BASELINE_VERSION, baseline_forecaster, forecast
from hazecast.steps.record import Notes, recorded
from hazecast.steps.train import train
from hazecast.steps.validate import validate
from hazecast.wiring import Wiring, training_parameters


class Pipeline:
    """Runs steps on one terminal.

    Args:
        wiring: the parts.
        console: where the bars are drawn.
    """

    def __init__(self, wiring: Wiring, console: Console) -> None:
        self._wiring, self._console = wiring, console

    def collect(self) -> None:
        """Fetch what is new, check it and store it.

        Raises:
            QualityError: the batch is worthless; nothing was stored.
            SourceError: the source did not deliver.
        """
        parts, now = self._wiring, self._wiring.now()
        history_days = parts.settings.history_days
        with self._step("collect") as (notes, report):
            batch = collect(parts.source, parts.store, now=now, history_days=history_days, progress=report)
            notes.summary = f"{batch.observations.height:,} observations since {batch.since:%Y-%m-%d %H:%M} UTC"
        with self._step("check") as (notes, report):
            checked = check(batch, parts.store, now=now, progress=report)
            notes.summary = f"observations version {checked.observations_version}"

    def train(self) -> None:
        """Train a candidate, judge it and promote it if it earned it."""
        parts, now = self._wiring, self._wiring.now()
        with self._step("train") as (notes, report):
            days = parts.settings.validation_days
            candidate = train(parts.store, now=now, validation_days=days, progress=report)
            notes.summary = f"trained until {candidate.judged_since:%Y-%m-%d %H:%M} UTC"
        with self._step("validate") as (notes, report):
            verdict = validate(
                candidate, parts.registry, parts.store, now=now, parameters=training_parameters(parts), progress=report
            )
            outcome = "promoted to champion" if verdict.promoted else "registered, not promoted"
            notes.summary = f"version {verdict.version} {outcome}: {verdict.reason}"

    def forecast(self) -> pl.DataFrame:
        """Issue the next 72 hours with the champion, or with the climatology while there is none."""
        parts, now = self._wiring, self._wiring.now()
        with self._step("forecast") as (notes, report):
            try:
                forecaster, version = parts.registry.champion()
            except NoChampion:
                forecaster, version = baseline_forecaster(now), BASELINE_VERSION
            rows = forecast(parts.store, forecaster, model_version=version, now=now, progress=report)
            notes.summary = f"{rows.height:,} hours by model version {version}"
        return rows

    def full(self) -> pl.DataFrame:
        """Collect, check, train, validate, forecast; with too little history the climatology forecasts."""
        self.collect()
        try:
            self.train()
        except TooLittleHistory as err:
            self._console.print(f"[yellow]not trained:[/yellow] {err}")
        return self.forecast()

    @contextmanager
    def _step(self, name: str) -> Iterator[tuple[Notes, Report]]:
        columns = (SpinnerColumn(), TextColumn("[bold]{task.fields[step]:<9}"), BarColumn(24), TimeElapsedColumn())
        bars = Progress(*columns, TextColumn("{task.description}"), console=self._console)
        with bars, recorded(name, self._wiring.store, as_of=self._wiring.now()) as notes:
            task = bars.add_task("", total=1.0, step=name)
            yield notes, lambda line, share: bars.update(task, description=line, completed=share)
            bars.update(task, completed=1.0)
