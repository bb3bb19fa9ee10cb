"""A past forecast beside what happened, on the Trust page."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import streamlit as st

from hazecast.air.clock import parse_utc
from hazecast.dashboard.canvas import stretch_canvas
from hazecast.dashboard.chart import described, fan_chart
from hazecast.dashboard.choices import choose_from_list
from hazecast.dashboard.frame import plain, show_nothing
from hazecast.dashboard.view import View, load_view
from hazecast.dashboard.visit import Visit

SHOWN_BEFORE = timedelta(hours=24)
HORIZON = timedelta(hours=72)


def show_past(visit: Visit, pollutant: str) -> None:
    """Choose an issue from the archive; see its fan and the observations that followed."""
    words = visit.words
    st.header(words.say("past.title", station=plain(visit.station["name"])), anchor=False)
    issues = visit.api.issue_times(visit.station["station_id"], pollutant)
    if not issues:
        show_nothing(words.say("empty.archive"))
        return
    ordered = dict.fromkeys([_usual(visit, issues), *issues])
    told = {issue: words.time(parse_utc(issue), visit.zone) for issue in ordered}
    issued_at = choose_from_list(words.say("choose.issue"), told, name="issue", width=300)
    view = past_view(visit, pollutant, issued_at=issued_at)
    canvas = stretch_canvas(view, since=parse_utc(issued_at) - SHOWN_BEFORE)
    st.altair_chart(fan_chart(canvas, dark=visit.dark), width="stretch", alt=described(canvas))
    st.caption(plain(_verdict(view)))


def past_view(visit: Visit, pollutant: str, *, issued_at: str) -> View:
    """The forecast issued then, with the observations from a day before it to its end."""
    station_id, issued = visit.station["station_id"], parse_utc(issued_at)
    then = visit.api.forecast(station_id, pollutant, issued_at=issued_at)
    span = {"since": f"{issued - SHOWN_BEFORE:%Y-%m-%dT%H:%M:%SZ}", "until": f"{issued + HORIZON:%Y-%m-%dT%H:%M:%SZ}"}
    view = load_view(replace(visit, forecast=then), pollutant, **span)
    # What the API has of physics models are their newest runs, which nobody had then.
    return replace(view, background=view.background.clear())


def _usual(visit: Visit, issues: list[str]) -> str:
    """The newest issue of which all hours are past; else the oldest."""
    return next((issue for issue in issues if parse_utc(issue) + HORIZON <= visit.now), issues[-1])


def _verdict(view: View) -> str:
    """How often the 80 % band held what was observed."""
    trusted = view.observed.filter(pl.col("flag") == "ok")
    both = view.hours.join(trusted, on="hour_start").with_columns(
        inside=pl.col("observed_ugm3").is_between("q10", "q90"), error=(pl.col("q50") - pl.col("observed_ugm3")).abs()
    )
    words = view.visit.words
    if both.is_empty():
        return words.say("past.nothing_yet")
    inside, error, n = both.select(pl.sum("inside"), pl.mean("error"), pl.len()).row(0)
    return words.say("past.verdict", inside=inside, n=n, error=words.concentration(error))
