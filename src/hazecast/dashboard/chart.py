"""The fan chart: last week's observations and the forecast with its uncertainty."""

from itertools import groupby
from typing import Any

import altair as alt
import polars as pl

from hazecast.dashboard.axes import epoch_ms, number_locale, sized
from hazecast.dashboard.canvas import Canvas
from hazecast.dashboard.palette import Palette, palette
from hazecast.dashboard.visit import pollutant_label

HEIGHT_PX = 420
BANDS = (("band_90", "q05", "q95"), ("band_80", "q10", "q90"), ("band_50", "q25", "q75"))
SERIES = ("observed", "median", "band_50", "band_80", "band_90")
MARKS = {"suspicious": "circle", "invalid": "cross"}


def fan_chart(canvas: Canvas, *, dark: bool) -> alt.LayerChart:
    """Observed points, the 50, 80 and 90 % bands, the median, limits in words and where now is.

    Doubted observations are hollow grey marks outside the line; those beyond the scale sit on its upper edge.
    """
    colours = palette(dark=dark)
    layers = [*_bands(canvas, colours), *_median(canvas, colours), *_observed(canvas, colours)]
    layers += [*_background(canvas, colours), *_doubted(canvas, colours), *_limits(canvas, colours)]
    layers += _now(canvas, colours)
    return sized(alt.layer(*layers), HEIGHT_PX).configure(locale=number_locale(canvas.view.visit.words))


def described(canvas: Canvas) -> str:
    """What the chart shows, for people who do not see it."""
    visit, pollutant = canvas.view.visit, pollutant_label(canvas.view.pollutant)
    return visit.words.say("chart.description", pollutant=pollutant, station=visit.station["name"])


def _bands(canvas: Canvas, colours: Palette) -> list[alt.Chart]:
    hours, colour = canvas.view.hours, _colour(canvas, colours)
    drawn = [(_place(hours, canvas, value=low, series=name), high) for name, low, high in BANDS]
    return [chart.mark_area().encode(y2=f"{high}:Q", color=colour) for chart, high in drawn]


def _median(canvas: Canvas, colours: Palette) -> list[alt.Chart]:
    chart = _place(canvas.view.hours, canvas, value="q50", series="median")
    say = canvas.view.visit.words.say
    limits = ((key, say("chart.above", limit=key.upper())) for key in ("who", "eu"))
    told = [
        alt.Tooltip("when:N", title=say("chart.hour")),
        *(alt.Tooltip(f"{name}:Q", title=name, format=",.1f") for name in ("q05", "q10", "q25", "q50", "q75")),
        *(alt.Tooltip(f"{name}:Q", title=name, format=",.1f") for name in ("q90", "q95")),
        *(alt.Tooltip(f"p_exceed_{key}:Q", title=title, format=".0%") for key, title in limits),
    ]
    line = chart.mark_line(strokeWidth=2.5).encode(color=_colour(canvas, colours))
    # Unseen bars over the whole fan, so that the pointer need not hit the line.
    return [line, chart.mark_bar(opacity=0, width=4).encode(y="q05:Q", y2="q95:Q", tooltip=told)]


def _observed(canvas: Canvas, colours: Palette) -> list[alt.Chart]:
    hours = pl.datetime_range(canvas.span.first, canvas.span.last, "1h", time_unit="us", time_zone="UTC", eager=True)
    trusted = canvas.view.observed.filter(pl.col("flag") == "ok")
    # Hours without a trusted value break the line instead of being bridged.
    grid = hours.alias("hour_start").to_frame().join(trusted, on="hour_start", how="left")
    chart = _place(grid, canvas, value="observed_ugm3", series="observed").encode(color=_colour(canvas, colours))
    say = canvas.view.visit.words.say
    told = [
        alt.Tooltip("when:N", title=say("chart.hour")),
        alt.Tooltip("value:Q", title=say("chart.observed"), format=",.1f"),
    ]
    return [chart.mark_line(strokeWidth=1.2), chart.mark_point(filled=True, size=14, opacity=1).encode(tooltip=told)]


def _doubted(canvas: Canvas, colours: Palette) -> list[alt.Chart]:
    drawn = pl.col("observed_ugm3").clip(canvas.bottom, canvas.top).alias("drawn")
    doubted = canvas.view.observed.filter(pl.col("flag") != "ok").with_columns(drawn)
    if doubted.is_empty():
        return []
    say = canvas.view.visit.words.say
    told = [
        alt.Tooltip("when:N", title=say("chart.hour")),
        alt.Tooltip("observed_ugm3:Q", title=say("chart.measured"), format=",.1f"),
        alt.Tooltip("flag:N", title=say("chart.doubt")),
        alt.Tooltip("flag_reasons:N", title=say("chart.why")),
    ]
    chart = _place(doubted, canvas, value="drawn").mark_point(filled=False, size=55, color=colours.doubted)
    marks = alt.Scale(domain=list(MARKS), range=list(MARKS.values()))
    shape = alt.Shape("flag:N", scale=marks, legend=None)
    return [chart.encode(shape=shape, tooltip=told)]


