"""The fan chart: observations, the forecast with its intervals, limits and physics models."""

from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, groupby

import altair as alt
import polars as pl

from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.api import schemas
from hazecast.dashboard.charts.scales import (
    Palette,
    TimeScale,
    epoch_ms,
    palette,
    tints,
    with_height,
    with_number_format,
)
from hazecast.dashboard.context import pollutant_label
from hazecast.dashboard.series import Series

HEIGHT_PX = 420
# A limit up to this multiple of the highest value extends the chart; a higher one would flatten the curves.
MAX_LIMIT_RATIO = 1.6
HEADROOM = 1.08
MARKS = {"suspicious": "circle", "invalid": "cross"}


def _central_intervals() -> list[tuple[int, str, str]]:
    """(percent, lower quantile, upper quantile) of the quantiles in symmetric pairs, the widest first."""
    levels = dict(zip(QUANTILES, QUANTILE_LEVELS, strict=True))
    pairs = list(zip(QUANTILES, reversed(QUANTILES), strict=True))[: len(QUANTILES) // 2]
    return [(round(100 * (levels[upper] - levels[lower])), lower, upper) for lower, upper in pairs]


# Drawn in this order: narrow intervals on top of wide ones.
INTERVALS = _central_intervals()


@dataclass(frozen=True)
class FanScale:
    """The hours of a fan chart and its concentrations [bottom, top] [µg/m³]."""

    series: Series
    time: TimeScale
    bottom: float
    top: float

    @property
    def limits(self) -> list[schemas.Limit]:
        """Limits within the chart."""
        return [limit for limit in self.series.limits if limit.concentration_ugm3 <= self.top]

    @property
    def limits_above(self) -> list[schemas.Limit]:
        """Limits above the chart."""
        return [limit for limit in self.series.limits if limit.concentration_ugm3 > self.top]

    def concentration_axis(self) -> alt.Y:
        """The y channel of field `value` [µg/m³]."""
        title = self.series.context.t("chart.concentration", pollutant=pollutant_label(self.series.pollutant))
        return alt.Y("value:Q", title=title, scale=alt.Scale(domain=[self.bottom, self.top], nice=False))


def fit_scale(series: Series, *, since: datetime) -> FanScale:
    """The scale from `since` to the end of the forecast (without one: now) that fits all values flagged ok."""
    context = series.context
    observed = series.observed.filter(pl.col("flag") == "ok")["observed_ugm3"].to_list()
    drawn = [*series.hours[QUANTILES[-1]], *observed, *series.background["concentration_ugm3"]]
    highest = float(max(drawn, default=1.0))
    limits = [limit.concentration_ugm3 for limit in series.limits]
    last: datetime = max(series.hours["hour_start"], default=context.now)
    return FanScale(
        series=series,
        time=TimeScale(floor_hour(since), last + HOUR, context.zone, context.language),
        bottom=min([0.0, *observed]),
        top=HEADROOM * max([highest, *(value for value in limits if value <= MAX_LIMIT_RATIO * highest)]),
    )


def fan_chart(scale: FanScale, *, dark: bool) -> alt.LayerChart:
    """Observations, intervals and median of the forecast, physics models, limits and the current time.

    Flagged observations are hollow grey marks off the line; those outside the scale are drawn at its edge.
    """
    colours = palette(dark=dark)
    layers = [*_intervals(scale, colours), *_median(scale, colours), *_observed(scale, colours)]
    layers += [*_background(scale, colours), *_flagged(scale, colours), *_limits(scale, colours)]
    layers += _now(scale, colours)
    return with_number_format(with_height(alt.layer(*layers), HEIGHT_PX), scale.series.context.language)


def fan_description(scale: FanScale) -> str:
    """The text alternative of the chart."""
    context, pollutant = scale.series.context, pollutant_label(scale.series.pollutant)
    return context.t("chart.description", pollutant=pollutant, station=context.station.name)


def _interval_name(scale: FanScale, percent: int) -> str:
    return scale.series.context.t("chart.interval", percent=percent)


def _intervals(scale: FanScale, colours: Palette) -> list[alt.Chart]:
    hours, colour = scale.series.hours, _colour(scale, colours)
    return [
        _chart(hours, scale, value=lower, name=_interval_name(scale, percent))
        .mark_area()
        .encode(y2=f"{upper}:Q", color=colour)
        for percent, lower, upper in INTERVALS
    ]


def _median(scale: FanScale, colours: Palette) -> list[alt.Chart]:
    context = scale.series.context
    chart = _chart(scale.series.hours, scale, value="q50", name=context.t("chart.median"))
    tooltip = [
        alt.Tooltip("when:N", title=context.t("chart.hour")),
        *(alt.Tooltip(f"{name}:Q", title=name, format=",.1f") for name in QUANTILES),
        *(
            alt.Tooltip(
                f"p_exceed_{limit.key}:Q", title=context.t("chart.above", limit=_name(scale, limit)), format=".0%"
            )
            for limit in scale.series.limits
            if limit.averaging_hours == 1  # the probability of an hour answers no other limit
        ),
    ]
    line = chart.mark_line(strokeWidth=2.5).encode(color=_colour(scale, colours))
    # Invisible bars over the whole fan, so that the tooltip opens anywhere on it.
    bars = chart.mark_bar(opacity=0, width=4).encode(y=f"{QUANTILES[0]}:Q", y2=f"{QUANTILES[-1]}:Q", tooltip=tooltip)
    return [line, bars]


def _name(scale: FanScale, limit: schemas.Limit) -> str:
    return scale.series.context.language.translate(limit.label)


def _observed(scale: FanScale, colours: Palette) -> list[alt.Chart]:
    context = scale.series.context
    hours = pl.datetime_range(scale.time.first, scale.time.last, "1h", time_unit="us", time_zone="UTC", eager=True)
    observed = scale.series.observed.filter(pl.col("flag") == "ok")
    # Every hour has a row: hours without a value flagged ok interrupt the line.
    grid = hours.alias("hour_start").to_frame().join(observed, on="hour_start", how="left")
    chart = _chart(grid, scale, value="observed_ugm3", name=context.t("chart.observed"))
    chart = chart.encode(color=_colour(scale, colours))
    tooltip = [
        alt.Tooltip("when:N", title=context.t("chart.hour")),
        alt.Tooltip("value:Q", title=context.t("chart.observed"), format=",.1f"),
    ]
    points = chart.mark_point(filled=True, size=14, opacity=1).encode(tooltip=tooltip)
    return [chart.mark_line(strokeWidth=1.2), points]


def _flagged(scale: FanScale, colours: Palette) -> list[alt.Chart]:
    drawn = pl.col("observed_ugm3").clip(scale.bottom, scale.top).alias("drawn")
    flagged = scale.series.observed.filter(pl.col("flag") != "ok").with_columns(drawn)
    if flagged.is_empty():
        return []
    context = scale.series.context
    tooltip = [
        alt.Tooltip("when:N", title=context.t("chart.hour")),
        alt.Tooltip("observed_ugm3:Q", title=context.t("chart.measured"), format=",.1f"),
        alt.Tooltip("flag:N", title=context.t("chart.flag")),
        alt.Tooltip("flag_reasons:N", title=context.t("chart.flag_reasons")),
    ]
    chart = _chart(flagged, scale, value="drawn").mark_point(filled=False, size=55, color=colours.flagged)
    marks = alt.Scale(domain=list(MARKS), range=list(MARKS.values()))
    return [chart.encode(shape=alt.Shape("flag:N", scale=marks, legend=None), tooltip=tooltip)]


def _background(scale: FanScale, colours: Palette) -> list[alt.Chart]:
    """Dashed lines of the physics models."""
    colour, context = _colour(scale, colours), scale.series.context
    layers = []
    for source in scale.series.background_sources:
        rows = scale.series.background.filter(pl.col("source") == source)
        chart = _chart(rows, scale, value="concentration_ugm3").transform_calculate(series=f"'{source}'")
        tooltip = [
            alt.Tooltip("when:N", title=context.t("chart.hour")),
            alt.Tooltip("value:Q", title=source, format=",.1f"),
        ]
        layers.append(chart.mark_line(strokeDash=[5, 3], strokeWidth=2).encode(color=colour, tooltip=tooltip))
    return layers


def _limits(scale: FanScale, colours: Palette) -> list[alt.Chart]:
    """Dashed lines, one per value, labelled at alternate ends so that the labels of close lines do not overlap."""
    by_value = groupby(sorted(scale.limits, key=_value_of), key=_value_of)
    context, layers = scale.series.context, []
    for (value, limits), colour, side in zip(by_value, cycle(colours.limits), cycle(("left", "right")), strict=False):
        names = f" {context.t('chart.and')} ".join(_name(scale, limit) for limit in limits)
        label = f"{names}: {context.language.limit(value)}"
        ends = _chart(_ends(scale, value), scale, value="value")
        layers.append(ends.mark_line(color=colour, strokeDash=[6, 4], strokeWidth=1.5))
        end = ends.transform_filter(alt.datum.at == epoch_ms(scale.time.first if side == "left" else scale.time.last))
        layers += _label(end, label, colour=colour, background=colours.background, align=side)
    return layers


def _ends(scale: FanScale, value: float) -> pl.DataFrame:
    times = pl.Series("hour_start", [scale.time.first, scale.time.last], dtype=pl.Datetime("us", "UTC"))
    return times.to_frame().with_columns(value=pl.lit(value))


def _value_of(limit: schemas.Limit) -> float:
    return limit.concentration_ugm3


def _now(scale: FanScale, colours: Palette) -> list[alt.Chart]:
    context = scale.series.context
    if context.now > scale.time.last:
        return []
    now = _chart(pl.DataFrame({"hour_start": [context.now], "value": [scale.top]}), scale, value="value")
    rule = now.mark_rule(color=colours.rule, strokeWidth=1.2).encode(y=alt.value(0), y2=alt.value("height"))
    label = context.t("chart.now", time=f"{context.now.astimezone(context.zone):%H:%M}")
    return [rule, *_label(now, label, colour=colours.rule, background=colours.background, baseline="top")]


def _label(
    at: alt.Chart, label: str, *, colour: str, background: str, align: str = "left", baseline: str = "bottom"
) -> list[alt.Chart]:
    """Text with a halo, readable on top of lines."""
    place = {"align": align, "baseline": baseline, "fontSize": 12}
    place |= {"dx": 4 if align == "left" else -4, "dy": -3 if baseline == "bottom" else 3}
    halo = at.mark_text(stroke=background, strokeWidth=4, color=background, **place)
    return [halo.encode(text=alt.value(label)), at.mark_text(color=colour, **place).encode(text=alt.value(label))]


def _chart(rows: pl.DataFrame, scale: FanScale, *, value: str, name: str | None = None) -> alt.Chart:
    """`rows` on the axes of the scale: time from `hour_start`, concentration from `value`; `name` is for the legend."""
    placed = scale.time.with_time(rows).with_columns(value=pl.col(value), series=pl.lit(name))
    return alt.Chart(placed).encode(x=scale.time.axis(), y=scale.concentration_axis())


def _colour(scale: FanScale, colours: Palette) -> alt.Color:
    context = scale.series.context
    by_name = {context.t("chart.observed"): colours.text, context.t("chart.median"): colours.forecast}
    narrow_first = [_interval_name(scale, percent) for percent, _, _ in reversed(INTERVALS)]
    by_name |= dict(zip(narrow_first, tints(*colours.intervals, len(INTERVALS)), strict=True))
    by_name |= dict(zip(scale.series.background_sources, cycle(colours.models), strict=False))
    legend = alt.Legend(title=None, orient="top", columns=3, symbolType="square", symbolStrokeWidth=0)
    colour_scale = alt.Scale(domain=list(by_name), range=list(by_name.values()))
    return alt.Color("series:N", scale=colour_scale, legend=legend)
