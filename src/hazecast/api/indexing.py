"""An air-quality index for every hour of a forecast."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.indices import Answer, Index
from hazecast.air.indices.engine import WINDOW_HOURS
from hazecast.air.tables import HORIZON_HOURS
from hazecast.api import schemas
from hazecast.api.reader import Issues, Reader

LOOK_BACK = timedelta(hours=WINDOW_HOURS)


def indexed_hours(reader: Reader, issues: Issues, station_id: str, index: Index) -> Mapping[datetime, Answer]:
    """The index at every hour of a station's newest issue among `issues`; computed once per issue."""
    key = station_id, f"{index.name} {index.version}"
    if key not in issues.indexed:
        issue = issues.of_station(station_id)
        issued_at = issue["issued_at"][0]
        observed = reader.trusted(station_id, since=issued_at - LOOK_BACK, until=issued_at)
        issues.indexed[key] = index_hours(index, issue, observed)
    return issues.indexed[key]


def index_hours(index: Index, issue: pl.DataFrame, observed: pl.DataFrame) -> dict[datetime, Answer]:
    """The index at every hour of one issue, from its medians and what was observed before.

    Args:
        index: which.
        issue: rows of `air.tables.Forecasts` of one station and issue, all pollutants.
        observed: trusted rows of `air.tables.Observations` of the station in the 338 hours before the issue.
    """
    first = issue["issued_at"][0] - LOOK_BACK
    ahead = issue.select("pollutant", hour="valid_at", value="q50")
    behind = observed.select("pollutant", hour="observed_at", value="concentration_ugm3")
    place = (pl.col("hour") - first).dt.total_hours().alias("place")
    rows = pl.concat([behind.join(ahead, on="pollutant", how="semi"), ahead]).with_columns(place)
    grids = {}
    for (pollutant,), hours in rows.group_by("pollutant"):
        grid = np.full(WINDOW_HOURS + HORIZON_HOURS, np.nan)
        grid[hours["place"].to_numpy()] = hours["value"].to_numpy()
        grids[str(pollutant)] = grid
    last = {hour: round((hour - first) / HOUR) for hour in issue["valid_at"].unique().sort()}
    return {
        hour: index.from_hours({p: grid[k + 1 - WINDOW_HOURS : k + 1] for p, grid in grids.items()})
        for hour, k in last.items()
    }


def hour_index(index: Index, answer: Answer) -> schemas.HourIndex:
    """An index answer as part of a forecast hour."""
    return schemas.HourIndex(
        status=answer.status,
        value=answer.value,
        label=answer.label,
        band=answer.band,
        level=level_of(index, answer),
        colour=answer.colour,
        colour_blind_safe=answer.colour_blind_safe,
        dominant_pollutant=answer.dominant_pollutant,
    )


def level_of(index: Index, answer: Answer) -> int | None:
    """Severity of the band, 1 … 6; None without one."""
    return next((band.level for band in index.bands if band.name == answer.band), None)


def index_name(index: Index) -> schemas.IndexName:
    """Which index, by which table."""
    return schemas.IndexName(index=index.name, title=index.title, version=index.version)
