"""The dashboard: choices and warnings on top, then one of five pages.

Run by `streamlit run`; speaks to the API at HAZECAST_API_URL and to nothing else.
"""

import os
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from hazecast.dashboard.client import Api, ApiDown, ApiProblem
from hazecast.dashboard.frame import show_banners, show_credits, show_down, show_nothing, show_problem
from hazecast.dashboard.language import Language
from hazecast.dashboard.screens.data import show_data
from hazecast.dashboard.screens.forecast import show_forecast
from hazecast.dashboard.screens.now import show_now
from hazecast.dashboard.screens.operations import show_operations
from hazecast.dashboard.screens.trust import show_trust
from hazecast.dashboard.visit import Visit, choose_language, choose_visit, language_asked_for

DEFAULT_API_URL = "http://127.0.0.1:8000"
ICON = Path(__file__).with_name("icon.svg")
SCREENS: dict[str, tuple[str, Callable[[Visit], None]]] = {
    "now": (":material/today:", show_now),
    "forecast": (":material/show_chart:", show_forecast),
    "trust": (":material/verified:", show_trust),
    "data": (":material/sensors:", show_data),
    "operations": (":material/settings:", show_operations),
}

connect = st.cache_resource(Api)


def show(api: Api, words: Language) -> None:
    """The choices and the page that the address names."""
    # The pages before the choices: a choice made while no page is known yet would lead to the first of them.
    chosen = st.navigation([_page(name, words, lambda: visit) for name in SCREENS], position="top")
    status, stations = api.status(), api.stations()
    choices = st.container(horizontal=True, vertical_alignment="bottom")
    with choices:
        choose_language()
    if not stations:
        show_nothing(words.say("empty.stations"), words.say("empty.stations_remedy"))
        return
    with choices:
        visit = choose_visit(api, words, status=status, stations=stations)
    show_banners(visit)
    with st.spinner(words.say("page.loading")):
        chosen.run()
    show_credits(visit)


def _page(name: str, words: Language, visit: Callable[[], Visit]) -> Page:
    icon, screen = SCREENS[name]

    def run() -> None:
        screen(visit())

    return st.Page(run, title=words.say(f"page.{name}"), icon=icon, url_path=name, default=name == "now")


def main() -> None:
    """Show the page, or say why there is none."""
    st.set_page_config(page_title="Hazecast", page_icon=str(ICON), layout="wide")
    url, words = os.environ.get("HAZECAST_API_URL", DEFAULT_API_URL), language_asked_for()
    try:
        show(connect(url), words)
    except ApiDown as down:
        show_down(words, url, str(down))
    except ApiProblem as problem:
        show_problem(words, problem)


if __name__ == "__main__":
    main()
