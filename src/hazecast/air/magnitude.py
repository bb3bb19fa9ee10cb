"""Whether the magnitude of a series fits its unit: a whole series a thousand times too small has the wrong unit.

Each bound lies far outside the air that has been measured, so that a clean site passes and a wrong unit does not.
"""

from collections.abc import Mapping

import polars as pl

from hazecast.air.pollutants import Pollutant

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


def other_units(rows: pl.DataFrame) -> pl.DataFrame:
    """Series with the magnitude of another unit than µg/m³: station_id, pollutant, median and `unit`, the likely ones.

    Only positive values count: zeros and small negatives occur in every unit.

    Args:
        rows: station_id, pollutant, concentration_ugm3 [taken as µg/m³], without missing-value codes.
    """
    value = pl.col("concentration_ugm3")
    series = (
        rows.filter(value > 0)
        .group_by("station_id", "pollutant")
        .agg(n=pl.len(), median=value.median(), high=value.quantile(0.95))
        .filter(pl.col("n") >= FEWEST_VALUES)
        .sort("station_id", "pollutant")
    )
    is_small, is_large = pl.col("high") < _bound(_TOO_SMALL_UGM3, 0.0), pl.col("median") > _bound(_TOO_LARGE_UGM3, 1e30)
    is_gas = pl.col("pollutant").is_in([gas.value for gas in Pollutant if gas.molar_mass_gmol is not None])
    small = pl.when(is_gas).then(pl.lit("mg/m³ or ppm")).otherwise(pl.lit("mg/m³"))
    large = pl.when(is_gas).then(pl.lit("ng/m³ or ppt")).otherwise(pl.lit("ng/m³"))
    hint = pl.when(is_small).then(small).when(is_large).then(large)
    return series.select("station_id", "pollutant", "median", unit=hint).drop_nulls("unit")


def _bound(bounds: Mapping[Pollutant, float], default: float) -> pl.Expr:
    known = {pollutant.value: bound for pollutant, bound in bounds.items()}
    return pl.col("pollutant").replace_strict(known, default=default, return_dtype=pl.Float64)


# Range of the median of a weather variable where it is in another unit than its own.
_WEATHER_UNITS: Mapping[str, tuple[tuple[str, float, float], ...]] = {
    "temperature_c": (("Kelvin", 180.0, 340.0),),
    "dew_point_c": (("Kelvin", 170.0, 320.0),),
    "pressure_hpa": (("Pascal", 30_000.0, 110_000.0), ("kPa", 30.0, 110.0)),
    "relative_humidity_pct": (("a fraction of 1", 0.02, 1.0),),
}


def likely_weather_unit(variable: str, values: pl.Series) -> str | None:
    """The unit that explains the magnitude of a weather series; None where its own does, or too few values."""
    present = values.drop_nulls()
    present = present.filter(present != 0)
    fewest = FEWEST_VALUES if variable == "relative_humidity_pct" else 3
    if present.len() < fewest:
        return None
    median, largest = present.median(), present.max()
    if not isinstance(median, float) or not isinstance(largest, float):
        return None
    for unit, lowest, highest in _WEATHER_UNITS.get(variable, ()):
        if lowest <= median <= highest and (variable != "relative_humidity_pct" or largest <= 1.0):
            return unit
    return None
