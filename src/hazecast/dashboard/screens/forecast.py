"""The Forecast page: what was measured, what is expected and how far to believe it."""

from datetime import timedelta

import streamlit as st

from hazecast.dashboard.canvas import stretch_canvas
from hazecast.dashboard.chart import described, fan_chart
from hazecast.dashboard.drivers import drivers_table
from hazecast.dashboard.frame import plain, show_nothing
from hazecast.dashboard.strip import index_hours, index_strip
from hazecast.dashboard.tables import show_table
from hazecast.dashboard.tiles import chart_notes, subtitle, tiles, trust
from hazecast.dashboard.view import View, load_view
from hazecast.dashboard.visit import Visit

SHOWN_BEFORE = timedelta(days=7)


def show_forecast(visit: Visit) -> None:
    """Numbers, fan chart, index and table of the chosen series."""
    words = visit.words
    st.title(plain(visit.station["name"]), anchor=False)
    if visit.pollutant is None:
        show_nothing(words.say("empty.station"), words.say("empty.station_remedy"))
        return
    view = load_view(visit, visit.pollutant)
    st.caption(plain(subtitle(view)))
    if visit.forecast is None:
        show_nothing(words.say("empty.forecast"), plain(visit.missing))
    _show_tiles(view)
    _show_fan(view)
    _show_strip(visit)
    _show_drivers(view)
    with st.expander(words.say("table.title")):
        show_table(visit, view.table(), name=f"{visit.station['station_id']}_{view.pollutant}")
    st.caption(plain(trust(view)))


def _show_tiles(view: View) -> None:
    """The numbers most people come for."""
    shown = tiles(view)
    for column, tile in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(tile.label, tile.value, tile.note, delta_color="off", delta_arrow="off", border=True)


def _show_fan(view: View) -> None:
    visit = view.visit
    canvas = stretch_canvas(view, since=visit.now - SHOWN_BEFORE)
    st.altair_chart(fan_chart(canvas, dark=visit.dark), width="stretch", alt=described(canvas))
    for note in chart_notes(view, canvas.limits_above):
        st.caption(plain(note))


def _show_strip(visit: Visit) -> None:
    hours = index_hours(visit)
    if visit.index is None or hours.is_empty():
        return
    words, title = visit.words, visit.index["title"]
    st.header(words.say("forecast.index", index=plain(title)), anchor=False)
    st.altair_chart(index_strip(visit, hours), width="stretch", alt=words.say("forecast.strip", index=title))
    st.caption(words.say("forecast.index_note"))


def _show_drivers(view: View) -> None:
    table, say = drivers_table(view), view.visit.words.say
    if table is None:
        return
    st.header(say("drivers.title"), anchor=False)
    st.markdown(table)
    st.caption(say("drivers.note"))
