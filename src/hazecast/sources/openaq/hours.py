"""Raw values of any period in any unit become hourly means in µg/m³."""

from datetime import timedelta

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import EU_REFERENCE_C, Unit, parse_unit, ugm3_per
from hazecast.quality.rules import SENTINELS

# Three quarters of the hour, as monitoring networks require.
COVERED = timedelta(minutes=45)


def unit_of(pollutant: str, written: str) -> Unit | None:
    """The unit OpenAQ writes as `written`; None when `pollutant` cannot be given in it."""
    unit = parse_unit(written)
    mixing_ratio = unit in (Unit.PPB, Unit.PPM)
    return None if mixing_ratio and Pollutant(pollutant).molar_mass_gmol is None else unit


def hourly_means(raw: pl.DataFrame) -> pl.DataFrame:
    """Means [µg/m³] over whole UTC hours from raw values of an hour or less; longer means are left out.

    A period belongs to the hour it starts in: where local hours are not UTC hours (+05:45), a mean over 22:15-23:15 is
    that of 22:00. An hour needs 45 minutes of values. Values that OpenAQ flags are averaged only where the hour has no
    others, which makes it "reported". Sentinels are never averaged or converted; an hour that has nothing else keeps
    one, for the checks to see. Of a repeated period the last value counts, of two instruments the
    newer. Mixing ratios are converted at 20 °C and 101.325 kPa, as all tables have it; an index gets them back exactly.

    Args:
        raw: one row per period: station_id, sensor_id, pollutant, units, starts_at, ends_at, value, is_flagged; units
            are known.

    Returns:
        One row per (station_id, pollutant, observed_at): concentration_ugm3, flag_reasons, and ends_at of its last
        period.
    """
    length = pl.col("ends_at") - pl.col("starts_at")
    measured = raw.drop_nulls("value").filter(length <= HOUR)
    measured = measured.unique(["sensor_id", "starts_at"], keep="last", maintain_order=True)
    is_sentinel = pl.col("value").is_in(list(SENTINELS))
    clean, flagged = pl.col("ugm3").filter(~pl.col("is_flagged")), pl.col("ugm3").filter("is_flagged")
    hours = (
        measured.with_columns(ugm3=pl.when(~is_sentinel).then(pl.col("value") * _factor(measured)))
        .group_by("station_id", "pollutant", "sensor_id", observed_at=pl.col("starts_at").dt.truncate("1h"))
        .agg(
            concentration_ugm3=pl.coalesce(clean.mean(), flagged.mean(), pl.col("value").last()),
            flag_reasons=pl.when(clean.count() == 0, flagged.count() > 0)
            .then(pl.lit("reported"))
            .otherwise(pl.lit("")),
            covered=length.filter(pl.col("ugm3").is_not_null() & (~pl.col("is_flagged") | (clean.count() == 0))).sum(),
            only_sentinels=pl.col("ugm3").is_null().all(),
            ends_at=pl.col("ends_at").max(),
        )
    )
    complete = hours.filter(pl.col("only_sentinels") | (pl.col("covered") >= COVERED)).sort("sensor_id")
    key = ["station_id", "pollutant", "observed_at"]
    return complete.unique(key, keep="last").sort(key).select(*key, "concentration_ugm3", "flag_reasons", "ends_at")


def _factor(rows: pl.DataFrame) -> pl.Expr:
    """µg/m³ in one of the row's units."""
    factors = {
        f"{pollutant} {written}": ugm3_per(unit, Pollutant(pollutant), reference_c=EU_REFERENCE_C)
        for pollutant, written in rows.select("pollutant", "units").unique().rows()
        if (unit := unit_of(pollutant, written)) is not None
    }
    return pl.concat_str("pollutant", "units", separator=" ").replace_strict(factors, return_dtype=pl.Float64)
