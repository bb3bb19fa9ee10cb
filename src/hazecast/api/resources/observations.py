"""Observations of one series, with their quality flags."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from hazecast.air.clock import HOUR, as_iso, hours_between
from hazecast.air.pollutants import Pollutant
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, Context, PollutantQuery, SinceQuery, UntilQuery
from hazecast.api.errors import InvalidRequest, NoData, problem_responses
from hazecast.api.render import TABLE_FORMATS, Format, describe_formats, negotiate_table, render_table
from hazecast.api.resources.stations import RequestedStation
from hazecast.errors import NotKnown

DEFAULT_SPAN, MAX_SPAN = timedelta(days=7), timedelta(days=366)

router = APIRouter(prefix=PREFIX, tags=["stations"])


def observed_pollutant(station: RequestedStation, pollutant: PollutantQuery = None) -> str:
    """Dependency: the requested pollutant, or the first one available at the station.

    Raises:
        NotKnown: it is not available there; the error lists those that are.
        NoData: none is.
    """
    if not station.pollutants:
        raise NoData(f"There are no observations of {station.station_id} yet. Get them with `hazecast collect`.")
    if pollutant is not None and pollutant not in station.pollutants:
        raise NotKnown("pollutant", pollutant, [str(one) for one in station.pollutants])
    return pollutant or str(station.pollutants[0])


def observed_span(context: Context, since: SinceQuery = None, until: UntilQuery = None) -> tuple[datetime, datetime]:
    """Dependency: hours [since, until); until defaults to now, since to DEFAULT_SPAN before it.

    Raises:
        InvalidRequest: the span is empty or longer than MAX_SPAN.
    """
    until = until or context.clock()
    since = since or until - DEFAULT_SPAN
    if since >= until:
        raise InvalidRequest(f"since ({as_iso(since)}) must be before until ({as_iso(until)})")
    if until - since > MAX_SPAN:
        raise InvalidRequest(f"a span may have at most {MAX_SPAN.days} days; request it in parts")
    return since, until


@router.get(
    "/stations/{station_id:path}/observations",
    response_model=schemas.Observations,
    responses=describe_formats(*TABLE_FORMATS) | problem_responses(404, 406, 422, 503),
)
def observations(
    context: Context,
    station: RequestedStation,
    pollutant: Annotated[str, Depends(observed_pollutant)],
    span: Annotated[tuple[datetime, datetime], Depends(observed_span)],
    output_format: Annotated[Format, Depends(negotiate_table)],
) -> schemas.Observations | Response:
    """Hourly means that start in [since, until); by default the last 7 days; at most 366 days."""
    since, until = span
    rows = context.repository.observations(station.station_id, pollutant, since=since, until=until)
    if output_format is not Format.JSON:
        return render_table(rows.drop("available_at", "ingested_at"), output_format)
    newest = context.repository.newest_observed_at().get((station.station_id, pollutant))
    return schemas.Observations(
        station_id=station.station_id,
        pollutant=Pollutant(pollutant),
        since=since,
        until=until,
        source=station.source,
        simulated=station.simulated,
        attribution=station.attribution,
        newest_observed_at=newest,
        data_age_hours=None if newest is None else hours_between(newest + HOUR, context.clock()),
        hours=[_render_hour(row) for row in rows.iter_rows(named=True)],
    )


def _render_hour(row: dict[str, Any]) -> schemas.ObservationHour:
    reasons = [reason for reason in row["flag_reasons"].split(",") if reason]
    return schemas.ObservationHour.model_validate({**row, "flag_reasons": reasons})
