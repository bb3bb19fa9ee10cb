"""What is around every page: warnings above, credits below, and what stands where nothing can be shown."""

import re
from typing import NamedTuple

import streamlit as st

from hazecast.dashboard.client import ApiProblem
from hazecast.dashboard.language import Language
from hazecast.dashboard.visit import Visit


class Banner(NamedTuple):
    """Something everybody must know before believing a number; `severe` when the forecast itself suffers."""

    word: str
    text: str
    severe: bool


def plain(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!$~:|<>])", r"\\\1", text)


def banners(visit: Visit) -> list[Banner]:
    """Whatever applies, the gravest last."""
    words, found = visit.words, []
    if visit.simulated:
        found.append(Banner(words.say("banner.simulated"), words.say("banner.simulated_text"), False))
    if visit.status["clock_replayed"]:
        moment = f"{words.time(visit.now, visit.zone)} {visit.now.astimezone(visit.zone):%Y}"
        found.append(Banner(words.say("banner.replayed"), words.say("banner.replayed_text", moment=moment), False))
    if visit.forecast and visit.forecast["status"] != "ok":
        status, age = visit.forecast["status"], words.age(visit.forecast["forecast_age_hours"])
        found.append(Banner(words.say(f"banner.{status}"), words.say(f"banner.{status}_text", age=age), True))
    return found


def show_banners(visit: Visit) -> None:
    """The warnings that stand above every page."""
    for banner in banners(visit):
        show = st.warning if banner.severe else st.info
        show(f"**{banner.word}.** {plain(banner.text)}", icon=":material/warning:" if banner.severe else None)


def show_credits(visit: Visit) -> None:
    """Whom to credit, and what the numbers are not."""
    words = visit.words
    parts = [words.say("credits.observations", attribution=visit.station["attribution"])]
    if not visit.simulated:
        parts.append(words.say("credits.preliminary"))
    parts.append(words.say("credits.forecasts"))
    st.caption(plain(" ".join(parts)))


def show_nothing(what: str, remedy: str = "") -> None:
    """An empty place says what belongs there and what brings it."""
    st.info(f"**{what}** {remedy}")


def show_down(words: Language, url: str, reason: str) -> None:
    """The API does not answer: what was tried and what to do."""
    st.title("Hazecast", anchor=False)
    st.error(f"**{words.say('down.title')}** `{url}` ({plain(reason)})", icon=":material/cloud_off:")
    st.markdown(words.say("down.remedy"))
    st.button(words.say("down.again"), type="primary")


def show_problem(words: Language, problem: ApiProblem) -> None:
    """The API answers but cannot serve."""
    st.title("Hazecast", anchor=False)
    st.error(f"**{plain(problem.title)}.** {plain(problem.detail)}")
    st.button(words.say("down.again"), type="primary")
