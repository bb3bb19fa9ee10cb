"""The page: choose a station and pollutant, see what was measured, what is expected and how far to believe it.

Run by `streamlit run`; speaks to the API at HAZECAST_API_URL and to nothing else.
"""

import os
from pathlib import Path
from typing import Any

import streamlit as st

from hazecast.air.clock import parse_utc
from hazecast.dashboard import words
from hazecast.dashboard.canvas import span
from hazecast.dashboard.chart import fan_chart
from hazecast.dashboard.client import Api, ApiDown, ApiProblem
from hazecast.dashboard.view import View, load_view

DEFAULT_API_URL = "http://127.0.0.1:8000"

ICON = Path(__file__).with_name("icon.svg")

connect = st.cache_resource(Api)


def show_page(api: Api) -> None:
    """The whole page."""
    status, stations = api.status(), api.stations()
    if not stations:
        st.title("Hazecast")
        st.info("**No stations yet.** `hazecast collect` fetches them with their observations.")
        return
    station, pollutant = choose(stations)
    st.header(words.plain(station["name"]), anchor=False)
    if pollutant is None:
        st.info("**Nothing measured here yet.** `hazecast collect` fetches observations.")
        return
    show_view(load_view(api, station, pollutant, now=parse_utc(status["now"])), status)


def choose(stations: list[dict[str, Any]]) -> tuple[dict[str, Any], str | None]:
    """The station and pollutant chosen here or in the address (`?station=…&pollutant=…`)."""
    by_id = {station["station_id"]: station for station in sorted(stations, key=lambda one: not one["pollutants"])}
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        asked = asked_for("station", list(by_id))
        labels = words.station_labels(stations)
        station_id = st.selectbox("Station", list(by_id), index=asked, format_func=labels.__getitem__)
    pollutants = by_id[station_id]["pollutants"]
    if not pollutants:
        st.query_params.from_dict({"station": station_id})
        return by_id[station_id], None
    with right:
        default = pollutants[asked_for("pollutant", pollutants)]
        pollutant = st.segmented_control(
            "Pollutant", pollutants, default=default, required=True, format_func=words.pollutant_label
        )
    st.query_params.from_dict({"station": station_id, "pollutant": pollutant})
    return by_id[station_id], pollutant


def asked_for(name: str, options: list[str]) -> int:
    """Position of what the address asks for; the first when it asks for nothing that exists."""
    asked = st.query_params.get(name)
    return options.index(asked) if asked in options else 0


def show_view(view: View, status: dict[str, Any]) -> None:
    """Everything about the chosen series, the warnings first."""
    st.caption(words.plain(words.subtitle(view)))
    for banner in words.banners(view, clock_replayed=status["clock_replayed"]):
        show = st.warning if banner.severe else st.info
        show(f"**{banner.word}.** {words.plain(banner.text)}", icon=":material/warning:" if banner.severe else None)
    if view.forecast is None:
        st.info(f"**No forecast yet.** {view.missing}")
    show_tiles(view)
    canvas = span(view)
    st.altair_chart(fan_chart(canvas, dark=st.context.theme.type == "dark"), width="stretch")
    for note in words.chart_notes(view, canvas.limits_above):
        st.caption(words.plain(note))
    show_table(view)
    st.caption(words.plain(words.trust(view, status["scores"])))
    st.caption(words.attribution(view))


def show_tiles(view: View) -> None:
    """The numbers most people come for."""
    tiles = words.tiles(view)
    for column, tile in zip(st.columns(len(tiles)), tiles, strict=True):
        column.metric(tile.label, tile.value, tile.note, delta_color="off", delta_arrow="off", border=True)


def show_table(view: View) -> None:
    """The rows behind the chart, to read and to take away."""
    table = view.table()
    parts = ["hazecast", *(["simulated"] if view.simulated else []), view.station["station_id"], view.pollutant]
    file_name = "_".join(parts).replace("/", "-") + ".csv"
    with st.expander("Table of what is shown"):
        st.dataframe(table, hide_index=True, placeholder="")
        st.download_button("Download as CSV", table.write_csv(), file_name, "text/csv")


def show_down(url: str, reason: str) -> None:
    """The API does not answer: what was tried and what to do."""
    st.title("Hazecast")
    st.error(f"**The API does not answer** at `{url}` ({words.plain(reason)}).", icon=":material/cloud_off:")
    st.markdown(
        "Nothing can be shown without it. `hazecast up` starts everything on this machine, `hazecast serve` the API "
        "alone; if it runs elsewhere, start the dashboard with `HAZECAST_API_URL` set to its address."
    )
    st.button("Try again", type="primary")


def show_problem(problem: ApiProblem) -> None:
    """The API answers but cannot serve."""
    st.title("Hazecast")
    st.error(f"**{words.plain(problem.title)}.** {words.plain(problem.detail)}")
    st.button("Try again", type="primary")


def main() -> None:
    """Show the page, or say why there is none."""
    st.set_page_config(page_title="Hazecast", page_icon=str(ICON), layout="wide")
    url = os.environ.get("HAZECAST_API_URL", DEFAULT_API_URL)
    try:
        show_page(connect(url))
    except ApiDown as down:
        show_down(url, str(down))
    except ApiProblem as problem:
        show_problem(problem)


if __name__ == "__main__":
    main()
