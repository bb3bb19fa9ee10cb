"""Background: keep what physics models forecast, by issue, so that it can be shown, scored and one day learned from."""

from collections.abc import Sequence
from datetime import datetime

from hazecast.air.tables import Background, Stations, conform
from hazecast.errors import SourceError
from hazecast.sources import BackgroundModel
from hazecast.steps import Progress, silent
from hazecast.store import Store


def archive_background(
    models: Sequence[BackgroundModel], store: Store, *, now: datetime, progress: Progress = silent
) -> str:
    """Add the newest run of each model at the stored stations to the archive; what was archived is never altered.

    A model that does not deliver is told of and costs nothing else.

    Returns:
        What was kept and what was not, as a line for people.
    """
    stations = store.read(Stations)
    told = []
    for number, model in enumerate(models):
        progress(f"asking {model.name}", number / len(models))
        try:
            rows = conform(Background, model.fetch_background(stations, now=now))
        except SourceError as err:
            told.append(f"{model.name} not kept: {err}")
            continue
        store.append(Background, rows)
        told.append(f"{model.name} {rows.height:,} hours" if rows.height else f"{model.name} has nothing here")
    progress("; ".join(told), 1.0)
    return "; ".join(told)
