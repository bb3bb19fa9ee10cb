"""Progress bars for the steps of the pipeline."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hazecast.pipeline import Pipeline
from hazecast.steps import Progress as Report
from hazecast.wiring import Wiring


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
        yield lambda line, share: bars.update(task, description=line, completed=share)
        bars.update(task, completed=1.0)
