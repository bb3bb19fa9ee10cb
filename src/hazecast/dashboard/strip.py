"""The strip of an index below the fan: one cell per forecast hour, coloured and named by its band."""

import altair as alt
import polars as pl

from hazecast.air.clock import parse_utc
from hazecast.dashboard.axes import Span, sized
from hazecast.dashboard.bands import band_colours, band_label, band_name
from hazecast.dashboard.visit import Visit

HEIGHT_PX = 184  # with legend and axis
HOUR_MS = 3_600_000.0


def index_hours(visit: Visit) -> pl.DataFrame:
    """The index of every forecast hour: hour_start, band, told (the band with its number); empty without any."""
    hours = (visit.forecast or {}).get("hours", [])
    rows = [
        (parse_utc(hour["valid_at"]), band_name(visit, hour["index"]), band_label(visit, hour["index"]))
        for hour in hours
        if hour.get("index")
    ]
    schema = {"hour_start": pl.Datetime("us", "UTC"), "band": pl.String(), "told": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def index_strip(visit: Visit, hours: pl.DataFrame) -> alt.Chart:
    """Cells by hour; the legend names the bands that occur."""
    span = Span(hours["hour_start"][0], hours["hour_start"][-1], visit.zone, visit.words)
    tints = {name: colour for name, colour in band_colours(visit).items() if name in set(hours["band"])}
    drawn = span.placed(hours).with_columns(until=pl.col("at") + HOUR_MS, row=pl.lit(""))
    told = [alt.Tooltip("when:N", title=visit.words.say("chart.hour")), alt.Tooltip("told:N", title=" ")]
    legend = alt.Legend(title=None, orient="top", columns=3)
    scale = alt.Scale(domain=list(tints), range=list(tints.values()))
    chart = (
        alt.Chart(drawn)
        .mark_rect()
        .encode(
            x=span.time_axis(),
            x2="until:T",
            y=alt.Y("row:N", title=None, axis=None),
            color=alt.Color("band:N", scale=scale, legend=legend),
            tooltip=told,
        )
    )
    return sized(chart, HEIGHT_PX)
