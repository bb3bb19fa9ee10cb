"""The naive forecasts, for scoring and as baselines: from rows of known values to a column beside the forecast rows.

`known` has the columns `by`, valid_at and observed_ugm3 [µg/m³]; `rows` have `by`, issued_at, valid_at and lead_hours.
"""

import polars as pl

from hazecast.air.spec import DAY_HOURS

PERSISTENCE_HOURS = 48
SEASONAL_DAYS = 4


def with_persistence(rows: pl.DataFrame, known: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Add persistence_ugm3: the last value before issue, at most 48 h older than the newest hour; else null."""
    key = list(dict.fromkeys([*by, "issued_at"]))
    newest = (pl.col("issued_at") - pl.duration(hours=1)).alias("valid_at")
    origins = rows.select(key).unique().with_columns(newest)
    last = origins.sort("valid_at").join_asof(
        known.select(*by, "valid_at", persistence_ugm3="observed_ugm3").sort("valid_at"),
        on="valid_at",
        by=list(by),
        tolerance=f"{PERSISTENCE_HOURS}h",
        check_sortedness=False,
    )
    return rows.join(last.drop("valid_at"), on=key, how="left")


def with_seasonal_naive(rows: pl.DataFrame, known: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Add seasonal_naive_ugm3: the same clock hour of the latest complete day before issue, up to 4 days back."""
    days = (pl.col("lead_hours").cast(pl.Int64) + DAY_HOURS - 1) // DAY_HOURS
    found = []
    for more in range(SEASONAL_DAYS):
        name = f"_{more}"
        earlier = pl.col("valid_at") - pl.duration(hours=DAY_HOURS * (days + more))
        values = known.select(*by, _at="valid_at", **{name: "observed_ugm3"})
        rows = rows.with_columns(earlier.alias("_at")).join(values, on=[*by, "_at"], how="left")
        found.append(name)
    return rows.with_columns(pl.coalesce(found).alias("seasonal_naive_ugm3")).drop("_at", *found)
