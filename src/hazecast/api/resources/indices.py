"""Air-quality indices of countries, the index of every forecast hour, and limits and guidelines."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from fastapi import APIRouter

from hazecast.air.clock import HOUR
from hazecast.air.indices import INDICES, Index, IndexResult, Reading, find_index
from hazecast.air.indices.engine import WINDOW_HOURS
from hazecast.air.indices.result import COLOUR_BLIND_SAFE
from hazecast.air.rules import RULES
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, Context
from hazecast.api.errors import InvalidRequest, problem_responses
from hazecast.api.repository import IssuedForecasts, Repository
from hazecast.errors import ContractError

router = APIRouter(prefix=PREFIX, tags=["air"])

LOOKBACK = timedelta(hours=WINDOW_HOURS)


@router.get("/indices")
def indices(context: Context) -> schemas.Indices:
    """Every country's index in force: bands, colours, pollutants, averages and units."""
    return schemas.Indices(
        indices=[_describe(index, is_default=name == context.index) for name, index in INDICES.items()]
    )


@router.get("/limits")
def limits() -> schemas.Rules:
    """Legal values and guidelines as their authorities write them: WHO, EU (in force and 2030), US."""
    rules = [
        schemas.Rule.model_validate(
            {**{name: getattr(rule, name) for name in schemas.Rule.model_fields}, "authority": rule.authority.value}
        )
        for rule in RULES
    ]
    return schemas.Rules(rules=rules)


@router.post("/aqi", responses=problem_responses(404, 422))
def aqi(request: schemas.AqiRequest) -> schemas.Aqi:
    """The index of concentrations, with the pollutant that determines it, the colour and advice."""
    index = find_index(request.index, request.version)
    try:
        readings = [
            Reading(one.pollutant, one.averaging or index.usual_averaging(one.pollutant), one.concentration, one.unit)
            for one in request.readings
        ]
        return schemas.Aqi.model_validate(index.evaluate(readings).as_dict())
    except ContractError as err:
        raise InvalidRequest(str(err)) from err


def index_by_hour(
    repository: Repository, forecasts: IssuedForecasts, station_id: str, index: Index
) -> Mapping[datetime, IndexResult]:
    """The index at every hour of a station's newest issue among `forecasts`; computed once per issue."""
    key = station_id, f"{index.name} {index.version}"
    if key not in forecasts.index_by_hour:
        issue = forecasts.station(station_id)
        issued_at = issue["issued_at"][0]
        observed = repository.ok_observations(station_id, since=issued_at - LOOKBACK, until=issued_at)
        forecasts.index_by_hour[key] = compute_index(index, issue, observed)
    return forecasts.index_by_hour[key]


def compute_index(index: Index, issue: pl.DataFrame, observed: pl.DataFrame) -> dict[datetime, IndexResult]:
    """The index at every hour of one issue, from its medians and the observations before it.

    Args:
        index: the index.
        issue: rows of `air.tables.Forecasts` of one station and issue, all pollutants.
        observed: rows of `air.tables.Observations` of the station, flagged ok, in the WINDOW_HOURS before the issue.
    """
    first = issue["issued_at"][0] - LOOKBACK
    ahead = issue.select("pollutant", hour="valid_at", value="q50")
    behind = observed.select("pollutant", hour="observed_at", value="concentration_ugm3")
    position = (pl.col("hour") - first).dt.total_hours().alias("position")
    rows = pl.concat([behind.join(ahead, on="pollutant", how="semi"), ahead]).with_columns(position)
    n_hours: int = rows.select(pl.col("position").max()).item() + 1
    grids = {}
    for (pollutant,), hours in rows.group_by("pollutant"):
        grid = np.full(n_hours, np.nan)
        grid[hours["position"].to_numpy()] = hours["value"].to_numpy()
        grids[str(pollutant)] = grid
    positions = {hour: round((hour - first) / HOUR) for hour in issue["valid_at"].unique().sort()}
    return {
        hour: index.from_hours({p: grid[k + 1 - WINDOW_HOURS : k + 1] for p, grid in grids.items()})
        for hour, k in positions.items()
    }


def render_index(index: Index, value: IndexResult) -> schemas.HourIndex:
    """An index value as part of a forecast hour."""
    return schemas.HourIndex(
        status=value.status,
        value=value.value,
        label=value.label,
        band=value.band,
        level=band_level(index, value),
        colour=value.colour,
        colour_blind_safe=value.colour_blind_safe,
        dominant_pollutant=value.dominant_pollutant,
    )


def band_level(index: Index, value: IndexResult) -> int | None:
    """Severity of the band, 1 … 6; None without one."""
    return next((band.level for band in index.bands if band.name == value.band), None)


def index_name(index: Index) -> schemas.IndexName:
    """Name, title and version of an index."""
    return schemas.IndexName(index=index.name, title=index.title, version=index.version)


def _describe(index: Index, *, is_default: bool) -> schemas.IndexDescription:
    bands = [
        schemas.IndexBand(
            name=band.name,
            upto=band.upto,
            level=band.level,
            colour=band.colour,
            colour_blind_safe=COLOUR_BLIND_SAFE[band.level - 1],
        )
        for band in index.bands
    ]
    parts = [
        schemas.IndexPart(pollutant=pollutant, averaging=averaging, unit=scale.unit)
        for pollutant, scales in index.scales.items()
        for averaging, scale in scales.items()
    ]
    return schemas.IndexDescription(
        index=index.name,
        title=index.title,
        version=index.version,
        authority=index.authority,
        has_value=index.has_value,
        is_default=is_default,
        bands=bands,
        parts=parts,
        notes=list(index.notes),
    )
