"""The map of stations by band, drawn to scale from their coordinates without map tiles."""

from math import cos, radians
from typing import Any

import altair as alt
import polars as pl

from hazecast.air.distance import KM_PER_DEGREE
from hazecast.dashboard.bands import band_colours
from hazecast.dashboard.charts.scales import palette, with_height
from hazecast.dashboard.context import PageContext

HEIGHT_PX = 460
MAX_LABELLED = 25
MIN_WIDTH_PX = 350  # of a phone
RADIUS_PX, LABEL_OFFSET_PX, CHARACTER_PX, LINE_PX = 12, 16, 6.5, 18
ALIGNMENT = {1: "left", -1: "right"}  # of labels on the right (1) and on the left (-1) of their circle
MIN_EXTENT_KM = 4.0
MARGIN = 0.25
SCALE_BAR_KM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Box = tuple[float, float, float, float]


def station_map(context: PageContext, stations: pl.DataFrame) -> alt.LayerChart:
    """Circles in the colour of their band, labelled with name and band.

    Args:
        context: language and theme.
        stations: name, latitude, longitude [degrees], band; coordinates are not null.
    """
    colours, tints = palette(dark=context.dark), band_colours(context)
    names = [name for name in tints if name in set(stations["band"])]
    scale = alt.Scale(domain=names, range=[tints[name] for name in names])
    box = _bounding_box(stations)
    base = alt.Chart(stations).encode(longitude="longitude:Q", latitude="latitude:Q")
    tooltip = [alt.Tooltip("name:N", title=context.t("select.station")), alt.Tooltip("band:N", title=" ")]
    legend = alt.Legend(title=None, orient="top", columns=3, symbolStrokeWidth=1)
    circles = base.mark_circle(size=420, opacity=1, stroke=colours.rule, strokeWidth=1.5).encode(
        color=alt.Color("band:N", scale=scale, legend=legend), tooltip=tooltip
    )
    labels = _labels(stations, box, colours.text) if stations.height <= MAX_LABELLED else []
    layers = [_extent(box), *_scale_bar(context, box, colours.rule), circles, *labels]
    projected = alt.layer(*layers).project("mercator").configure_view(stroke=colours.rule, strokeOpacity=0.4)
    return with_height(projected, HEIGHT_PX)


def _labels(stations: pl.DataFrame, box: Box, colour: str) -> list[alt.Chart]:
    """Name and band next to each circle where there is room; the tooltip names the others."""
    labelled = stations.with_columns(label=pl.col("name") + ": " + pl.col("band"))
    labelled = labelled.with_columns(side=label_sides(labelled, box))
    charts = []
    for side, align in ALIGNMENT.items():
        rows = labelled.filter(pl.col("side") == side)
        text = alt.Chart(rows).mark_text(align=align, dx=side * LABEL_OFFSET_PX, fontSize=13, color=colour)
        charts.append(text.encode(longitude="longitude:Q", latitude="latitude:Q", text="label:N"))
    return charts


def label_sides(stations: pl.DataFrame, box: Box) -> pl.Series:
    """The side of the circle on which each `label` fits: 1 right, -1 left, 0 neither.

    A label fits if it covers no circle and no label placed before.
    """
    west, south, east, north = box
    shrink = cos(radians((south + north) / 2))
    px_per_degree = MIN_WIDTH_PX / max(north - south, (east - west) * shrink)
    x = (stations["longitude"] * shrink * px_per_degree).to_list()
    y = (stations["latitude"] * px_per_degree).to_list()
    occupied = [(a - RADIUS_PX, a + RADIUS_PX, b - RADIUS_PX, b + RADIUS_PX) for a, b in zip(x, y, strict=True)]
    sides = []
    for k, label in enumerate(stations["label"]):
        candidates: dict[int, Box] = {}
        for side in ALIGNMENT:
            near, far = x[k] + side * LABEL_OFFSET_PX, x[k] + side * (LABEL_OFFSET_PX + CHARACTER_PX * len(label))
            candidates[side] = min(near, far), max(near, far), y[k] - LINE_PX / 2, y[k] + LINE_PX / 2
        fitting = (side for side, area in candidates.items() if not any(_overlap(area, other) for other in occupied))
        chosen = next(fitting, 0)
        occupied += [candidates[chosen]] if chosen else []
        sides.append(chosen)
    return pl.Series(sides, dtype=pl.Int8)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _bounding_box(stations: pl.DataFrame) -> Box:
    """West, south, east, north of all stations with a margin; at least MIN_EXTENT_KM wide and high."""
    south, north = _with_margin(stations["latitude"], MIN_EXTENT_KM / KM_PER_DEGREE)
    shrink = max(cos(radians((south + north) / 2)), 0.05)
    west, east = _with_margin(stations["longitude"], MIN_EXTENT_KM / KM_PER_DEGREE / shrink)
    return west, south, east, north


def _with_margin(values: pl.Series, min_extent: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    margin = max(MARGIN * (high - low), (min_extent - (high - low)) / 2)
    return low - margin, high + margin


def _extent(box: Box) -> alt.Chart:
    """Invisible corners: Vega fits the projection to them."""
    west, south, east, north = box
    corners = {"type": "MultiPoint", "coordinates": [[west, south], [east, north]]}
    return alt.Chart(alt.InlineData(values={"type": "Feature", "geometry": corners})).mark_geoshape(
        opacity=0, aria=False
    )


def _scale_bar(context: PageContext, box: Box, colour: str) -> list[Any]:
    """A line of a round number of kilometres in the lower left corner."""
    west, south, east, _ = box
    km_per_degree = KM_PER_DEGREE * cos(radians(south))
    width_km = (east - west) * km_per_degree
    length_km = max((km for km in SCALE_BAR_KM if km <= width_km / 4), default=1)
    ends = pl.DataFrame({"longitude": [west, west + length_km / km_per_degree], "latitude": [south, south]})
    base = alt.Chart(ends).encode(longitude="longitude:Q", latitude="latitude:Q")
    text = alt.Chart(ends.head(1)).mark_text(align="left", dy=-9, fontSize=12, color=colour)
    label = alt.value(context.t("now.scale_bar", km=length_km))
    return [
        base.mark_line(color=colour, strokeWidth=2),
        text.encode(longitude="longitude:Q", latitude="latitude:Q", text=label),
    ]
