"""Charts of one cell per hour: the index ahead and the flags of last week's observations."""

from datetime import datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.dashboard.bands import band_colours, band_label, band_name
from hazecast.dashboard.charts.scales import HOUR_MS, TimeScale, palette, with_height
from hazecast.dashboard.context import PageContext, pollutant_label
from hazecast.dashboard.series import UTC_TIME, observation_frame

STATES = ("ok", "suspicious", "invalid", "missing")
INDEX_PX = 184  # with legend and axis
ROW_PX, LEGEND_AND_AXIS_PX = 34, 150
WEEK = timedelta(days=7)


def index_hours(context: PageContext) -> pl.DataFrame:
    """The index of every forecast hour: hour_start, band, label (band and value); empty without an index."""
    rows = [
        (hour.valid_at, band_name(context, hour.index), band_label(context, hour.index))
        for hour in (context.forecast.hours if context.forecast else [])
        if hour.index
    ]
    schema = {"hour_start": UTC_TIME, "band": pl.String(), "label": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def index_chart(context: PageContext, hours: pl.DataFrame) -> alt.Chart:
    """One cell per forecast hour in the colour of its band; the legend names the bands that occur."""
    time = TimeScale(hours["hour_start"][0], hours["hour_start"][-1], context.zone, context.language)
    tints = {name: colour for name, colour in band_colours(context).items() if name in set(hours["band"])}
    tooltip = [alt.Tooltip("when:N", title=context.t("chart.hour")), alt.Tooltip("label:N", title=" ")]
    colour = alt.Color(
        "band:N",
        scale=alt.Scale(domain=list(tints), range=list(tints.values())),
        legend=alt.Legend(title=None, orient="top", columns=3),
    )
    row = alt.Y("row:N", title=None, axis=None)
    cells = time.with_time(hours.with_columns(row=pl.lit("")))
    return with_height(_cells(cells, time, row=row, colour=colour, tooltip=tooltip), INDEX_PX)


def observation_states(context: PageContext) -> pl.DataFrame:
    """One row per pollutant and hour of the last 7 days: `state` is the flag or "missing"."""
    until = floor_hour(context.now)
    hours = pl.datetime_range(until - WEEK, until, "1h", closed="left", time_unit="us", time_zone="UTC", eager=True)
    grid = hours.alias("hour_start").to_frame()
    return pl.concat([_states(context, str(pollutant), grid) for pollutant in context.station.pollutants])


def states_chart(context: PageContext, states: pl.DataFrame) -> alt.Chart:
    """A row of hours per pollutant, coloured by state."""
    first: datetime = states["hour_start"][0]
    time = TimeScale(first, first + WEEK, context.zone, context.language)
    names = {state: context.t(f"state.{state}") for state in STATES}
    labels = {str(pollutant): pollutant_label(pollutant) for pollutant in context.station.pollutants}
    cells = time.with_time(states.with_columns(pl.col("state").replace(names), pl.col("pollutant").replace(labels)))
    colour = alt.Color(
        "state:N",
        scale=alt.Scale(domain=list(names.values()), range=list(palette(dark=context.dark).states)),
        legend=alt.Legend(title=None, orient="top", columns=2),
    )
    tooltip = [
        alt.Tooltip("when:N", title=context.t("chart.hour")),
        alt.Tooltip("state:N", title=context.t("data.state")),
        alt.Tooltip("observed_ugm3:Q", title=context.t("chart.measured"), format=",.1f"),
        alt.Tooltip("reasons:N", title=context.t("chart.flag_reasons")),
    ]
    row = alt.Y("pollutant:N", title=None, sort=list(labels.values()))
    chart = _cells(cells, time, row=row, colour=colour, tooltip=tooltip)
    return with_height(chart, ROW_PX * len(labels) + LEGEND_AND_AXIS_PX)


def _states(context: PageContext, pollutant: str, grid: pl.DataFrame) -> pl.DataFrame:
    observed = observation_frame(context.api.observations(context.station.station_id, pollutant).hours)
    return grid.join(observed, on="hour_start", how="left").select(
        "hour_start",
        pollutant=pl.lit(pollutant),
        state=pl.col("flag").fill_null("missing"),
        observed_ugm3="observed_ugm3",
        reasons=pl.col("flag_reasons").fill_null(""),
    )


def _cells(rows: pl.DataFrame, time: TimeScale, *, row: alt.Y, colour: alt.Color, tooltip: list[Any]) -> alt.Chart:
    cells = rows.with_columns(until=pl.col("at") + HOUR_MS)
    chart: alt.Chart = alt.Chart(cells).mark_rect()
    return chart.encode(x=time.axis(), x2="until:T", y=row, color=colour, tooltip=tooltip)
