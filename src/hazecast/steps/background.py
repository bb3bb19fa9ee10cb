"""Background: archive forecasts of physics models by issue, to be shown and scored."""

from collections.abc import Sequence
from datetime import datetime

from hazecast.air.tables import Background, Stations, conform
from hazecast.errors import SourceError
from hazecast.quality import check_background
from hazecast.sources import BackgroundModel
from hazecast.steps import Progress, silent
from hazecast.store import Store


def archive_background(
    models: Sequence[BackgroundModel], store: Store, *, now: datetime, progress: Progress = silent
) -> str:
    """Add the newest run of each model at the stored stations to the archive; archived rows are never changed.

    A model that is unavailable is reported and skipped; so are values that no air has.

    Returns:
        What was archived and what was not, in one line.
    """
    stations = store.read(Stations)
    lines = []
    for number, model in enumerate(models):
        progress(f"fetching {model.name}", number / len(models))
        try:
            rows, left_out = check_background(conform(Background, model.fetch_background(stations, now=now)))
        except SourceError as err:
            lines.append(f"{model.name} not archived: {err}")
            continue
        store.append(Background, rows)
        found = f"{model.name} {rows.height:,} hours" if rows.height else f"{model.name} has nothing here"
        lines.append(f"{found} ({left_out})" if left_out else found)
    progress("; ".join(lines), 1.0)
    return "; ".join(lines)
