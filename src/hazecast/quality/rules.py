"""The rules by which an observation is flagged.

`invalid` means that the number is not a measurement, `suspicious` that it may be one but needs a second look.
"""

import polars as pl

from hazecast.air.pollutants import Pollutant
from hazecast.quality.neighbours import confirmed

KEY = ("station_id", "pollutant", "observed_at")
SERIES = ("station_id", "pollutant")

# How far back the slowest rule looks [h].
CONTEXT_HOURS = 48

# Every rule and its flag; `conflict` and `unit` are found before, `reported` comes from the source.
RULES: dict[str, str] = {
    "sentinel": "invalid",
    "reported": "invalid",
    "unit": "invalid",
    "negative": "invalid",
    "impossible": "invalid",
    "high": "suspicious",
    "spike": "suspicious",
    "flatline": "suspicious",
    "pm25_above_pm10": "suspicious",
    "conflict": "suspicious",
}

_PM25, _PM10 = Pollutant.PM25.value, Pollutant.PM10.value
# Missing-value codes of loggers and networks (AirNow, OpenAQ, AURN, UCI, NOAA ISD, NetCDF fill values); 985 is the full
# scale of a common particle monitor (BAM).
_CODES = "77 777 7777 88 888 8888 99 99.9 99.99 999 999.9 999.99 999.999 9999 9999.9 9999.99 99999 99999.9 999999 200"
SENTINELS = (
    *(-float(code) for code in _CODES.split()),
    *(9999.0, 9999.9, 9999.99, 99999.0, 99999.9, 999999.0, 9999999.0),
    *(-32768.0, -2147483648.0, 1e20, -1e20, 9.969209968386869e36),
)
_FILL = 1e15  # beyond it lie the fill values of NetCDF and HDF
# A code where it repeats: -1 where the series has no other negative value, since noise is not that regular; any number
# below the noise; and these, where nothing else in the series reaches half of them.
_MINUS_ONE, _REPEATED = -1.0, 3
_HIGH_CODES = (777.0, 888.0, 999.0, 999.9, 999.99, 7777.0, 8888.0, 32767.0, 65535.0, 88888.0)
_PM_FULL_SCALE = 985.0
# NOAA qc_site_pm25: so many hours stand out when each is so far [µg/m³] above the hours on both sides.
_SPIKES = ((1, 50.0), (2, 100.0), (3, 100.0))
# So many equal hours are odd, or, at numbers of a single digit (SO2 = 2, CO = 300: an instrument's floor or coarse
# step), as many as the context shows. Chosen on real records, see docs/data.md.
_FLATLINE_HOURS, _FINE_STEPS = 6, 10
# Particles whose median is above this [µg/m³] do not vanish for hours.
_NEVER_ZERO_UGM3 = 10.0
# An hour is confirmed as high by the hour before with at least this share of it; by a neighbour, of the bound or value.
_CONFIRMING_SHARE = 0.5
# "Hazardous" in the US index begins at 225.5 µg/m³ of PM2.5: hours above are smoke or dust.
_SMOKE_UGM3 = 225.0
# Hourly PM2.5 may exceed PM10 by the noise of two instruments, not by more.
_PM_RATIO, _PM_OFFSET_UGM3 = 1.1, 5.0


