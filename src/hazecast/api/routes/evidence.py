"""The evidence: how good forecasts were, what was measured badly, what monitoring found, who was told."""

from datetime import datetime, timedelta
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from hazecast.air.clock import as_iso
from hazecast.air.tables import Runs
from hazecast.air.verdicts import Alerts, Drift, Health, Retrains, Verification
from hazecast.api import lookup, schemas
from hazecast.api.formats import FORMAT_HELP, TABLES, Format, choose_format, content_of, write_table
from hazecast.api.problems import NotAnswerable, problem_responses
from hazecast.api.schemas import UtcTime
from hazecast.api.service import PREFIX, Cursor, Limit, Serving
from hazecast.api.where import read_cursor, write_cursor
from hazecast.scoring import summarize
from hazecast.store import Store

GROUPS = ("issued_on", "station_id", "pollutant", "lead_block", "model_version")
DEFAULT_BY = "pollutant,lead_block"
DEFAULT_SPAN, LONGEST_SPAN = timedelta(days=30), timedelta(days=5 * 366)
RETRAINS_SHOWN = 20

router = APIRouter(prefix=PREFIX, tags=["evidence"])


class VerificationAsked(BaseModel):
    """Which forecasts to sum up, and how."""

    pollutant: str | None = Field(default=None, description="Comma-separated; all without")
    station_id: list[str] = Field(default=[], description="Repeat it for several; all without")
    lead_block: str | None = Field(default=None, description="1-6, 7-24, 25-48 or 49-72; all without")
    model_version: str | None = Field(default=None, description="All without")
    since: UtcTime | None = Field(default=None, description="First day of issue; 30 days before `until` without")
    until: UtcTime | None = Field(default=None, description="End of the days of issue, not included; now without")
    by: str = Field(default=DEFAULT_BY, description=f"Comma-separated, of {', '.join(GROUPS)}")
    format: Format | None = Field(default=None, description=FORMAT_HELP, examples=["csv"])


@router.get(
    "/verification",
    response_model=schemas.Verification,
    responses=content_of(*TABLES) | problem_responses(404, 406, 422, 503),
)
def verification(
    serving: Serving, request: Request, query: Annotated[VerificationAsked, Query()]
) -> schemas.Verification | Response:
    """How good issued forecasts were, by pollutant, lead block, station, model or day of issue.

    Sums over hours, so every group is exact; measures are null where nothing could be scored.
    """
    chosen_format = choose_format(request, query.format, TABLES)
    by = lookup.read_words("group", query.by, GROUPS)
    if len(set(by)) < len(by):
        raise NotAnswerable("`by` repeats a word")
    until = query.until or serving.clock()
    since = query.since or until - DEFAULT_SPAN
    if not since < until <= since + LONGEST_SPAN:
        raise NotAnswerable(f"since ({as_iso(since)}) must be before until ({as_iso(until)}), at most 5 years")
    groups = summarize(serving.store.read(Verification, _wanted(query, since, until)), by)
    if chosen_format is not Format.JSON:
        return write_table(groups, chosen_format)
    verified = [schemas.VerificationGroup.model_validate(row) for row in groups.iter_rows(named=True)]
    return schemas.Verification(since=since, until=until, by=list(by), groups=verified)


@router.get("/quality", responses=problem_responses(503))
def quality(serving: Serving) -> schemas.QualityReport:
    """The latest check of observations: completeness and doubts by series."""
    rows = serving.reader.newest_check().sort("station_id", "pollutant")
    series = [schemas.SeriesQuality.model_validate(row) for row in rows.iter_rows(named=True)]
    return schemas.QualityReport(checked_at=rows["checked_at"][0] if series else None, series=series)


@router.get("/health-verdicts", responses=problem_responses(503))
def health_verdicts(serving: Serving) -> schemas.HealthVerdicts:
    """What monitoring found last: verdicts on skill, coverage, drift, freshness …, and decisions about retraining."""
    store, now = serving.store, serving.clock()
    checked_at = _newest_check(store, now)
    then = pl.lit(False) if checked_at is None else pl.col("checked_at") == checked_at
    verdicts, drift = store.read(Health, then), store.read(Drift, then)
    retrains = store.read(Retrains, pl.col("checked_at") <= now).sort("checked_at", descending=True)
    return schemas.HealthVerdicts(
        checked_at=checked_at,
        verdicts=[schemas.Verdict.model_validate(row) for row in verdicts.sort("check", "subject").to_dicts()],
        drift=[schemas.SeriesDrift.model_validate(row) for row in drift.sort("station_id", "variable").to_dicts()],
        retrains=[
            schemas.RetrainDecision.model_validate({**row, "reasons": row["reasons"].splitlines()})
            for row in retrains.head(RETRAINS_SHOWN).to_dicts()
        ],
    )


@router.get("/alerts", responses=problem_responses(422, 503))
def alerts(serving: Serving, state: str | None = None, limit: Limit = 100, cursor: Cursor = None) -> schemas.Incidents:
    """Incidents, newest first; `state` pending, open or resolved."""
    rows = serving.store.read(Alerts, pl.lit(True) if state is None else pl.col("state") == state)
    shown, next_cursor = _page(rows, ("bad_since", "incident_id"), limit, cursor)
    found = [schemas.Incident.model_validate(row) for row in shown.to_dicts()]
    return schemas.Incidents(alerts=found, next_cursor=next_cursor)


@router.get("/runs", responses=problem_responses(422, 503))
def runs(serving: Serving, step: str | None = None, limit: Limit = 100, cursor: Cursor = None) -> schemas.RunList:
    """Runs of the pipeline's steps, newest first."""
    rows = serving.store.read(Runs, pl.lit(True) if step is None else pl.col("step") == step)
    shown, next_cursor = _page(rows, ("started_at", "run_id"), limit, cursor)
    return schemas.RunList(runs=[schemas.Run.model_validate(row) for row in shown.to_dicts()], next_cursor=next_cursor)


def _wanted(query: VerificationAsked, since: datetime, until: datetime) -> pl.Expr:
    wanted = pl.col("issued_on").is_between(since, until, closed="left")
    if query.pollutant is not None:
        wanted &= pl.col("pollutant").is_in(lookup.choose_pollutants(query.pollutant))
    if query.station_id:
        wanted &= pl.col("station_id").is_in(query.station_id)
    for column in ("lead_block", "model_version"):
        if getattr(query, column) is not None:
            wanted &= pl.col(column) == getattr(query, column)
    return wanted


def _newest_check(store: Store, now: datetime) -> datetime | None:
    checked: datetime | None = store.read(Health, pl.col("checked_at") <= now)["checked_at"].max()  # type: ignore[assignment]  # a time or None
    return checked


def _page(rows: pl.DataFrame, key: tuple[str, str], limit: int, cursor: str | None) -> tuple[pl.DataFrame, str | None]:
    """Newest first by a time and a name; the cursor names the last row shown."""
    named = rows.with_columns(pl.format("{} {}", pl.col(key[0]).dt.epoch("us"), pl.col(key[1])).alias("cursor"))
    ordered = named.sort(*key, descending=True)
    if cursor is not None:
        last = read_cursor(cursor)
        found = ordered.with_row_index().filter(pl.col("cursor") == last)["index"]
        if found.is_empty():
            raise NotAnswerable("what the cursor points to is gone; begin again without it")
        ordered = ordered.slice(found[0] + 1)
    shown = ordered.head(limit)
    more = ordered.height > limit
    return shown.drop("cursor"), write_cursor(shown["cursor"][-1]) if more else None
