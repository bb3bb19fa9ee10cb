"""The Trust page: what became of the forecasts that were issued, by lead, quantile and station."""

from datetime import timedelta
from typing import Any

import polars as pl
import streamlit as st

from hazecast.dashboard.choices import choose_from_row
from hazecast.dashboard.evidence import BLOCKS, reliability_chart, skill_chart
from hazecast.dashboard.frame import plain, show_nothing
from hazecast.dashboard.past import show_past
from hazecast.dashboard.tables import show_table, shown_as
from hazecast.dashboard.visit import Visit, pollutant_label, station_labels

SPANS_DAYS = (7, 30, 90, 365)
USUAL_DAYS = "30"
HERE, EVERYWHERE = "here", "everywhere"
BY_LEAD = ("lead_block", "n", "mae", "rmse", "bias", "crps", "rmae", "rmae_persistence", "rmae_background")
COVERAGES = ("coverage_50", "coverage_80", "coverage_90")
LIMITS = tuple(f"{measure}_{limit}" for limit in ("who", "eu") for measure in ("n_above", "pod", "far", "csi", "brier"))
BY_STATION = ("station_id", "n", "mae", "rmae", "coverage_80")


def show_trust(visit: Visit) -> None:
    """Verification of the chosen pollutant, and one past forecast beside what happened."""
    words = visit.words
    st.title(words.say("page.trust"), anchor=False)
    if visit.pollutant is None:
        show_nothing(words.say("empty.station"), words.say("empty.station_remedy"))
        return
    days, where = _choose_scope(visit)
    asked = {"pollutant": visit.pollutant, "since": _since(visit, days)}
    at = {"station_id": visit.station["station_id"]} if where == HERE else {}
    groups = visit.api.ask_all("verification", "groups", by="lead_block", **asked, **at)
    if not any(group["n"] for group in groups):
        show_nothing(words.say("empty.verification"), words.say("empty.verification_remedy"))
    else:
        _show_leads(visit, groups)
        _show_quantiles(visit, visit.api.ask_all("verification", "groups", by="pollutant", **asked, **at)[0])
        _show_stations(visit, visit.api.ask_all("verification", "groups", by="station_id", **asked))
    show_past(visit, visit.pollutant)


def _choose_scope(visit: Visit) -> tuple[int, str]:
    """How many days of issue, and at which stations."""
    words = visit.words
    with st.container(horizontal=True, vertical_alignment="bottom"):
        spans = {str(days): str(days) for days in SPANS_DAYS}
        days = choose_from_row(words.say("choose.days"), spans, name="days", default=USUAL_DAYS)
        places = {name: words.say(f"trust.{name}") for name in (HERE, EVERYWHERE)}
        return int(days), choose_from_row(words.say("choose.where"), places, name="where")


def _since(visit: Visit, days: int) -> str:
    return f"{visit.now - timedelta(days=days):%Y-%m-%dT00:00:00Z}"


def _show_leads(visit: Visit, groups: list[dict[str, Any]]) -> None:
    words = visit.words
    st.header(words.say("trust.leads"), anchor=False)
    ordered = sorted(groups, key=lambda group: BLOCKS.index(group["lead_block"]))
    frame = shown_as(ordered, BY_LEAD)
    st.altair_chart(skill_chart(visit, frame), width="stretch", alt=words.say("trust.leads_description"))
    st.caption(words.say("trust.leads_note"))
    with st.expander(words.say("table.title")):
        show_table(visit, shown_as(ordered, (*BY_LEAD, *COVERAGES, *LIMITS)), name=f"leads_{visit.pollutant}")


def _show_quantiles(visit: Visit, group: dict[str, Any]) -> None:
    words = visit.words
    st.header(words.say("trust.certainty"), anchor=False)
    left, right = st.columns([3, 2])
    with left:
        alt = words.say("trust.reliability_description")
        st.altair_chart(reliability_chart(visit, group), width="stretch", alt=alt)
    with right:
        for name in COVERAGES:
            promised = int(name.removeprefix("coverage_"))
            st.metric(words.say("trust.coverage", promised=promised), words.percent(group[name]), border=True)
    st.caption(words.say("trust.certainty_note", n=words.number(group["n"])))


def _show_stations(visit: Visit, groups: list[dict[str, Any]]) -> None:
    words, labels = visit.words, station_labels(visit.stations)
    st.header(words.say("trust.stations", pollutant=plain(pollutant_label(str(visit.pollutant)))), anchor=False)
    named = [{**group, "station_id": labels.get(group["station_id"], group["station_id"])} for group in groups]
    table = shown_as(named, BY_STATION).with_columns(pl.col("mae", "rmae", "coverage_80").round(2))
    show_table(visit, table, name=f"stations_{visit.pollutant}")
