"""The fan chart: last week's observations and the forecast with its uncertainty."""

from itertools import groupby
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from hazecast.dashboard.canvas import Canvas, epoch_ms
from hazecast.dashboard.words import pollutant_label

HEIGHT_PX = 420
BANDS = (("90 % band", "q05", "q95"), ("80 % band", "q10", "q90"), ("50 % band", "q25", "q75"))
SERIES = ("observed", "forecast median", "50 % band", "80 % band", "90 % band")
LEGEND = alt.Legend(title=None, orient="top", columns=3, symbolType="square", symbolStrokeWidth=0)
MARKS = {"suspicious": "circle", "invalid": "cross"}


class Colours(NamedTuple):
    """Tints of one blue and two limits, safe for colour-blind eyes; `series` in the order of SERIES."""

    series: tuple[str, str, str, str, str]
    limits: tuple[str, str]
    doubted: str
    now: str
    background: str


# The backgrounds are those of .streamlit/config.toml.
LIGHT = Colours(
    series=("#1f2430", "#00507d", "#6fb0d6", "#a9cfe6", "#d8e9f4"),
    limits=("#b34700", "#7a3e9d"),
    doubted="#8a8f98",
    now="#5f6570",
    background="#ffffff",
)
DARK = Colours(
    series=("#f2f2f2", "#9adbff", "#2a7aa5", "#1d5675", "#163e54"),
    limits=("#ff9f5a", "#d7a6ff"),
    doubted="#9aa0aa",
    now="#b8bdc7",
    background="#12151b",
)


def fan_chart(canvas: Canvas, *, dark: bool) -> alt.LayerChart:
    """Observed points, the 50, 80 and 90 % bands, the median, limits in words and where now is.

    Doubted observations are hollow grey marks outside the line; those beyond the scale sit on its upper edge.
    """
    colours = DARK if dark else LIGHT
    layers = [*_bands(canvas, colours), *_median(canvas, colours), *_observed(canvas, colours)]
    layers += [*_doubted(canvas, colours), *_limits(canvas, colours), *_now(canvas, colours)]
    what = f"{pollutant_label(canvas.view.pollutant)} at {canvas.view.station['name']}"
    return alt.layer(*layers).properties(
        height=HEIGHT_PX,
        usermeta={"embedOptions": {"actions": False}},
        description=f"{what}: observations of the last 7 days and the forecast with its bands; values in the table.",
    )


def _bands(canvas: Canvas, colours: Colours) -> list[alt.Chart]:
    hours, colour = canvas.view.hours, _colour(colours)
    drawn = [(_place(hours, canvas, value=low, series=name), high) for name, low, high in BANDS]
    return [chart.mark_area().encode(y2=f"{high}:Q", color=colour) for chart, high in drawn]


def _median(canvas: Canvas, colours: Colours) -> list[alt.Chart]:
    chart = _place(canvas.view.hours, canvas, value="q50", series="forecast median")
    told = [
        alt.Tooltip("when:N", title="Hour"),
        *(alt.Tooltip(f"{name}:Q", title=name, format=",.1f") for name in ("q05", "q10", "q25", "q50", "q75")),
        *(alt.Tooltip(f"{name}:Q", title=name, format=",.1f") for name in ("q90", "q95")),
        *(alt.Tooltip(f"p_exceed_{key}:Q", title=f"P above {key.upper()}", format=".0%") for key in ("who", "eu")),
    ]
    line = chart.mark_line(strokeWidth=2.5).encode(color=_colour(colours))
    # Unseen bars over the whole fan, so that the pointer need not hit the line.
    return [line, chart.mark_bar(opacity=0, width=4).encode(y="q05:Q", y2="q95:Q", tooltip=told)]


