"""The Data page: how fresh and complete the observations are, what is doubted and which sensors are in doubt."""

from typing import Any

import polars as pl
import streamlit as st

from hazecast.air.clock import HOUR, parse_utc
from hazecast.dashboard.frame import plain, show_nothing
from hazecast.dashboard.gaps import gap_chart, observed_states
from hazecast.dashboard.language import NOTHING
from hazecast.dashboard.tables import rows_of, show_table, shown_as
from hazecast.dashboard.visit import Visit, station_labels

SENSOR_CHECKS = ("source", "freshness", "completeness", "silent", "stuck", "neighbours")
SERIES = ("station_id", "pollutant", "n_expected", "n_observed", "completeness", "n_suspicious", "n_invalid", "reasons")
VERDICT = ("verdict", "check", "subject", "reason")


def show_data(visit: Visit) -> None:
    """Freshness of everything, the hours of one station, all series checked and sensors in doubt."""
    words = visit.words
    st.title(words.say("page.data"), anchor=False)
    _show_summary(visit)
    st.header(words.say("data.hours", station=plain(visit.station["name"])), anchor=False)
    _show_hours(visit)
    st.header(words.say("data.series"), anchor=False)
    _show_series(visit)
    st.header(words.say("data.doubts"), anchor=False)
    _show_doubts(visit)


def _show_summary(visit: Visit) -> None:
    words, status = visit.words, visit.status
    newest, quality = status["newest_observed_at"], status["quality"]
    age = NOTHING if newest is None else words.age((visit.now - parse_utc(newest)) / HOUR - 1)
    first, *others = st.columns(4)
    first.metric(words.say("data.newest"), age, border=True)
    if quality is None:
        others[0].metric(words.say("data.checked"), NOTHING, border=True)
        return
    labels = station_labels(visit.stations)
    worst = f"{labels.get(quality['worst_station_id'], quality['worst_station_id'])}, {quality['worst_pollutant']}"
    others[0].metric(words.say("data.suspicious"), words.percent(quality["share_suspicious"]), border=True)
    others[1].metric(words.say("data.invalid"), words.percent(quality["share_invalid"]), border=True)
    complete = words.percent(quality["worst_completeness"])
    others[2].metric(words.say("data.worst"), complete, worst, delta_color="off", delta_arrow="off", border=True)


def _show_hours(visit: Visit) -> None:
    words = visit.words
    if not visit.station["pollutants"]:
        show_nothing(words.say("empty.station"), words.say("empty.station_remedy"))
        return
    states = observed_states(visit)
    st.altair_chart(gap_chart(visit, states), width="stretch", alt=words.say("data.hours_description"))
    st.caption(words.say("data.hours_note"))
    with st.expander(words.say("table.title")):
        show_table(visit, _stamped(states), name=f"{visit.station['station_id']}_hours")


def _stamped(states: pl.DataFrame) -> pl.DataFrame:
    return states.with_columns(pl.col("hour_start").dt.strftime("%Y-%m-%dT%H:%MZ").alias("hour_start_utc")).select(
        "hour_start_utc", pl.exclude("hour_start", "hour_start_utc")
    )


def _show_series(visit: Visit) -> None:
    words, rows = visit.words, rows_of(visit.api.ask("quality"), "series")
    if not rows:
        show_nothing(words.say("empty.quality"), words.say("empty.quality_remedy"))
        return
    show_table(visit, shown_as(rows, SERIES), name="quality")


def _show_doubts(visit: Visit) -> None:
    words, verdicts = visit.words, rows_of(visit.api.ask("health-verdicts"), "verdicts")
    if not verdicts:
        show_nothing(words.say("empty.verdicts"), words.say("empty.verdicts_remedy"))
        return
    doubted = [one for one in verdicts if one["check"] in SENSOR_CHECKS and one["verdict"] in ("warning", "critical")]
    if not doubted:
        st.success(words.say("data.no_doubts"), icon=":material/check_circle:")
        return
    show_table(visit, shown_as(_told(visit, doubted), VERDICT), name="doubts")


def _told(visit: Visit, verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "verdict": visit.words.say(f"verdict.{one['verdict']}")} for one in verdicts]
