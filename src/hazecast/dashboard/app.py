"""The dashboard: banners and selections on top, then one of five pages.

Run with `python -m hazecast.dashboard`, or with `streamlit run`. It uses the API at HAZECAST_API_URL only.
"""

from collections.abc import Callable
from pathlib import Path

# Altair looks for these among the imported modules, and fails on one that another visitor's thread is importing.
import pandas  # noqa: F401, TID251
import pyarrow  # noqa: F401
import streamlit as st
import structlog
from streamlit.navigation.page import Page

from hazecast.client import ApiProblem, ApiUnreachable, Client
from hazecast.dashboard.context import PageContext, current_language, select_context, select_language
from hazecast.dashboard.layout import (
    show_banners,
    show_credits,
    show_empty,
    show_failure,
    show_problem,
    show_unreachable,
)
from hazecast.dashboard.screens.data import show_data
from hazecast.dashboard.screens.forecast import show_forecast
from hazecast.dashboard.screens.now import show_now
from hazecast.dashboard.screens.operations import show_operations
from hazecast.dashboard.screens.verification import show_verification
from hazecast.i18n import Language
from hazecast.settings import load_settings

API_TIMEOUT_SECONDS = 15.0
ICON = Path(__file__).with_name("icon.svg")
SCREENS: dict[str, tuple[str, Callable[[PageContext], None]]] = {
    "now": (":material/today:", show_now),
    "forecast": (":material/show_chart:", show_forecast),
    "verification": (":material/verified:", show_verification),
    "data": (":material/sensors:", show_data),
    "operations": (":material/settings:", show_operations),
}
# Former addresses of pages, kept for links and bookmarks.
ALIASES = {"trust": "verification"}

log = structlog.get_logger()


def _connect(url: str, key: str = "") -> Client:
    # Without proxies: the API is part of the installation.
    return Client(url, key=key or None, timeout_seconds=API_TIMEOUT_SECONDS, trust_env=False)


# One client for all sessions.
connect = st.cache_resource(_connect)


def show(api: Client, language: Language) -> None:
    """Draw the selections and the page of the address."""
    # Navigation before selections: a selection made while no page is known would lead to the first page.
    page = _navigation(language, lambda: context)
    status = api.status()
    stations = list(api.stations()) if status.n_stations else []
    selections = st.container(horizontal=True, vertical_alignment="bottom")
    with selections:
        select_language()
    if not stations:
        show_empty(language.t("empty.stations"), language.t("empty.stations_remedy"))
        return
    with selections:
        context = select_context(api, language, status=status, stations=stations)
    show_banners(context)
    with st.spinner(language.t("page.loading")):
        page.run()
    show_credits(context)


def _navigation(language: Language, context: Callable[[], PageContext]) -> Page:
    pages = [_page(name, name, language, context) for name in SCREENS]
    aliases = [_page(address, name, language, context, visibility="hidden") for address, name in ALIASES.items()]
    return st.navigation([*pages, *aliases], position="top")


def _page(
    address: str, name: str, language: Language, context: Callable[[], PageContext], *, visibility: str = "visible"
) -> Page:
    icon, screen = SCREENS[name]

    def run() -> None:
        screen(context())

    title = language.t(f"page.{name}")
    return st.Page(run, title=title, icon=icon, url_path=address, default=name == "now", visibility=visibility)


def main() -> None:
    """Draw the page, or the reason why it cannot be drawn."""
    st.set_page_config(page_title="Hazecast", page_icon=str(ICON), layout="wide")
    settings, language = load_settings(), current_language()
    url = settings.api_address
    try:
        show(connect(url, settings.api_key.get_secret_value()), language)
    except ApiUnreachable as error:
        show_unreachable(language, url, str(error))
    except ApiProblem as error:
        show_problem(language, error.problem)
    except Exception as error:
        log.error("page failed", exc_info=error)
        show_failure(language)


if __name__ == "__main__":
    main()
