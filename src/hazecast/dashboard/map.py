"""The map of stations by band: true to scale, drawn from coordinates alone, without anybody's map server."""

from math import cos, radians
from typing import Any

import altair as alt
import polars as pl

from hazecast.dashboard.axes import sized
from hazecast.dashboard.bands import band_colours
from hazecast.dashboard.palette import palette
from hazecast.dashboard.visit import Visit

HEIGHT_PX = 460
LABELLED_UP_TO = 25
NARROWEST_PX = 350  # on a phone
CIRCLE_PX, NAME_PX, LETTER_PX, LINE_PX = 12, 16, 6.5, 18  # radius; from its centre to the words; size of the words
RIGHT_AND_LEFT = {1: "left", -1: "right"}  # the side of the circle, and how words there are aligned
KM_PER_DEGREE = 111.2
SMALLEST_KM = 4.0
MARGIN = 0.25
NICE_KM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Box = tuple[float, float, float, float]


def station_map(visit: Visit, places: pl.DataFrame) -> alt.LayerChart:
    """Circles in the colour of their band, with name and band in words.

    Args:
        visit: whose words and theme.
        places: name, latitude, longitude [degrees], band; every row with its coordinates.
    """
    colours, tints = palette(dark=visit.dark), band_colours(visit)
    shown = [name for name in tints if name in set(places["band"])]
    scale = alt.Scale(domain=shown, range=[tints[name] for name in shown])
    box = _box(places)
    base = alt.Chart(places).encode(longitude="longitude:Q", latitude="latitude:Q")
    told = [alt.Tooltip("name:N", title=visit.words.say("choose.station")), alt.Tooltip("band:N", title=" ")]
    legend = alt.Legend(title=None, orient="top", columns=3, symbolStrokeWidth=1)
    circles = base.mark_circle(size=420, opacity=1, stroke=colours.now, strokeWidth=1.5).encode(
        color=alt.Color("band:N", scale=scale, legend=legend), tooltip=told
    )
    named = _names(places, box, colours.series[0]) if places.height <= LABELLED_UP_TO else []
    layers = [_frame(box), *_ruler(visit, box, colours.now), circles, *named]
    placed = alt.layer(*layers).project("mercator").configure_view(stroke=colours.now, strokeOpacity=0.4)
    return sized(placed, HEIGHT_PX)


def _names(places: pl.DataFrame, box: Box, colour: str) -> list[alt.Chart]:
    """Name and band beside each circle that has room for them; the tooltip names the others."""
    told = places.with_columns(told=pl.col("name") + ": " + pl.col("band"))
    sides = told.with_columns(side=name_sides(told, box))
    charts = []
    for side, align in RIGHT_AND_LEFT.items():
        base = alt.Chart(sides.filter(pl.col("side") == side)).encode(longitude="longitude:Q", latitude="latitude:Q")
        text = base.mark_text(align=align, dx=side * NAME_PX, fontSize=13, color=colour)
        charts.append(text.encode(text="told:N"))
    return charts


def name_sides(told: pl.DataFrame, box: Box) -> pl.Series:
    """1 where the words stand right of the circle, -1 left of it, 0 where they would cover a circle or other words."""
    west, south, east, north = box
    shrink = cos(radians((south + north) / 2))
    px_per_degree = NARROWEST_PX / max(north - south, (east - west) * shrink)
    x = (told["longitude"] * shrink * px_per_degree).to_list()
    y = (told["latitude"] * px_per_degree).to_list()
    taken = [(a - CIRCLE_PX, a + CIRCLE_PX, b - CIRCLE_PX, b + CIRCLE_PX) for a, b in zip(x, y, strict=True)]
    sides = []
    for k, words in enumerate(told["told"]):
        room: dict[int, Box] = {}
        for side in RIGHT_AND_LEFT:
            near, far = x[k] + side * NAME_PX, x[k] + side * (NAME_PX + LETTER_PX * len(words))
            room[side] = min(near, far), max(near, far), y[k] - LINE_PX / 2, y[k] + LINE_PX / 2
        chosen = next((side for side in room if not any(_overlap(room[side], other) for other in taken)), 0)
        taken += [room[chosen]] if chosen else []
        sides.append(chosen)
    return pl.Series(sides, dtype=pl.Int8)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _box(places: pl.DataFrame) -> Box:
    """West, south, east, north around all places with a margin; never smaller than a few kilometres."""
    south, north = _widened(places["latitude"], SMALLEST_KM / KM_PER_DEGREE)
    shrink = max(cos(radians((south + north) / 2)), 0.05)
    west, east = _widened(places["longitude"], SMALLEST_KM / KM_PER_DEGREE / shrink)
    return west, south, east, north


def _widened(values: pl.Series, smallest: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    extra = max(MARGIN * (high - low), (smallest - (high - low)) / 2)
    return low - extra, high + extra


def _frame(box: Box) -> alt.Chart:
    """Nothing to see: it makes the projection hold the whole box."""
    west, south, east, north = box
    corners = {"type": "MultiPoint", "coordinates": [[west, south], [east, north]]}
    return alt.Chart(alt.InlineData(values={"type": "Feature", "geometry": corners})).mark_geoshape(
        opacity=0, aria=False
    )


def _ruler(visit: Visit, box: Box, colour: str) -> list[Any]:
    """How long so many kilometres are, in the lower left corner."""
    west, south, east, _ = box
    km_per_degree = KM_PER_DEGREE * cos(radians(south))
    width_km = (east - west) * km_per_degree
    length_km = max((km for km in NICE_KM if km <= width_km / 4), default=1)
    ends = pl.DataFrame({"longitude": [west, west + length_km / km_per_degree], "latitude": [south, south]})
    base = alt.Chart(ends).encode(longitude="longitude:Q", latitude="latitude:Q")
    label = visit.words.say("now.ruler", km=length_km)
    text = alt.Chart(ends.head(1)).mark_text(align="left", dy=-9, fontSize=12, color=colour)
    written = text.encode(longitude="longitude:Q", latitude="latitude:Q", text=alt.value(label))
    return [base.mark_line(color=colour, strokeWidth=2), written]
