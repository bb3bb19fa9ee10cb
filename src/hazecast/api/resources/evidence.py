"""Evidence: verification of issued forecasts, data quality, monitoring, incidents and pipeline runs."""

from datetime import datetime, timedelta
from functools import reduce
from operator import and_
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Depends, Query, Response

from hazecast.air.clock import as_iso, floor_hour
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import LEAD_BLOCKS, block_name
from hazecast.air.tables import STEPS, Runs
from hazecast.air.verdicts import INCIDENT_STATES, Alerts, Drift, Health, Retrains, Verification
from hazecast.api import schemas
from hazecast.api.dependencies import (
    PREFIX,
    SEVERAL,
    Context,
    CursorQuery,
    LimitQuery,
    PagingQuery,
    PollutantsQuery,
    StationsQuery,
    decode_cursor,
    encode_cursor,
    parse_list,
    require_word,
)
from hazecast.api.errors import InvalidRequest, problem_responses
from hazecast.api.render import TABLE_FORMATS, Format, describe_formats, negotiate_table, render_table
from hazecast.api.repository import ServedStore, depends_on
from hazecast.scoring import summarize

GROUPS = ("issued_on", "station_id", "pollutant", "lead_block", "model_version")
DEFAULT_GROUPS = ("pollutant", "lead_block")
DEFAULT_SPAN, MAX_SPAN = timedelta(days=30), timedelta(days=5 * 366)
N_RETRAINS = 20
_BLOCKS = tuple(block_name(block) for block in LEAD_BLOCKS)
_LISTED = ", ".join(_BLOCKS)

router = APIRouter(prefix=PREFIX, tags=["evidence"])


def verified_span(
    context: Context,
    since: Annotated[
        schemas.UtcTime | None, Query(description="First day of issue; default: 30 days before `until`")
    ] = None,
    until: Annotated[
        schemas.UtcTime | None, Query(description="End of the days of issue, excluded; default: now")
    ] = None,
) -> tuple[datetime, datetime]:
    """Dependency: days of issue [since, until).

    Raises:
        InvalidRequest: the span is empty or longer than MAX_SPAN.
    """
    if until is None:
        until = context.clock()
        depends_on(floor_hour(until))
    since = since or until - DEFAULT_SPAN
    if not since < until <= since + MAX_SPAN:
        raise InvalidRequest(f"since ({as_iso(since)}) must be before until ({as_iso(until)}), at most 5 years")
    return since, until


def verified_rows(
    context: Context,
    station_id: StationsQuery,
    pollutant: PollutantsQuery,
    lead_block: Annotated[list[str], Query(default_factory=list, description=f"Of {_LISTED}; default: all. {SEVERAL}")],
    model_version: Annotated[str | None, Query(description="Default: all")] = None,
) -> pl.Expr:
    """Dependency: the filter on rows of `air.verdicts.Verification`.

    Raises:
        NotKnown: a station or pollutant does not exist.
        InvalidRequest: a lead block does not exist.
    """
    known = context.repository.stations()["station_id"].to_list() if station_id else []
    chosen = {
        "station_id": parse_list("station", station_id, known),
        "pollutant": parse_list("pollutant", pollutant, POLLUTANTS),
        "lead_block": parse_list("lead block", lead_block, _BLOCKS),
        "model_version": (model_version,) if model_version is not None else (),
    }
    is_chosen = (pl.col(column).is_in(words) for column, words in chosen.items() if words)
    return reduce(and_, is_chosen, pl.lit(True))


@router.get(
    "/verification",
    response_model=schemas.Verification,
    responses=describe_formats(*TABLE_FORMATS) | problem_responses(404, 406, 422, 503),
)
def verification(
    context: Context,
    where: Annotated[pl.Expr, Depends(verified_rows)],
    span: Annotated[tuple[datetime, datetime], Depends(verified_span)],
    output_format: Annotated[Format, Depends(negotiate_table)],
    by: Annotated[
        list[str],
        Query(
            default_factory=lambda: list(DEFAULT_GROUPS),
            description=f"Of {', '.join(GROUPS)}; default: {', '.join(DEFAULT_GROUPS)}. {SEVERAL}",
        ),
    ],
) -> schemas.Verification | Response:
    """Scores of issued forecasts by pollutant, lead block, station, model version or day of issue.

    Every group is computed from sums over its hours; scores are null where nothing could be scored.
    """
    columns = parse_list("group", by, GROUPS)
    since, until = span
    is_in_span = pl.col("issued_on").is_between(since, until, closed="left")
    groups = summarize(context.tables.read(Verification, is_in_span & where), columns)
    if output_format is not Format.JSON:
        return render_table(groups, output_format)
    found = [schemas.VerificationGroup.model_validate(row) for row in groups.iter_rows(named=True)]
    return schemas.Verification(since=since, until=until, by=list(columns), groups=found)


