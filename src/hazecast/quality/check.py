"""Flag a batch, report the findings, and decide whether it may be stored."""

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from hazecast.air.clock import hours_between
from hazecast.air.magnitude import other_units, unit_block
from hazecast.air.pollutants import Pollutant
from hazecast.air.tables import Observations, Quality, Stations, conform
from hazecast.quality.rules import KEY, SENTINELS, SERIES, judge

_UNUSABLE_SHARE = 0.5
_IS_MISSING = pl.col("flag_reasons").str.contains("sentinel", literal=True)


@dataclass(frozen=True)
class Flagged:
    """A batch after the check.

    Args:
        rows: Observations; every fetched key once, the newest where it came several times.
        revised: Observations; stored rows that gain a further reason from the new ones, to be stored again.
        series: one row per (station_id, pollutant) seen now or recently, with `n_duplicate` repeats collapsed.
        units: parts of series flagged `unit` (`air.magnitude.other_units`).
    """

    rows: pl.DataFrame
    revised: pl.DataFrame
    series: pl.DataFrame
    units: pl.DataFrame

    @property
    def unit_summary(self) -> str:
        """The series that look like another unit, as a line for people; empty where there is none."""
        return ", ".join(
            f"{row['pollutant']} at {row['station_id']} looks like {row['unit']} (median {row['median']:.3g})"
            for row in self.units.head(3).iter_rows(named=True)
        )


def flag(
    fetched: pl.DataFrame, *, recent: pl.DataFrame | None, now: datetime, stations: pl.DataFrame | None = None
) -> Flagged:
    """Judge a batch in the light of what is stored around it.

    Args:
        fetched: FetchedObservations, repeats and sentinels included; optionally with `flag_reasons`: "reported" where
            the source itself marks the value as invalid.
        recent: Observations around it, reaching `CONTEXT_HOURS` back; None or empty where nothing is stored.
        now: becomes `ingested_at`.
        stations: Stations; neighbours confirm high values; None: no confirmation.

    The frames are not validated here: a source validates what it fetches, the store what it stores.

    Source: rules after NOAA/PSD qc_site_pm25, pyaerocom and OpenAQ practice.
    """
    batch = _collapse(fetched)
    units = other_units(batch.filter(~pl.col("concentration_ugm3").is_in(SENTINELS)))
    batch = _with_unit_reason(batch, units)
    context = Observations.create_empty() if recent is None else recent
    context = context.join(batch, on=KEY, how="anti").with_columns(n_duplicate=pl.lit(0, pl.Int64), had="flag_reasons")
    ingested_at = pl.lit(now.astimezone(UTC))
    judged = judge(
        pl.concat([batch.with_columns(ingested_at=ingested_at), context], how="diagonal"),
        Stations.create_empty() if stations is None else stations,
    )
    columns = Observations.column_names()
    revised = judged.filter(pl.col("had") != pl.col("flag_reasons")).with_columns(ingested_at=ingested_at)
    return Flagged(
        rows=judged.filter(pl.col("had").is_null()).select(columns),
        revised=revised.select(columns),
        series=judged.group_by(SERIES).agg(pl.col("n_duplicate").sum()).sort(SERIES),
        units=units,
    )


def check_background(rows: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Forecasts of a physics model without impossible values, codes and series in another unit; and what was left out.

    Args:
        rows: Background.
    """
    value = pl.col("concentration_ugm3")
    lowest, highest = (
        pl.col("pollutant").replace_strict({p.value: getattr(p, bound) for p in Pollutant}, return_dtype=pl.Float64)
        for bound in ("noise_floor_ugm3", "invalid_above_ugm3")
    )
    measured = rows.filter(value.is_between(lowest, highest) & ~value.is_in(SENTINELS))
    units = other_units(measured)
    kept = measured.join(units, on=SERIES, how="anti")
    reasons = [
        f"{rows.height - measured.height:,} outside the range of air" if measured.height < rows.height else "",
        f"{measured.height - kept.height:,} that look like {units['unit'][0]}" if kept.height < measured.height else "",
    ]
    found = ", ".join(filter(None, reasons))
    return kept, f"left out: {found}" if found else ""


def report(flagged: Flagged, *, since: datetime, until: datetime, now: datetime) -> pl.DataFrame:
    """What the check found in [since, until): Quality, one row per station and pollutant seen now or recently.

    A series that has fallen silent stays in the report, with completeness 0. Missing-value codes count as missing;
    other invalid hours count as present.
    """
    rows = flagged.rows.filter(pl.col("observed_at").is_between(since, until, closed="left"))
    n_expected = round(hours_between(since, until))
    counts = rows.group_by(SERIES).agg(
        n_observed=(~_IS_MISSING).sum().cast(pl.Int64),
        n_suspicious=(pl.col("flag") == "suspicious").sum().cast(pl.Int64),
        n_invalid=((pl.col("flag") == "invalid") & ~_IS_MISSING).sum().cast(pl.Int64),
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
        codes = "every value is a missing-value code; " if report["reasons"].str.contains("sentinel").any() else ""
        return f"nothing was observed; {codes}check whether the source still delivers"
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
    reported = pl.col("flag_reasons") if "flag_reasons" in fetched.columns else pl.lit("")
    newest = numbered.filter(pl.col("number").ne_missing(pl.col("number").shift(-1)))
    return newest.join(repeats, on="number", how="left", maintain_order="left").with_columns(
        n_duplicate=pl.col("n_duplicate").fill_null(0),
        flag_reasons=pl.concat_str(
            pl.when(reported != "").then(reported),
            pl.when(pl.col("n_values") > 1).then(pl.lit("conflict")),
            separator=",",
            ignore_nulls=True,
        ),
    )


def _with_unit_reason(batch: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """The reason `unit` for every value of a series with the magnitude of another unit."""
    parts = units.select(*SERIES, "block", other=pl.lit(value=True))
    marked = batch.with_columns(block=unit_block()).join(parts, on=[*SERIES, "block"], how="left")
    earlier, other = pl.when(pl.col("flag_reasons") != "").then("flag_reasons"), pl.when("other").then(pl.lit("unit"))
    reasons = pl.concat_str(earlier, other, separator=",", ignore_nulls=True)
    return marked.with_columns(flag_reasons=reasons).drop("other", "block")