def judge(rows: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """`rows` in the order of their key, with `flag` and `flag_reasons` by every rule; reasons they had stay.

    Args:
        rows: one row per (station_id, pollutant, observed_at) with concentration_ugm3 [µg/m³] and flag_reasons.
        stations: their coordinates; a high value that a neighbour confirms is not flagged.
    """
    timeline = _timeline(rows)
    bound = _plausible("suspicious_above_ugm3")
    timeline = timeline.with_columns(is_high=pl.col("trusted") > bound, is_spike=_is_spike())
    is_alone = _is_alone(timeline.with_columns(needed=pl.when("is_high").then(bound) * _CONFIRMING_SHARE), stations)
    spikes = timeline.with_columns(trusted=pl.when("is_spike").then("trusted"))
    jumps_alone = _is_alone(spikes.with_columns(needed=pl.col("trusted") * _CONFIRMING_SHARE), stations)
    stands_alone = _stands_alone(timeline.with_columns(is_alone=is_alone))
    broken: dict[str, pl.Expr | pl.Series] = {
        "sentinel": _is_missing_code(),
        "negative": _is_negative() & ~_is_missing_code(),
        "impossible": _is_impossible() & ~_is_missing_code(),
        "high": stands_alone,
        "spike": pl.col("is_spike") & jumps_alone,
        "flatline": _is_flatline(),
        "pm25_above_pm10": _pm25_exceeds_pm10(timeline),
    }
    had = {rule: pl.col("flag_reasons").str.contains(rule, literal=True) for rule in RULES}
    checked = timeline.with_columns(**{rule: had[rule] | broken.get(rule, pl.lit(value=False)) for rule in RULES})
    earned = {word: pl.any_horizontal(rule for rule in RULES if RULES[rule] == word) for word in set(RULES.values())}
    reasons = [pl.when(rule).then(pl.lit(rule)) for rule in RULES]
    return checked.with_columns(
        flag=pl.when(earned["invalid"])
        .then(pl.lit("invalid"))
        .when(earned["suspicious"])
        .then(pl.lit("suspicious"))
        .otherwise(pl.lit("ok")),
        flag_reasons=pl.concat_str(reasons, separator=",", ignore_nulls=True),
    )


def _stands_alone(timeline: pl.DataFrame) -> pl.Series:
    """Whether a high hour is confirmed neither by a neighbour nor by the hours before.

    The hour before confirms with at least half of the value, unless it is high and unconfirmed itself: smoke rises over
    hours, a fault jumps and stays.
    """
    is_high = pl.col("is_high").fill_null(value=False)
    goes_on = (_at(-1) >= _CONFIRMING_SHARE * pl.col("trusted")).fill_null(value=False)
    follows_high = is_high.shift(fill_value=False) & (pl.col("place").shift() == pl.col("place") - 1).fill_null(
        value=False
    )
    inherits = is_high & goes_on & pl.col("is_alone") & follows_high
    found = timeline.select(group=(~inherits).cum_sum(), alone=is_high & ~goes_on & pl.col("is_alone"))
    return found.select(pl.col("alone").first().over("group")).to_series()


def _is_alone(readings: pl.DataFrame, stations: pl.DataFrame) -> pl.Series:
    """Whether no neighbour confirms the row; a spike is confirmed by a spike, a high value by a high one."""
    return ~confirmed(readings.select(*KEY, "trusted", "needed"), stations)


def _timeline(rows: pl.DataFrame) -> pl.DataFrame:
    """Sorted rows with their `place` on one line of hours for all series, and `trusted`: null where no measurement.

    Two rows are n hours apart in the same series exactly when their places differ by n.
    """
    ordered = rows.sort(KEY)
    begins = pl.any_horizontal(pl.col(column).ne_missing(pl.col(column).shift()) for column in SERIES)
    hour = pl.col("observed_at").dt.epoch("s") // 3600
    rejected = pl.col("flag_reasons").str.contains("reported|unit")
    measured = ~(_is_missing_code() | _is_negative() | _is_impossible() | rejected)
    return ordered.with_columns(
        place=begins.cum_sum().cast(pl.Int64) * 100_000_000 + hour,
        trusted=pl.when(measured).then("concentration_ugm3"),
    )


def _at(step: int) -> pl.Expr:
    """The trusted value `step` hours later, null where that hour is absent."""
    return pl.when(pl.col("place").shift(-step) == pl.col("place") + step).then(pl.col("trusted").shift(-step))


def _plausible(bound: str) -> pl.Expr:
    bounds = {pollutant.value: getattr(pollutant, bound) for pollutant in Pollutant}
    return pl.col("pollutant").replace_strict(bounds, return_dtype=pl.Float64)


def _is_particles() -> pl.Expr:
    return pl.col("pollutant").is_in([_PM25, _PM10])


def _is_sentinel() -> pl.Expr:
    value = pl.col("concentration_ugm3")
    return value.is_in(SENTINELS) | (value.abs() >= _FILL) | (_is_particles() & (value == _PM_FULL_SCALE))


def _is_missing_code() -> pl.Expr:
    """A sentinel, or a code that repeats in its series."""
    value = pl.col("concentration_ugm3")
    is_minus_one, is_high = value == _MINUS_ONE, value.is_in(_HIGH_CODES)
    is_only_negative = ((value < 0) & ~is_minus_one & ~_is_sentinel()).sum().over(SERIES) == 0
    highest_other = value.filter(~is_high & ~_is_sentinel()).max().over(SERIES).fill_null(0.0)
    is_code = (
        (is_minus_one & is_only_negative)
        | (value < _plausible("noise_floor_ugm3"))
        | (is_high & (highest_other < value / 2))
    )
    return _is_sentinel() | (is_code & (pl.len().over(*SERIES, value) >= _REPEATED))


def _is_negative() -> pl.Expr:
    return ~_is_sentinel() & (pl.col("concentration_ugm3") < _plausible("noise_floor_ugm3"))


def _is_impossible() -> pl.Expr:
    return ~_is_sentinel() & (pl.col("concentration_ugm3") > _plausible("invalid_above_ugm3"))


def _is_spike() -> pl.Expr:
    """Particles jump up and down again within three hours."""
    jumps = [
        _stands_out(n_hours, above_ugm3).shift(back, fill_value=False)
        for n_hours, above_ugm3 in _SPIKES
        for back in range(n_hours)
    ]
    return _is_particles() & pl.any_horizontal(jumps)


def _stands_out(n_hours: int, above_ugm3: float) -> pl.Expr:
    """Whether this hour begins `n_hours` that are each `above_ugm3` higher than the hours before and after them."""
    sides = (_at(-1), _at(n_hours))
    # In smoke and dust the air itself moves by as much: there a spike exceeds its sides by half of them.
    above = [
        _at(hour) - side
        > pl.max_horizontal(pl.lit(above_ugm3), pl.when(side > _SMOKE_UGM3).then(_CONFIRMING_SHARE * side))
        for hour in range(n_hours)
        for side in sides
    ]
    return pl.all_horizontal(above).fill_null(value=False)


def _is_flatline() -> pl.Expr:
    """A number repeats for longer than instruments of its resolution repeat themselves."""
    run = (pl.col("trusted") != _at(-1)).fill_null(value=True).cum_sum()
    value = pl.col("trusted")
    step = pl.lit(0.1)
    for coarser in (1.0, 10.0, 100.0):
        step = pl.when(value % coarser == 0).then(coarser).otherwise(step)
    is_fine = value.abs() >= _FINE_STEPS * step
    is_vanished = _is_particles() & (value == 0) & (value.median().over(SERIES) > _NEVER_ZERO_UGM3)
    return pl.len().over(run) >= pl.when(is_fine | is_vanished).then(_FLATLINE_HOURS).otherwise(CONTEXT_HOURS)


def _pm25_exceeds_pm10(timeline: pl.DataFrame) -> pl.Series:
    """Both particle rows of the hours in which PM2.5 is above PM10 by more than noise: one of them errs."""
    pm25, pm10 = (
        timeline.filter(pl.col("pollutant") == size).select("station_id", "observed_at", **{size: "trusted"})
        for size in (_PM25, _PM10)
    )
    hours = pm25.join(pm10, on=["station_id", "observed_at"])
    odd = hours.filter(pl.col(_PM25) > _PM_RATIO * pl.col(_PM10) + _PM_OFFSET_UGM3).with_columns(odd=True)
    marked = timeline.join(odd, on=["station_id", "observed_at"], how="left", maintain_order="left")
    return marked.select(_is_particles() & pl.col("odd").fill_null(value=False)).to_series()
