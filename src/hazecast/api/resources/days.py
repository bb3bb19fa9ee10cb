"""Forecasts of local days, and the ensemble they are computed from."""

from io import BytesIO
from typing import Annotated

import numpy as np
import polars as pl
from fastapi import APIRouter, Depends, Query, Response

from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import STATION
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, Context, IssuedAtQuery, PollutantsQuery, parse_list
from hazecast.api.errors import NoData, problem_responses
from hazecast.api.render import TABLE_FORMATS, Format, describe_formats, negotiate_table, render_table
from hazecast.api.resources.forecasts import ForecastPollutant, find_station_forecasts
from hazecast.api.resources.stations import RequestedStation
from hazecast.models.trajectories import load_dependence, member_levels, members

router = APIRouter(prefix=PREFIX, tags=["forecasts"])

TableFormat = Annotated[Format, Depends(negotiate_table)]
_RESPONSES = describe_formats(*TABLE_FORMATS) | problem_responses(404, 406, 422, 503)
_DIGITS = 3


@router.get("/days", response_model=schemas.DayForecasts, responses=_RESPONSES)
def place_days(
    context: Context,
    output_format: TableFormat,
    pollutant: PollutantsQuery,
    scope: Annotated[schemas.Scope | None, Query(description="Default: the two scopes of the whole place")] = None,
    issued_at: IssuedAtQuery = None,
) -> schemas.DayForecasts | Response:
    """Local days of the whole place: mean, highest hour, highest 8-hour mean, and chances of exceeding limits."""
    wanted = pl.col("scope") != STATION if scope is None else pl.col("scope") == scope
    selected = parse_list("pollutant", pollutant, POLLUTANTS) or POLLUTANTS
    rows = context.repository.days(issued_at).filter(wanted, pl.col("pollutant").is_in(selected))
    return _rendered(rows, output_format)


@router.get("/stations/{station_id:path}/days", response_model=schemas.DayForecasts, responses=_RESPONSES)
def station_days(
    context: Context,
    station: RequestedStation,
    output_format: TableFormat,
    pollutant: PollutantsQuery,
    issued_at: IssuedAtQuery = None,
) -> schemas.DayForecasts | Response:
    """Local days of a station: mean, highest hour, highest 8-hour mean, and chances of exceeding limits."""
    selected = parse_list("pollutant", pollutant, POLLUTANTS) or POLLUTANTS
    mine = pl.col("scope").eq(STATION) & pl.col("station_id").eq(station.station_id)
    rows = context.repository.days(issued_at).filter(mine, pl.col("pollutant").is_in(selected))
    return _rendered(rows, output_format)


@router.get("/stations/{station_id:path}/ensemble", response_model=schemas.Ensemble, responses=_RESPONSES)
def ensemble(
    context: Context,
    station: RequestedStation,
    pollutant: ForecastPollutant,
    output_format: TableFormat,
    issued_at: IssuedAtQuery = None,
) -> schemas.Ensemble | Response:
    """Members of the newest forecast, or of the one issued at `issued_at`: equally likely courses of its hours."""
    issued = find_station_forecasts(context.repository, station.station_id, pollutant, issued_at)
    rows = issued.series(station.station_id, pollutant).sort("lead_hours")
    first = rows.row(0, named=True)
    values = _members(context, rows)
    if output_format is not Format.JSON:
        n = values.shape[1]
        table = rows.select("station_id", "pollutant", "issued_at", "valid_at", "lead_hours")
        columns = {f"member_{k:03d}": pl.Series(values[:, k - 1]) for k in range(1, n + 1)}
        return render_table(table.with_columns(**columns), output_format)
    hours = [
        schemas.EnsembleHour(valid_at=valid_at, members=course.tolist())
        for valid_at, course in zip(rows["valid_at"], values.astype(np.float64).round(_DIGITS), strict=True)
    ]
    return schemas.Ensemble(
        station_id=station.station_id,
        pollutant=Pollutant(pollutant),
        issued_at=first["issued_at"],
        model_version=first["model_version"],
        n_members=values.shape[1],
        hours=hours,
    )


def _members(context: Context, rows: pl.DataFrame) -> np.ndarray:
    """(hour, member) [µg/m³] of one series of one issue.

    Raises:
        NoData: the model issued before its dependence was kept.
    """
    first = rows.row(0, named=True)
    stored = context.repository.trajectories(first["model_version"])
    if stored is None:
        raise NoData(f"Model version {first['model_version']} issued before members were kept; newer issues have them.")
    dependence = load_dependence(BytesIO(stored["dependence"])).covering((first["pollutant"],))
    levels = member_levels(dependence, [first["station_id"]], first["issued_at"], n_members=stored["n_members"])
    own = levels[0, dependence.pollutants.index(first["pollutant"]), rows["lead_hours"].to_numpy() - 1]
    return members(rows.select(QUANTILES).to_numpy(), own)


def _rendered(rows: pl.DataFrame, output_format: Format) -> schemas.DayForecasts | Response:
    if output_format is not Format.JSON:
        return render_table(rows, output_format)
    days = []
    for row in rows.iter_rows(named=True):
        chances = schemas.DayExceedance(**{key: row[f"p_exceed_{key}"] for key in LIMIT_KEYS})
        days.append(schemas.DayForecast(**row, p_exceed=chances))
    return schemas.DayForecasts(days=days)
