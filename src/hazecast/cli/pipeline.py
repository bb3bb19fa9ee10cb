"""Progress bars for the steps of the pipeline."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hazecast.pipeline import Pipeline
from hazecast.steps import Progress as Report
from hazecast.wiring import Wiring

_SECONDS_BETWEEN_LINES = 60.0


def pipeline_on(console: Console, parts: Wiring) -> Pipeline:
    """The pipeline of `parts`, with a progress bar on `console` for each step."""

    def show(step: str) -> AbstractContextManager[Report]:
        return _bar(step, console)

    return Pipeline(parts, show=show)


@contextmanager
def _bar(step: str, console: Console) -> Iterator[Report]:
    columns = (SpinnerColumn(), TextColumn("[bold]{task.fields[step]:<9}"), BarColumn(24), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as bars:
        task = bars.add_task("", total=1.0, step=step)
        lines = _line_a_minute(step, console)

        def report(line: str, share: float) -> None:
            bars.update(task, description=line, completed=share)
            if not console.is_terminal:
                lines(line, share)

        yield report
        bars.update(task, completed=1.0)


def _line_a_minute(step: str, console: Console) -> Report:
    """Progress where no bar can be drawn: a line when a minute has passed since the last one."""
    printed_at = time.monotonic()

    def report(line: str, share: float) -> None:
        nonlocal printed_at
        if time.monotonic() - printed_at >= _SECONDS_BETWEEN_LINES:
            printed_at = time.monotonic()
            console.print(f"{step} {share:.0%} {line}", highlight=False, soft_wrap=True)

    return report
