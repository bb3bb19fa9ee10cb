"""Whether the magnitude of a series fits its unit: a whole series a thousand times too small has the wrong unit.

Each bound lies far outside the air that has been measured, so that a clean site passes and a wrong unit does not.
"""

from collections.abc import Mapping

import polars as pl

from hazecast.air.pollutants import Pollutant
from hazecast.air.tables import WEATHER_VARIABLES

# Fewer values do not show the magnitude of a series.
FEWEST_VALUES = 12
# The 95th percentile of positive hourly means [µg/m³] below which no outdoor series lies. CO: the Northern and Southern
# background are 120 and 50 µg/m³ (WMO GAW). Gases and particles: a tenth of the background at remote GAW sites.
_TOO_SMALL_UGM3 = {
    Pollutant.PM25: 0.5,
    Pollutant.PM10: 0.8,
    Pollutant.NO2: 0.15,
    Pollutant.O3: 0.5,
    Pollutant.SO2: 0.06,
    Pollutant.CO: 30.0,
}
# The median of positive hourly means [µg/m³] above which no outdoor series lies for a day.
_TOO_LARGE_UGM3 = {
    Pollutant.PM25: 3_000.0,
    Pollutant.PM10: 10_000.0,
    Pollutant.NO2: 1_500.0,
    Pollutant.O3: 1_000.0,
    Pollutant.SO2: 10_000.0,
    Pollutant.CO: 60_000.0,
}


def unit_block() -> pl.Expr:
    """The part of a series in which its unit is judged: a week, or a day of CO, whose background is known best."""
    at = pl.col("observed_at")
    return pl.when(pl.col("pollutant") == Pollutant.CO.value).then(at.dt.truncate("1d")).otherwise(at.dt.truncate("1w"))


def other_units(rows: pl.DataFrame) -> pl.DataFrame:
    """Parts of series with the magnitude of another unit than µg/m³.

    Only positive values count: zeros and small negatives occur in every unit.

    Args:
        rows: station_id, pollutant, concentration_ugm3 [taken as µg/m³], without missing-value codes; with observed_at,
            each `unit_block` of a series is judged, else the whole.

    Returns:
        One row per part: station_id, pollutant, block (null: the whole series), median and `unit`, the likely ones.
    """
    value = pl.col("concentration_ugm3")
    block = unit_block() if "observed_at" in rows.columns else pl.lit(None, pl.Datetime("us", "UTC"))
    series = (
        rows.filter(value > 0)
        .group_by("station_id", "pollutant", block=block)
        .agg(n=pl.len(), median=value.median(), high=value.quantile(0.95))
        .filter(pl.col("n") >= FEWEST_VALUES)
        .sort("station_id", "pollutant", "block")
    )
    is_small, is_large = pl.col("high") < _bound(_TOO_SMALL_UGM3, 0.0), pl.col("median") > _bound(_TOO_LARGE_UGM3, 1e30)
    is_gas = pl.col("pollutant").is_in([gas.value for gas in Pollutant if gas.molar_mass_gmol is not None])
    small = pl.when(is_gas).then(pl.lit("mg/m³ or ppm")).otherwise(pl.lit("mg/m³"))
    large = pl.when(is_gas).then(pl.lit("ng/m³ or ppt")).otherwise(pl.lit("ng/m³"))
    hint = pl.when(is_small).then(small).when(is_large).then(large)
    return series.select("station_id", "pollutant", "block", "median", unit=hint).drop_nulls("unit")


def _bound(bounds: Mapping[Pollutant, float], default: float) -> pl.Expr:
    known = {pollutant.value: bound for pollutant, bound in bounds.items()}
    return pl.col("pollutant").replace_strict(known, default=default, return_dtype=pl.Float64)


# Where the median of a weather series lies when it is in another unit; three values show it.
_MEDIAN_IN_OTHER_UNIT: Mapping[str, tuple[tuple[str, float, float], ...]] = {
    "temperature_c": (("Kelvin", 180.0, 340.0),),
    "dew_point_c": (("Kelvin", 170.0, 320.0),),
    "pressure_hpa": (
        ("Pascal", 30_000.0, 110_000.0),
        ("kPa", 33.0, 110.0),
        ("inHg", 15.0, 33.0),
        ("atm or bar", 0.5, 1.2),
    ),
    "wind_speed_ms": (("km/h, mph or cm/s", 40.0, 3_000.0),),
}
_FEWEST_WEATHER_VALUES = 3
# A twentieth of the hours above this [°C] is no climate of the Earth: Fahrenheit.
_FAHRENHEIT_ABOVE_C = {"temperature_c": 55.0, "dew_point_c": 36.0}
_HOTTEST_FAHRENHEIT = 135.0
_DRIEST_FRACTION, _FULL_CIRCLE_RAD = 0.02, 6.2832
# Missing-value codes near the range of weather, which say nothing about the unit.
_CODES = (88.8, 99.0, 99.9, 99.99, 999.0, 999.9)


def other_weather_units(rows: pl.DataFrame) -> pl.DataFrame:
    """Weather series with the magnitude of another unit: station_id, variable, median and `unit`, the likely ones.

    Args:
        rows: station_id and weather variables, taken as in their own units; nulls, zeros and codes do not count.
    """
    empty = pl.DataFrame(schema={"station_id": pl.String, "variable": pl.String, "median": float, "unit": pl.String})
    variables = [name for name in WEATHER_VARIABLES if name in rows.columns]
    return pl.concat([empty, *(_series_in_other_unit(rows, variable) for variable in variables)])


def _series_in_other_unit(rows: pl.DataFrame, variable: str) -> pl.DataFrame:
    value, n, median, least, largest = (
        pl.col(variable),
        pl.col("n"),
        pl.col("median"),
        pl.col("least"),
        pl.col("largest"),
    )
    series = (
        rows.filter(value.is_not_null() & (value != 0) & ~value.is_in(_CODES))
        .group_by("station_id")
        .agg(
            n=pl.len(),
            median=value.median(),
            least=value.min(),
            largest=value.max(),
            high=value.filter(value.is_between(-90.0, _HOTTEST_FAHRENHEIT)).quantile(0.95),
            has_fractions=(value % 1 != 0).any(),
        )
        .sort("station_id")
    )
    found = [
        ((n >= _FEWEST_WEATHER_VALUES) & median.is_between(lowest, highest), unit)
        for unit, lowest, highest in _MEDIAN_IN_OTHER_UNIT.get(variable, ())
    ]
    is_enough = n >= FEWEST_VALUES
    if variable in _FAHRENHEIT_ABOVE_C:
        found.append((is_enough & (pl.col("high") > _FAHRENHEIT_ABOVE_C[variable]), "Fahrenheit"))
    if variable == "relative_humidity_pct":
        found.append((is_enough & median.is_between(_DRIEST_FRACTION, 1.0) & (largest <= 1.0), "a fraction of 1"))
    if variable == "wind_direction_deg":
        in_circle = (least > 0) & largest.is_between(1.0, _FULL_CIRCLE_RAD) & pl.col("has_fractions")
        found.append((is_enough & in_circle, "radians"))
    unit = pl.coalesce([pl.lit(None, pl.String), *(pl.when(condition).then(pl.lit(name)) for condition, name in found)])
    return series.select("station_id", pl.lit(variable).alias("variable"), "median", unit=unit).drop_nulls("unit")
