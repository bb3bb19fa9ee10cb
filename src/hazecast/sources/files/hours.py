"""The step of a series: hourly means are read, other steps are refused or averaged, and single stray times left out."""

from datetime import UTC, datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.errors import SourceRefused

SERIES = ["station_id", "pollutant"]
# So many values in a row at one step longer than an hour are means over that step, not hours with gaps.
_FEWEST_STEPS, _FEWEST_SPARSE = 6, 3
# A part of the record this far from the rest, with fewer hours than this, is a mistyped date or a wrong clock. Loggers
# without a battery begin at 1970.
_FAR, _FEWEST_HOURS, _SMALL_SHARE = timedelta(days=28), 24, 0.01
_FIRST_PLAUSIBLE = datetime(1971, 1, 1, tzinfo=UTC)
_CLOCK_TOLERANCE = timedelta(days=1)
# Three quarters of the hour, as monitoring networks require.
_COVERED_SHARE = 0.75


def without_outlying_times(rows: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, str]:
    """`rows` without times after `now` or far from the rest, and what was left out as a sentence.

    Raises:
        SourceRefused: every time is after `now`.
    """
    hours = rows["observed_at"].unique().sort()
    past = hours.filter(hours <= now + _CLOCK_TOLERANCE)
    if past.is_empty():
        raise SourceRefused(
            f"observations: every time is in the future, from {hours[0]:%Y-%m-%dT%H:%MZ} to "
            f"{hours[-1]:%Y-%m-%dT%H:%MZ}; correct the times, or the clock of this machine"
        )
    plausible = past.filter(past >= _FIRST_PLAUSIBLE)
    past = plausible if plausible.len() else past
    part = (past.diff() > _FAR).fill_null(value=False).cum_sum()
    parts = pl.DataFrame({"observed_at": past, "part": part})
    sizes = parts.group_by("part").len()
    largest = int(sizes["len"].max() or 0)  # type: ignore[arg-type]  # an integer column
    small = sizes.filter(
        (pl.col("len") < _FEWEST_HOURS)
        & (pl.col("len") < largest)
        & (pl.col("len") <= max(1, _SMALL_SHARE * past.len()))
    )
    kept = parts.join(small, on="part", how="anti")["observed_at"]
    stray = rows.filter(~pl.col("observed_at").is_in(kept.implode()))
    if stray.is_empty():
        return rows, ""
    times = ", ".join(f"{time:%Y-%m-%dT%H:%MZ}" for time in stray["observed_at"].unique().sort().head(3))
    message = (
        f"observations: {stray.height} of {rows.height} values left out, their times ({times}) are in the future or "
        "far from the rest (four weeks, or before 1971); correct them"
    )
    return rows.filter(pl.col("observed_at").is_in(kept.implode())), message


def refuse_other_steps(rows: pl.DataFrame, file: str) -> None:
    """Refuse series whose values are means over more than an hour.

    Raises:
        SourceRefused: naming the series, the step and the first such time.
    """
    found = other_steps(rows)
    if found.height:
        worst = found.row(0, named=True)
        step_hours = worst["step"] / HOUR
        raise SourceRefused(
            f"{file}, column {worst['pollutant']}, station {worst['station_id']}: values are {step_hours:.0f} h apart "
            f"from {worst['first']:%Y-%m-%dT%H:%MZ} on; Hazecast reads hourly means: leave out means over longer "
            "periods, they cannot be split into hours"
        )


def other_steps(rows: pl.DataFrame) -> pl.DataFrame:
    """Parts of series whose values are means over more than an hour, the longest first.

    Args:
        rows: station_id, pollutant, observed_at.

    Returns:
        station_id, pollutant, step, n (of steps), first and last time of the part.
    """
    stepped = (
        rows.select(*SERIES, "observed_at")
        .unique()
        .sort(*SERIES, "observed_at")
        .with_columns(step=pl.col("observed_at").diff().over(SERIES))
        .drop_nulls("step")
        .with_columns(run=(pl.col("step") != pl.col("step").shift()).fill_null(value=True).cum_sum().over(SERIES))
    )
    columns = [*SERIES, "step", "n", "first", "last"]
    part = {"n": pl.len(), "first": pl.col("observed_at").min(), "last": pl.col("observed_at").max()}
    runs = (
        stepped.filter(pl.col("step") > HOUR)
        .group_by(*SERIES, "run", "step")
        .agg(**part)
        .filter(pl.col("n") >= _FEWEST_STEPS)
    )
    whole = stepped.group_by(SERIES).agg(step=pl.col("step").min(), **part)
    sparse = whole.filter((pl.col("step") > HOUR) & (pl.col("n") >= _FEWEST_SPARSE))
    found = pl.concat([runs.select(columns), sparse.select(columns)]).sort("n", descending=True)
    return found.with_columns(first=pl.col("first") - pl.col("step"))


def aggregated(rows: pl.DataFrame) -> pl.DataFrame:
    """Means of the values within each hour, where three quarters of the hour are covered; hourly values stay.

    Repeats of hourly values still reach the quality check; of repeated finer values the last counts.
    """
    step = (
        rows.select(*SERIES, "at")
        .unique()
        .sort(*SERIES, "at")
        .with_columns(step=pl.col("at").diff().over(SERIES))
        .filter(pl.col("step") > timedelta(0))
        .group_by(SERIES)
        .agg(step=pl.col("step").mode().min())
    )
    joined = rows.join(step, on=SERIES, how="left").with_columns(pl.col("step").fill_null(HOUR))
    hourly = joined.filter(pl.col("step") >= HOUR).select(rows.columns)
    fine = joined.filter(pl.col("step") < HOUR).unique([*SERIES, "at"], keep="last")
    means = (
        fine.group_by(*SERIES, "observed_at")
        .agg(
            at=pl.col("at").min(),
            concentration_ugm3=pl.col("concentration_ugm3").mean(),
            flag_reasons=pl.col("flag_reasons").max(),
            covered=pl.len() * pl.col("step").first() / HOUR,
        )
        .filter(pl.col("covered") >= _COVERED_SHARE)
    )
    return pl.concat([hourly, means.select(rows.columns)])