def _background(canvas: Canvas, colours: Palette) -> list[alt.Chart]:
    """What physics models say of the same hours, dashed."""
    colour, say = _colour(canvas, colours), canvas.view.visit.words.say
    layers = []
    for source in canvas.view.background_sources:
        rows = canvas.view.background.filter(pl.col("source") == source)
        chart = _place(rows, canvas, value="concentration_ugm3").transform_calculate(series=f"'{source}'")
        told = [alt.Tooltip("when:N", title=say("chart.hour")), alt.Tooltip("value:Q", title=source, format=",.1f")]
        layers.append(chart.mark_line(strokeDash=[5, 3], strokeWidth=2).encode(color=colour, tooltip=told))
    return layers


def _limits(canvas: Canvas, colours: Palette) -> list[alt.Chart]:
    """Dashed lines named at alternate ends, so that close ones do not overprint each other."""
    by_value = groupby(sorted(canvas.limits, key=_value_of), key=_value_of)
    words, layers = canvas.view.visit.words, []
    for (value, same), colour, side in zip(by_value, colours.limits, ("left", "right"), strict=False):
        names = f" {words.say('chart.and')} ".join(words.translated(limit["label"]) for limit in same)
        label = f"{names}: {words.limit(value)}"
        ends = _place(_ends(canvas, value), canvas, value="value")
        layers.append(ends.mark_line(color=colour, strokeDash=[6, 4], strokeWidth=1.5))
        end = ends.transform_filter(alt.datum.at == epoch_ms(canvas.span.first if side == "left" else canvas.span.last))
        layers += _written(end, label, colour=colour, background=colours.background, align=side)
    return layers


def _ends(canvas: Canvas, value: float) -> pl.DataFrame:
    times = pl.Series("hour_start", [canvas.span.first, canvas.span.last], dtype=pl.Datetime("us", "UTC"))
    return times.to_frame().with_columns(value=pl.lit(value))


def _value_of(limit: dict[str, Any]) -> float:
    return float(limit["concentration_ugm3"])


def _now(canvas: Canvas, colours: Palette) -> list[alt.Chart]:
    if canvas.view.visit.now > canvas.span.last:
        return []
    here = _place(pl.DataFrame({"hour_start": [canvas.view.visit.now], "value": [canvas.top]}), canvas, value="value")
    rule = here.mark_rule(color=colours.now, strokeWidth=1.2).encode(y=alt.value(0), y2=alt.value("height"))
    visit = canvas.view.visit
    label = visit.words.say("chart.now", time=f"{visit.now.astimezone(visit.zone):%H:%M}")
    return [rule, *_written(here, label, colour=colours.now, background=colours.background, baseline="top")]


def _written(
    at: alt.Chart, label: str, *, colour: str, background: str, align: str = "left", baseline: str = "bottom"
) -> list[alt.Chart]:
    """Text with a halo, readable on top of what is drawn."""
    place = {"align": align, "baseline": baseline, "fontSize": 12}
    place |= {"dx": 4 if align == "left" else -4, "dy": -3 if baseline == "bottom" else 3}
    halo = at.mark_text(stroke=background, strokeWidth=4, color=background, **place)
    return [halo.encode(text=alt.value(label)), at.mark_text(color=colour, **place).encode(text=alt.value(label))]


def _place(rows: pl.DataFrame, canvas: Canvas, *, value: str, series: str | None = None) -> alt.Chart:
    """`rows` on the canvas's axes: hours by hour_start, `value` from the column named."""
    name = None if series is None else canvas.view.visit.words.say(f"chart.{series}")
    placed = canvas.span.placed(rows).with_columns(value=pl.col(value), series=pl.lit(name))
    return alt.Chart(placed).encode(x=canvas.span.time_axis(), y=canvas.concentration_axis())


def _colour(canvas: Canvas, colours: Palette) -> alt.Color:
    names = [canvas.view.visit.words.say(f"chart.{name}") for name in SERIES] + canvas.view.background_sources
    tints = [*colours.series, *colours.others][: len(names)]
    legend = alt.Legend(title=None, orient="top", columns=3, symbolType="square", symbolStrokeWidth=0)
    return alt.Color("series:N", scale=alt.Scale(domain=names, range=tints), legend=legend)
