"""Check: flag suspect observations, report them, and store the batch unless it is unusable."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hazecast import quality
from hazecast.air.tables import Observations, Quality, Stations, Weather
from hazecast.errors import QualityError
from hazecast.steps import Progress, silent
from hazecast.steps.collect import Batch
from hazecast.store import Store


@dataclass(frozen=True)
class Checked:
    """Outcome of a check: the Quality report, the version of the observations table with the batch, and a summary."""

    report: pl.DataFrame
    observations_version: int
    summary: str


def check(batch: Batch, store: Store, *, now: datetime, progress: Progress = silent) -> Checked:
    """Flag the batch in the light of the stored hours before it, store the report, then the batch.

    Raises:
        QualityError: the batch is not worth storing; the report is kept, the tables stay as they were.
    """
    progress("flagging", 0.0)
    context = batch.since - timedelta(hours=quality.CONTEXT_HOURS)
    around = pl.col("observed_at").is_between(context, batch.until + timedelta(hours=quality.CONTEXT_HOURS))
    recent = store.read(Observations, around)
    flagged = quality.flag(batch.observations, recent=recent, now=now, stations=batch.stations)
    weather = quality.check_weather(batch.weather)
    report = quality.report(flagged, since=batch.since, until=batch.until, now=now)
    store.upsert(Quality, report)
    reason = quality.verdict(report)
    if reason and flagged.unit_summary:
        reason = f"{reason}; {flagged.unit_summary}"
    if reason:
        raise QualityError(f"the batch of {batch.since:%Y-%m-%d} to {batch.until:%Y-%m-%d} was not stored: {reason}")
    progress("storing", 0.4)
    store.upsert(Stations, batch.stations)
    # The past may be analysed again; a forecast stays what it was when it was issued.
    store.upsert(Weather, weather.rows.filter(pl.col("issued_at").is_null()))
    store.append(Weather, weather.rows.filter(pl.col("issued_at").is_not_null()))
    version = store.upsert(Observations, pl.concat([flagged.rows, flagged.revised]))
    findings = [
        f"flagged invalid: {flagged.unit_summary}" if flagged.unit_summary else "",
        f"weather set to null: {weather.summary}" if weather.summary else "",
    ]
    summary = "; ".join([_in_words(report), *filter(None, findings)])
    progress(summary, 1.0)
    return Checked(report, version, summary)


def _in_words(report: pl.DataFrame) -> str:
    n_observed = max(int(report["n_observed"].sum()), 1)
    suspicious = report["n_suspicious"].sum() / n_observed
    invalid = report["n_invalid"].sum() / n_observed
    present = n_observed / max(int(report["n_expected"].sum()), 1)
    return f"{present:.1%} of hours present, {suspicious:.2%} suspicious, {invalid:.2%} invalid"
