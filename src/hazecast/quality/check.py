"""Flag a batch, report the findings, and decide whether it may be stored."""

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from hazecast.air.clock import hours_between
from hazecast.air.tables import FetchedObservations, Observations, Quality, Stations, conform
from hazecast.quality.rules import KEY, SERIES, judge

_UNUSABLE_SHARE = 0.5


@dataclass(frozen=True)
class Flagged:
    """A batch after the check.

    Args:
        rows: Observations; every fetched key once, the newest where it came several times.
        revised: Observations; stored rows that gain a further reason from the new ones, to be stored again.
        series: one row per (station_id, pollutant) seen now or recently, with `n_duplicate` repeats collapsed.
    """

    rows: pl.DataFrame
    revised: pl.DataFrame
    series: pl.DataFrame


def flag(
    fetched: pl.DataFrame, *, recent: pl.DataFrame | None, now: datetime, stations: pl.DataFrame | None = None
) -> Flagged:
    """Judge a batch in the light of what is stored around it.

    Args:
        fetched: FetchedObservations, repeats and sentinels included.
        recent: Observations around it, reaching `CONTEXT_HOURS` back; None or empty where nothing is stored.
        now: becomes `ingested_at`.
        stations: Stations; neighbours confirm high values; None: no confirmation.

    Raises:
        ContractError: either frame breaks its contract.

    Source: rules after NOAA/PSD qc_site_pm25, pyaerocom and OpenAQ practice.
    """
    batch = _collapse(conform(FetchedObservations, fetched))
    context = Observations.create_empty() if recent is None else conform(Observations, recent)
    context = context.join(batch, on=KEY, how="anti").with_columns(n_duplicate=pl.lit(0, pl.Int64), had="flag_reasons")
    ingested_at = pl.lit(now.astimezone(UTC))
    judged = judge(
        pl.concat([batch.with_columns(ingested_at=ingested_at), context], how="diagonal"),
        Stations.create_empty() if stations is None else stations,
    )
    revised = judged.filter(pl.col("had") != pl.col("flag_reasons")).with_columns(ingested_at=ingested_at)
    return Flagged(
        rows=conform(Observations, judged.filter(pl.col("had").is_null())),
        revised=conform(Observations, revised),
        series=judged.group_by(SERIES).agg(pl.col("n_duplicate").sum()).sort(SERIES),
    )


def report(flagged: Flagged, *, since: datetime, until: datetime, now: datetime) -> pl.DataFrame:
    """What the check found in [since, until): Quality, one row per station and pollutant seen now or recently.

    A series that has fallen silent stays in the report, with completeness 0. Invalid hours count as present: that
    something arrived and that it is worth nothing are two findings.
    """
    rows = flagged.rows.filter(pl.col("observed_at").is_between(since, until, closed="left"))
    n_expected = round(hours_between(since, until))
    counts = rows.group_by(SERIES).agg(
        n_observed=pl.len().cast(pl.Int64),
        n_suspicious=(pl.col("flag") == "suspicious").sum().cast(pl.Int64),
        n_invalid=(pl.col("flag") == "invalid").sum().cast(pl.Int64),
    )
    found = flagged.series.join(counts, on=SERIES, how="left").join(_reasons(rows), on=SERIES, how="left")
    found = found.with_columns(pl.col("^n_.*$").fill_null(0), pl.col("reasons").fill_null(""))
    return conform(
        Quality,
        found.with_columns(
            checked_at=pl.lit(now.astimezone(UTC)),
            window_start=pl.lit(since.astimezone(UTC)),
            window_end=pl.lit(until.astimezone(UTC)),
            n_expected=pl.lit(n_expected, pl.Int64),
            completeness=(pl.col("n_observed") / max(n_expected, 1)).clip(0.0, 1.0),
        ),
    )


def verdict(report: pl.DataFrame) -> str | None:
    """Why the batch of this Quality report should not be stored; None where it may be.

    Refused is a batch without any observation, or with more than half of them invalid: then not an instrument is
    broken but the source.
    """
    n_observed, n_invalid = int(report["n_observed"].sum()), int(report["n_invalid"].sum())
    if n_observed == 0:
        return "nothing was observed; check whether the source still delivers"
    if n_invalid / n_observed <= _UNUSABLE_SHARE:
        return None
    worst = report.sort("n_invalid", descending=True).row(0, named=True)
    return (
        f"{n_invalid} of {n_observed} observations are invalid, most of them {worst['pollutant']} at "
        f"{worst['station_id']} ({worst['reasons']}); check whether the source changed its units or format"
    )


def _reasons(rows: pl.DataFrame) -> pl.DataFrame:
    """Per series how often each rule was broken, as text: "flatline 12, spike 1"."""
    broken = rows.filter(pl.col("flag") != "ok").with_columns(pl.col("flag_reasons").str.split(","))
    counted = broken.explode("flag_reasons").group_by(*SERIES, "flag_reasons").len().sort("flag_reasons")
    counts = pl.format("{} {}", "flag_reasons", "len").str.join(", ")
    return counted.group_by(SERIES).agg(reasons=counts)


def _collapse(fetched: pl.DataFrame) -> pl.DataFrame:
    """One row per key, the newest; `n_duplicate` others went, and a differing one leaves the reason `conflict`."""
    ordered = fetched.sort(*KEY, "available_at", maintain_order=True)
    is_new_key = pl.any_horizontal(pl.col(column).ne_missing(pl.col(column).shift()) for column in KEY)
    numbered = ordered.with_columns(number=is_new_key.cum_sum())
    repeats = (
        numbered.filter(pl.col("number").is_duplicated())
        .group_by("number")
        .agg(n_duplicate=pl.len().cast(pl.Int64) - 1, n_values=pl.col("concentration_ugm3").n_unique())
    )
    newest = numbered.filter(pl.col("number").ne_missing(pl.col("number").shift(-1)))
    return newest.join(repeats, on="number", how="left", maintain_order="left").with_columns(
        n_duplicate=pl.col("n_duplicate").fill_null(0),
        flag_reasons=pl.when(pl.col("n_values") > 1).then(pl.lit("conflict")).otherwise(pl.lit("")),
    )
