"""The chart of the Data page: every hour of the last week of every pollutant at a station, present or not."""

from datetime import datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from hazecast.air.clock import floor_hour
from hazecast.dashboard.axes import Span, sized
from hazecast.dashboard.view import observed_hours
from hazecast.dashboard.visit import Visit, pollutant_label

STATES = ("ok", "suspicious", "invalid", "missing")
COLOURS = ("#0072b2", "#e69f00", "#d55e00", "#c9ccd1")
DARK_COLOURS = ("#56b4e9", "#e69f00", "#f0763f", "#3a404b")
ROW_PX, AROUND_PX = 34, 150  # around: legend and axis
HOUR_MS = 3_600_000.0
WEEK = timedelta(days=7)


def observed_states(visit: Visit) -> pl.DataFrame:
    """One row per hour of the last 7 days and pollutant: `state` is its flag or "missing", `reasons` the doubts."""
    until = floor_hour(visit.now)
    hours = pl.datetime_range(until - WEEK, until, "1h", closed="left", time_unit="us", time_zone="UTC", eager=True)
    grid = hours.alias("hour_start").to_frame()
    return pl.concat([_states(visit, pollutant, grid) for pollutant in visit.station["pollutants"]])


def _states(visit: Visit, pollutant: str, grid: pl.DataFrame) -> pl.DataFrame:
    found = observed_hours(visit.api.observations(visit.station["station_id"], pollutant)["hours"])
    return grid.join(found, on="hour_start", how="left").select(
        "hour_start",
        pollutant=pl.lit(pollutant),
        state=pl.col("flag").fill_null("missing"),
        observed_ugm3="observed_ugm3",
        reasons=pl.col("flag_reasons").fill_null(""),
    )


def gap_chart(visit: Visit, states: pl.DataFrame) -> alt.Chart:
    """A row of hours per pollutant, coloured by state; the legend names the states."""
    words, first = visit.words, _first(states)
    span = Span(first, first + WEEK, visit.zone, words)
    labels = {state: words.say(f"state.{state}") for state in STATES}
    placed = span.placed(states.with_columns(pl.col("state").replace(labels)))
    drawn = placed.with_columns(until=pl.col("at") + HOUR_MS, pollutant=pl.col("pollutant").replace(_labels(visit)))
    colours = alt.Scale(domain=list(labels.values()), range=DARK_COLOURS if visit.dark else COLOURS)
    chart = (
        alt.Chart(drawn)
        .mark_rect()
        .encode(
            x=span.time_axis(),
            x2="until:T",
            y=alt.Y("pollutant:N", title=None, sort=list(_labels(visit).values())),
            color=alt.Color("state:N", scale=colours, legend=alt.Legend(title=None, orient="top", columns=2)),
            tooltip=_told(visit),
        )
    )
    return sized(chart, ROW_PX * len(_labels(visit)) + AROUND_PX)


def _first(states: pl.DataFrame) -> datetime:
    first: datetime = states["hour_start"][0]
    return first


def _labels(visit: Visit) -> dict[str, str]:
    return {pollutant: pollutant_label(pollutant) for pollutant in visit.station["pollutants"]}


def _told(visit: Visit) -> list[Any]:
    say = visit.words.say
    return [
        alt.Tooltip("when:N", title=say("chart.hour")),
        alt.Tooltip("state:N", title=say("data.state")),
        alt.Tooltip("observed_ugm3:Q", title=say("chart.measured"), format=",.1f"),
        alt.Tooltip("reasons:N", title=say("chart.why")),
    ]
