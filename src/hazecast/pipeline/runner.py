"""Executes sequences. The Prefect flows change only how one step runs and where a retraining runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from hazecast.errors import HazecastError
from hazecast.pipeline.pipeline import Pipeline
from hazecast.pipeline.sequences import TRAINING, Sequence, Step

log = structlog.get_logger()

COMPLETED = "Completed"


@dataclass(frozen=True)
class Outcome:
    """How a sequence ended.

    Attributes:
        name: Completed, or the name of the condition that ended it (AlreadyIssued, NotTrained).
        message: one line for people.
        results: of the steps that ran, by key.
    """

    name: str
    message: str
    results: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Runner:
    """Executes the steps of a sequence one after the other in this process.

    Args:
        pipeline: what the steps act on; how progress is shown is its own.
    """

    pipeline: Pipeline

    def run(self, sequence: Sequence) -> Outcome:
        """Execute a sequence; then TRAINING, if it found that justified or the champion cannot forecast.

        Raises:
            HazecastError: a step failed with an error that it does not tolerate.
        """
        if sequence.unless is not None and sequence.unless.applies(self.pipeline):
            return Outcome(sequence.unless.outcome, sequence.unless.reason(self.pipeline))
        run = _Run()
        for step in sequence.steps:
            self._run_step(step, run)
        outcome = run.outcome(sequence.steps[-1])
        is_justified = sequence.retrains and run.results["retrain"].retrain.justified
        if is_justified or (sequence.replaces and self.pipeline.is_champion_replaced()):
            retrained = self.retrain(TRAINING)
            return Outcome(outcome.name, f"{outcome.message}; {retrained}", outcome.results)
        return outcome

    def execute(self, step: Step, *arguments: object) -> Any:
        """Run one step."""
        return step.action(self.pipeline, *arguments)

    def retrain(self, training: Sequence) -> str:
        """Start a justified training: here and now. Returns what became of it, in one line."""
        return self.run(training).message

    def _run_step(self, step: Step, run: "_Run") -> None:
        if step.unless is not None and step.unless.applies(self.pipeline):
            run.skip(step, step.unless.outcome, step.unless.reason(self.pipeline))
            return
        missing = next((key for key in step.needs if key not in run.results), None)
        if missing is not None:
            run.skip(step, run.skipped[missing])
            return
        try:
            result = self.execute(step, *(run.results[key] for key in step.needs))
        except HazecastError as err:
            tolerated = step.tolerates
            if tolerated is None or not isinstance(err, tolerated.errors) or not tolerated.applies(self.pipeline):
                raise
            log.warning("step skipped", step=step.key, outcome=tolerated.outcome, reason=str(err))
            run.skip(step, tolerated.outcome, str(err))
        else:
            run.results[step.key] = result
            run.note(step.summary(result))


@dataclass
class _Run:
    """Results, skipped steps (key → outcome) and lines of one execution."""

    results: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def skip(self, step: Step, outcome: str, reason: str = "") -> None:
        self.skipped[step.key] = outcome
        self.note(reason)

    def note(self, line: str) -> None:
        if line:
            self.lines.append(line)

    def outcome(self, last: Step) -> Outcome:
        """The outcome of the sequence is that of its last step."""
        return Outcome(self.skipped.get(last.key, COMPLETED), "; ".join(self.lines), self.results)
