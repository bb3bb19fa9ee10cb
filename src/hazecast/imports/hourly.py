"""Values of files become hourly means in our units; everything left out is counted with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from hazecast.air.magnitude import other_units, other_weather_units
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.tables import WEATHER_VARIABLES
from hazecast.air.units import EU_REFERENCE_C, ugm3_per, weather_unit
from hazecast.imports.report import Report
from hazecast.quality.rules import SENTINELS
from hazecast.sources.files.columns import pollutant_unit
from hazecast.sources.files.hours import aggregated, other_steps, without_outlying_times

_SERIES = ["station_id", "field"]
_APART = "\x1f"


@dataclass(frozen=True)
class Hours:
    """Hourly values.

    Args:
        observations: station_id, observed_at, and a column [ug/m3] per pollutant; empty without any.
        weather: station_id, valid_at, and a column per weather variable; empty without weather.
    """

    observations: pl.DataFrame
    weather: pl.DataFrame


def hourly(usable: pl.DataFrame, report: Report, *, now: datetime) -> Hours:
    """Hourly means from the values of all files.

    Args:
        usable: rows of `usable_of`.
        report: gets what is dropped.
        now: the present, UTC; later times are left out.
    """
    usable = _without_repeats(usable, report)
    is_pollutant = pl.col("field").is_in(POLLUTANTS)
    observed = _observations(usable.filter(is_pollutant), report, now)
    return Hours(observed, _weather(usable.filter(~is_pollutant), report))


def usable_of(values: pl.DataFrame, report: Report, *, units: Mapping[str, str]) -> pl.DataFrame:
    """Rows with a value in our unit, without `unit` and `reason`; the rest is counted.

    Args:
        values: of one file (formats.VALUES).
        report: gets what is dropped.
        units: unit by pollutant, in place of that of the file.
    """
    if units:
        given = pl.col("field").replace_strict(dict(units), default=None, return_dtype=pl.String)
        values = values.with_columns(unit=pl.coalesce(given, "unit"))
    scaled = values.join(_scales(values), on=["field", "unit"], how="left", nulls_equal=True, maintain_order="left")
    is_code = pl.col("value").is_in(list(SENTINELS))
    present = pl.all_horizontal(pl.col("field", "station_id", "value", "at", "factor").is_not_null())
    is_usable = present & pl.col("reason").is_null() & ~is_code
    left_out = scaled.filter(~is_usable.fill_null(value=False))
    blank = pl.col("text").is_null() | (pl.col("text").str.strip_chars() == "") | _stands_for_nothing()
    reason = (
        pl.when(pl.col("field").is_null())
        .then(pl.format("not a variable of Hazecast: {}", pl.col("name").fill_null("no name")))
        .when(pl.col("station_id").is_null())
        .then(pl.lit("the station is not named"))
        .when(pl.col("reason").is_not_null())
        .then("reason")
        .when(pl.col("value").is_null() & blank)
        .then(pl.lit("no value"))
        .when(pl.col("at").is_null())
        .then(pl.lit("the time is not readable"))
        .when(pl.col("value").is_null())
        .then(pl.lit("not a number"))
        .when(is_code)
        .then(pl.lit("a code for a missing value"))
        .otherwise(pl.format("unit {} is unknown for {}", pl.col("unit").fill_null("(none)"), "field"))
    )
    report.add(left_out.with_columns(reason=reason))
    kept = scaled.filter(is_usable)
    in_our_unit = pl.col("value") * pl.col("factor") + pl.col("offset")
    compact = pl.col("file", "name").cast(pl.Categorical)
    return kept.with_columns(compact, value=in_our_unit).drop("factor", "offset", "unit", "reason")


def _stands_for_nothing() -> pl.Expr:
    """Words for a missing value, as files have them."""
    words = ("na", "n/a", "nan", "null", "none", "no data", "nodata", "-", "--", "---", "unknown", "unavailable")
    return pl.col("text").str.strip_chars().str.to_lowercase().is_in(words)


def _scales(values: pl.DataFrame) -> pl.DataFrame:
    """`factor` and `offset` to our unit by field and unit; null where the unit is not one of the field."""
    rows = []
    for field, unit in values.select("field", "unit").unique().drop_nulls("field").rows():
        factor, offset = _scale(field, unit or "")
        rows.append((field, unit, factor, offset))
    schema = {"field": pl.String, "unit": pl.String, "factor": pl.Float64, "offset": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _scale(field: str, unit: str) -> tuple[float | None, float | None]:
    if not unit:
        return 1.0, 0.0
    if field in WEATHER_VARIABLES:
        return weather_unit(field, unit) or (None, None)
    known = pollutant_unit(field, unit)
    return (None, None) if known is None else (ugm3_per(known, Pollutant(field), reference_c=EU_REFERENCE_C), 0.0)


def _without_repeats(rows: pl.DataFrame, report: Report) -> pl.DataFrame:
    """One value per instrument and time: that of the highest preference, of these the last in the files."""
    key = ["station_id", "monitor", "field", "at"]
    is_repeated = rows.select(key).is_duplicated()
    if not is_repeated.any():
        return rows
    ordered = rows.filter(is_repeated).sort("preference", maintain_order=True)
    marked = ordered.with_columns(
        is_kept=pl.int_range(pl.len()).over(key) == pl.len().over(key) - 1,
        same=pl.col("value") == pl.col("value").last().over(key),
    )
    other = pl.lit("another value for the same time; the last counts")
    reason = pl.when("same").then(pl.lit("repeated")).otherwise(other)
    report.add(marked.filter(~pl.col("is_kept")).with_columns(reason=reason))
    return pl.concat([rows.filter(~is_repeated), marked.filter("is_kept").select(rows.columns)])


def _observations(rows: pl.DataFrame, report: Report, now: datetime) -> pl.DataFrame:
    if rows.is_empty():
        return pl.DataFrame()
    rows = rows.with_columns(observed_at=pl.col("at").dt.truncate("1h"))
    means = _means(rows, report)
    means = _one_instrument(means, report)
    kept, _ = without_outlying_times(means, now)
    means = _drop(means, kept, report, pl.lit("the time is in the future, before 1971, or weeks away from the rest"))
    means = _only_hours(means, report)
    wrong = other_units(means.rename({"field": "pollutant"})).rename({"pollutant": "field"}) if means.height else None
    if wrong is not None and wrong.height:
        wrong = wrong.unique(_SERIES, keep="first")
        kept = means.join(wrong, on=_SERIES, how="anti")
        hint = means.join(wrong.select(*_SERIES, "unit"), on=_SERIES, how="left", maintain_order="left")["unit"]
        reason = pl.format("its series has the magnitude of {}; give it with --unit", hint.fill_null(""))
        means = _drop(means, kept, report, reason)
    wide = means.pivot("field", index=["station_id", "observed_at"], values="concentration_ugm3")
    columns = [pollutant for pollutant in POLLUTANTS if pollutant in wide.columns]
    return wide.select("station_id", "observed_at", *columns).sort("station_id", "observed_at")


def _means(rows: pl.DataFrame, report: Report) -> pl.DataFrame:
    """Hourly means by instrument; the first value of each hour stands for it in the report."""
    hours = ["station_id", "monitor", "field", "observed_at"]
    is_within = rows.select(hours).is_duplicated()
    rows = rows.rename({"value": "concentration_ugm3"})
    if not is_within.any():
        return rows
    series = rows.filter(is_within).select("station_id", "monitor", "field").unique()
    fine = rows.join(series, on=["station_id", "monitor", "field"], how="semi", maintain_order="left")
    parts = fine.select(
        "observed_at",
        "at",
        "concentration_ugm3",
        station_id=pl.concat_str("station_id", pl.lit(_APART), "monitor"),
        pollutant="field",
        flag_reasons=pl.lit(""),
    )
    split = pl.col("station_id").str.split_exact(_APART, 1).struct
    means = aggregated(parts).select(
        "observed_at",
        "concentration_ugm3",
        station_id=split.field("field_0"),
        monitor=split.field("field_1"),
        field="pollutant",
    )
    few = fine.join(means, on=hours, how="anti")
    report.add(few.with_columns(reason=pl.lit("less than three quarters of the hour are measured")))
    first = fine.unique(hours, keep="first", maintain_order=True).drop("concentration_ugm3")
    averaged = first.join(means, on=hours, how="inner", maintain_order="left")
    whole = rows.join(series, on=["station_id", "monitor", "field"], how="anti")
    return pl.concat([whole, averaged.select(whole.columns)])


def _one_instrument(means: pl.DataFrame, report: Report) -> pl.DataFrame:
    """Of several instruments at a station the one with the most hours counts, in its gaps the next."""
    hour = ["station_id", "field", "observed_at"]
    if not means.select(hour).is_duplicated().any():
        return means
    hours = pl.len().over("station_id", "field", "monitor")
    ranked = means.with_columns(hours=hours).sort("hours", "monitor", descending=[True, False], maintain_order=True)
    kept = ranked.unique(hour, keep="first", maintain_order=True)
    return _drop(ranked, kept, report, pl.lit("another instrument at the same station")).drop("hours")


def _only_hours(means: pl.DataFrame, report: Report) -> pl.DataFrame:
    """Without the parts of series whose values are further apart than hours."""
    while True:
        parts = other_steps(means.rename({"field": "pollutant"})).rename({"pollutant": "field"})
        if parts.is_empty():
            return means
        worst = parts.unique(_SERIES, keep="first").select(*_SERIES, "step", "first", "last")
        joined = means.join(worst, on=_SERIES, how="left", maintain_order="left")
        inside = pl.col("observed_at").is_between("first", "last").fill_null(value=False)
        reason = pl.format(
            "values are {} h apart: means over longer periods", joined["step"].dt.total_hours().fill_null(0)
        )
        means = _drop(means, joined.filter(~inside).select(means.columns), report, reason)


def _drop(rows: pl.DataFrame, kept: pl.DataFrame, report: Report, reason: pl.Expr) -> pl.DataFrame:
    """`kept`, after counting the rest of `rows`."""
    key = ["station_id", "field", "observed_at", "monitor"]
    report.add(rows.with_columns(reason=reason).join(kept, on=key, how="anti"))
    return kept


def _weather(rows: pl.DataFrame, report: Report) -> pl.DataFrame:
    """Hourly weather of the instrument with the most values."""
    if rows.is_empty():
        return pl.DataFrame(schema={"station_id": pl.String, "valid_at": pl.Datetime("us", "UTC")})
    counts = rows.group_by(*_SERIES, "monitor").len().sort("len", "monitor", descending=[True, False])
    first = counts.unique(_SERIES, keep="first").select(*_SERIES, "monitor")
    extra = rows.join(first, on=[*_SERIES, "monitor"], how="anti")
    report.add(extra.with_columns(reason=pl.lit("another instrument at the same station")))
    used = rows.join(first, on=[*_SERIES, "monitor"], how="semi")
    east, north = pl.col("value").radians().sin().mean(), pl.col("value").radians().cos().mean()
    mean = (
        pl.when(pl.col("field").first() == "wind_direction_deg")
        .then(pl.arctan2(east, north).degrees() % 360)
        .when(pl.col("field").first() == "precipitation_mm")
        .then(pl.col("value").sum())
        .otherwise(pl.col("value").mean())
    )
    hours = used.group_by(*_SERIES, valid_at=pl.col("at").dt.truncate("1h")).agg(value=mean)
    wide = hours.pivot("field", index=["station_id", "valid_at"], values="value")
    for station_id, variable, unit in other_weather_units(wide).select("station_id", "variable", "unit").rows():
        is_it = pl.col("station_id") == station_id
        wide = wide.with_columns(pl.when(~is_it).then(variable).alias(variable))
        other = used.filter(is_it, pl.col("field") == variable)
        report.add(other.with_columns(reason=pl.lit(f"{variable} has the magnitude of {unit}")))
    columns = [variable for variable in WEATHER_VARIABLES if variable in wide.columns]
    present = wide.filter(~pl.all_horizontal(pl.col(columns).is_null()))
    return present.select("station_id", "valid_at", *columns).sort("station_id", "valid_at")