@router.get("/quality", responses=problem_responses(503))
def quality(context: Context) -> schemas.QualityReport:
    """The latest check of observations: completeness and flagged hours by series."""
    rows = context.repository.newest_check().sort("station_id", "pollutant")
    series = [schemas.SeriesQuality.model_validate(row) for row in rows.iter_rows(named=True)]
    return schemas.QualityReport(checked_at=rows["checked_at"][0] if series else None, series=series)


@router.get("/health-verdicts", responses=problem_responses(503))
def health_verdicts(context: Context) -> schemas.HealthVerdicts:
    """The newest monitoring: verdicts on skill, coverage, drift, freshness …, and decisions on retraining."""
    tables, now = context.tables, context.clock()
    checked_at = _newest_check(tables, now)
    is_newest = pl.lit(False) if checked_at is None else pl.col("checked_at") == checked_at
    verdicts, drift = tables.read(Health, is_newest), tables.read(Drift, is_newest)
    retrains = tables.read(Retrains, pl.col("checked_at") <= now).sort("checked_at", descending=True)
    return schemas.HealthVerdicts(
        checked_at=checked_at,
        verdicts=[schemas.Verdict.model_validate(row) for row in verdicts.sort("check", "subject").to_dicts()],
        drift=[schemas.SeriesDrift.model_validate(row) for row in drift.sort("station_id", "variable").to_dicts()],
        retrains=[
            schemas.RetrainDecision.model_validate({**row, "reasons": row["reasons"].splitlines()})
            for row in retrains.head(N_RETRAINS).to_dicts()
        ],
    )


@router.get("/alerts", responses=problem_responses(422, 503))
def alerts(
    context: Context,
    paging: PagingQuery,
    state: Annotated[
        str | None, Query(description="Default: all", json_schema_extra={"enum": [*INCIDENT_STATES]})
    ] = None,
    limit: LimitQuery = 100,
    cursor: CursorQuery = None,
) -> schemas.Incidents:
    """Incidents, newest first; `state` is pending, open or resolved."""
    require_word("state", state, INCIDENT_STATES)
    rows = context.tables.read(Alerts, _matches("state", state))
    page, next_cursor = _page("alerts", rows, ("bad_since", "incident_id"), limit, cursor)
    paging.headers(rows.height, cursor=next_cursor)
    found = [schemas.Incident.model_validate(row) for row in page.to_dicts()]
    return schemas.Incidents(alerts=found, next_cursor=next_cursor)


@router.get("/runs", responses=problem_responses(422, 503))
def runs(
    context: Context,
    paging: PagingQuery,
    step: Annotated[str | None, Query(description="Default: all", json_schema_extra={"enum": [*STEPS]})] = None,
    limit: LimitQuery = 100,
    cursor: CursorQuery = None,
) -> schemas.RunList:
    """Runs of the pipeline's steps, newest first."""
    require_word("step", step, STEPS)
    rows = context.tables.read(Runs, _matches("step", step))
    page, next_cursor = _page("runs", rows, ("started_at", "run_id"), limit, cursor)
    paging.headers(rows.height, cursor=next_cursor)
    return schemas.RunList(runs=[schemas.Run.model_validate(row) for row in page.to_dicts()], next_cursor=next_cursor)


def _newest_check(tables: ServedStore, now: datetime) -> datetime | None:
    checked: datetime | None = tables.read(Health, pl.col("checked_at") <= now)["checked_at"].max()  # type: ignore[assignment]  # a time or None
    return checked


def _matches(column: str, value: str | None) -> pl.Expr:
    """Rows with this value; all rows for None."""
    return pl.lit(True) if value is None else pl.col(column) == value


def _page(
    kind: str, rows: pl.DataFrame, key: tuple[str, str], limit: int, cursor: str | None
) -> tuple[pl.DataFrame, str | None]:
    """Newest first by a time and a name; the cursor encodes the last row of the previous page."""
    with_cursor = rows.with_columns(pl.format("{} {}", pl.col(key[0]).dt.epoch("us"), pl.col(key[1])).alias("cursor"))
    ordered = with_cursor.sort(*key, descending=True)
    if cursor is not None:
        last = decode_cursor(kind, cursor)
        found = ordered.with_row_index().filter(pl.col("cursor") == last)["index"]
        if found.is_empty():
            raise InvalidRequest("the row of the cursor no longer exists; start again without a cursor")
        ordered = ordered.slice(found[0] + 1)
    page = ordered.head(limit)
    has_more = ordered.height > limit
    return page.drop("cursor"), encode_cursor(kind, page["cursor"][-1]) if has_more else None
