"""Quality control of weather: what cannot be outdoor weather becomes null, so that no model learns from it."""

from dataclasses import dataclass

import polars as pl

from hazecast.air.magnitude import other_weather_units

# Range of hourly outdoor weather on Earth: WMO extremes (-89.2 and 56.7 °C, dew point 35 °C, 1084.8 hPa at sea level,
# gusts of 113 m/s), about 330 hPa on the highest summits, 401 mm of rain in an hour, humidity of 0.4 % (Iran, 2017).
_RANGES = {
    "temperature_c": (-92.0, 60.0),
    "dew_point_c": (-95.0, 40.0),
    "pressure_hpa": (300.0, 1100.0),
    "precipitation_mm": (-0.05, 410.0),
    "wind_direction_deg": (0.0, 360.0),
    "wind_speed_ms": (0.0, 90.0),
    "relative_humidity_pct": (0.3, 106.0),
}
# Missing-value codes inside those ranges (NOAA ISD writes 99.9 for wind, loggers -99 for dew point).
_CODES = {"wind_speed_ms": (88.8, 99.9), "precipitation_mm": (99.9, 99.99, 99.0, 999.0), "relative_humidity_pct": ()}
# Equal observed hours in a row that no atmosphere gives: temperature has a day, pressure a tide.
_STUCK_HOURS = {"temperature_c": 24, "dew_point_c": 48, "pressure_hpa": 48}
_SERIES = ["station_id", "issued_at"]


@dataclass(frozen=True)
class CheckedWeather:
    """Weather after the check, and how many values of which variable became null, with the reason."""

    rows: pl.DataFrame
    rejected: dict[str, int]

    @property
    def summary(self) -> str:
        """The counts as a line for people; empty where nothing was rejected."""
        return ", ".join(f"{count:,} {what}" for what, count in self.rejected.items())


def check_weather(weather: pl.DataFrame) -> CheckedWeather:
    """Set to null what is outside the range of outdoor weather, a missing-value code, in another unit, or stuck.

    Args:
        weather: Weather.
    """
    rows, rejected = weather.sort(*_SERIES, "valid_at"), {}
    units = other_weather_units(rows)
    for variable, (lowest, highest) in _RANGES.items():
        value = pl.col(variable)
        series = units.filter(pl.col("variable") == variable)
        looks = ", ".join(series["unit"].unique().sort())
        in_other_unit = pl.col("station_id").is_in(series["station_id"].implode()) & value.is_not_null()
        outside = ~value.is_between(lowest, highest) | value.is_in(list(_CODES.get(variable, ())))
        for reason, wrong in (
            (f"(looks like {looks})", in_other_unit),
            ("outside the range of weather", outside),
            ("stuck", _is_stuck(variable)),
        ):
            marked = rows.select(wrong.fill_null(value=False)).to_series()
            if marked.any():
                rejected[f"{variable} {reason}"] = int(marked.sum())
                rows = rows.with_columns(pl.when(~marked).then(value).alias(variable))
    return CheckedWeather(rows, rejected)


def _is_stuck(variable: str) -> pl.Expr:
    """Observed hours that belong to a run of equal values longer than the atmosphere allows."""
    hours = _STUCK_HOURS.get(variable)
    if hours is None:
        return pl.lit(value=False)
    value = pl.col(variable)
    run = (value != value.shift()).fill_null(value=True).cum_sum().over(_SERIES)
    length = pl.len().over(*_SERIES, run.alias("run"))
    return pl.col("issued_at").is_null() & value.is_not_null() & (length >= hours)