def _observed(canvas: Canvas, colours: Colours) -> list[alt.Chart]:
    hours = pl.datetime_range(canvas.first, canvas.last, "1h", time_unit="us", time_zone="UTC", eager=True)
    trusted = canvas.view.observed.filter(pl.col("flag") == "ok")
    # Hours without a trusted value break the line instead of being bridged.
    grid = hours.alias("hour_start").to_frame().join(trusted, on="hour_start", how="left")
    chart = _place(grid, canvas, value="observed_ugm3", series="observed").encode(color=_colour(colours))
    told = [alt.Tooltip("when:N", title="Hour"), alt.Tooltip("value:Q", title="Observed", format=",.1f")]
    return [chart.mark_line(strokeWidth=1.2), chart.mark_point(filled=True, size=14, opacity=1).encode(tooltip=told)]


def _doubted(canvas: Canvas, colours: Colours) -> list[alt.Chart]:
    drawn = pl.col("observed_ugm3").clip(canvas.bottom, canvas.top).alias("drawn")
    doubted = canvas.view.observed.filter(pl.col("flag") != "ok").with_columns(drawn)
    if doubted.is_empty():
        return []
    told = [
        alt.Tooltip("when:N", title="Hour"),
        alt.Tooltip("observed_ugm3:Q", title="Measured", format=",.1f"),
        alt.Tooltip("flag:N", title="Doubt"),
        alt.Tooltip("flag_reasons:N", title="Why"),
    ]
    chart = _place(doubted, canvas, value="drawn").mark_point(filled=False, size=55, color=colours.doubted)
    marks = alt.Scale(domain=list(MARKS), range=list(MARKS.values()))
    shape = alt.Shape("flag:N", scale=marks, legend=None)
    return [chart.encode(shape=shape, tooltip=told)]


def _limits(canvas: Canvas, colours: Colours) -> list[alt.Chart]:
    """Dashed lines named at alternate ends, so that close ones do not overprint each other."""
    by_value = groupby(sorted(canvas.limits, key=_value_of), key=_value_of)
    layers = []
    for (value, same), colour, side in zip(by_value, colours.limits, ("left", "right"), strict=False):
        label = f"{' and '.join(limit['label'] for limit in same)}: {value:,g} µg/m³"
        ends = _place(_ends(canvas, value), canvas, value="value")
        layers.append(ends.mark_line(color=colour, strokeDash=[6, 4], strokeWidth=1.5))
        end = ends.transform_filter(alt.datum.at == epoch_ms(canvas.first if side == "left" else canvas.last))
        layers += _written(end, label, colour=colour, background=colours.background, align=side)
    return layers


def _ends(canvas: Canvas, value: float) -> pl.DataFrame:
    times = pl.Series("hour_start", [canvas.first, canvas.last], dtype=pl.Datetime("us", "UTC"))
    return times.to_frame().with_columns(value=pl.lit(value))


def _value_of(limit: dict[str, Any]) -> float:
    return float(limit["concentration_ugm3"])


def _now(canvas: Canvas, colours: Colours) -> list[alt.Chart]:
    here = _place(pl.DataFrame({"hour_start": [canvas.view.now], "value": [canvas.top]}), canvas, value="value")
    rule = here.mark_rule(color=colours.now, strokeWidth=1.2).encode(y=alt.value(0), y2=alt.value("height"))
    label = f"now {canvas.view.now.astimezone(canvas.view.zone):%H:%M}"
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
    """`rows` on the canvas's axes: `at` from hour_start, `value` from the column named, `when` the hour in words."""
    when = pl.col("hour_start").dt.convert_time_zone(canvas.view.zone.key).dt.strftime("%a %d %b %H:%M")
    # As floats: the page hands 64-bit integers to the browser as BigInt, which its scales cannot place.
    at = pl.col("hour_start").dt.epoch("ms").cast(pl.Float64)
    placed = rows.with_columns(at=at, when=when, value=pl.col(value), series=pl.lit(series)).drop("hour_start")
    return alt.Chart(placed).encode(x=canvas.time_axis(), y=canvas.concentration_axis())


def _colour(colours: Colours) -> alt.Color:
    return alt.Color("series:N", scale=alt.Scale(domain=SERIES, range=colours.series), legend=LEGEND)
