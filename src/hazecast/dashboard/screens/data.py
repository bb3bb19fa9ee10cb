"""The Data page: age, completeness and flags of the observations, and sensors with warnings."""

from collections.abc import Iterable
from typing import Any

import polars as pl
import streamlit as st
from pydantic import BaseModel

from hazecast.air.clock import HOUR
from hazecast.dashboard.charts.hours import observation_states, states_chart
from hazecast.dashboard.context import PageContext, optional, pollutant_label, station_labels
from hazecast.dashboard.layout import escape_markdown, records, show_empty, show_table, table_of
from hazecast.i18n import NO_VALUE

SENSOR_CHECKS = ("source", "freshness", "completeness", "silent", "stuck", "neighbours")
WARNINGS = ("warning", "critical")
QUALITY = (
    "station_id",
    "pollutant",
    "n_expected",
    "n_observed",
    "completeness",
    "n_suspicious",
    "n_invalid",
    "reasons",
)
SENSORS = ("verdict", "check", "subject", "reason")


def show_data(context: PageContext) -> None:
    """Age and completeness, the hours of the station, all series of the latest check, and sensors with warnings."""
    st.title(context.t("page.data"), anchor=False)
    _show_summary(context)
    st.header(context.t("data.hours", station=escape_markdown(context.station.name)), anchor=False)
    _show_hours(context)
    st.header(context.t("data.series"), anchor=False)
    _show_quality(context)
    st.header(context.t("data.sensors"), anchor=False)
    _show_sensors(context)


def _show_summary(context: PageContext) -> None:
    language, status = context.language, context.status
    newest, quality = status.newest_observed_at, status.quality
    age = NO_VALUE if newest is None else language.age((context.now - newest) / HOUR - 1)
    first, *others = st.columns(4)
    first.metric(context.t("data.newest"), age, border=True)
    if quality is None:
        others[0].metric(context.t("data.checked"), NO_VALUE, border=True)
        return
    labels = station_labels(context.stations)
    station_id, pollutant = quality.worst_station_id, pollutant_label(quality.worst_pollutant)
    worst = f"{labels.get(station_id, station_id)}, {pollutant}"
    others[0].metric(context.t("data.suspicious"), language.percent(quality.share_suspicious), border=True)
    others[1].metric(context.t("data.invalid"), language.percent(quality.share_invalid), border=True)
    complete = language.percent(quality.worst_completeness)
    others[2].metric(context.t("data.worst"), complete, worst, delta_color="off", delta_arrow="off", border=True)


def _show_hours(context: PageContext) -> None:
    if not context.station.pollutants:
        show_empty(context.t("empty.station"), context.t("empty.station_remedy"))
        return
    states = observation_states(context)
    st.altair_chart(states_chart(context, states), width="stretch", alt=context.t("data.hours_description"))
    st.caption(context.t("data.hours_note"))
    with st.expander(context.t("table.title")):
        show_table(context, _with_utc(states), name=f"{context.station.station_id}_hours")


def _with_utc(states: pl.DataFrame) -> pl.DataFrame:
    utc = pl.col("hour_start").dt.strftime("%Y-%m-%dT%H:%MZ").alias("hour_start_utc")
    return states.rename({"state": "flag"}).select(utc, pl.exclude("hour_start"))


def _show_quality(context: PageContext) -> None:
    quality = optional(context.api.quality)
    if quality is None or not quality.series:
        show_empty(context.t("empty.quality"), context.t("empty.quality_remedy"))
        return
    show_table(context, table_of(records(quality.series), QUALITY), name="quality")


def _show_sensors(context: PageContext) -> None:
    health = optional(context.api.health_verdicts)
    if health is None or not health.verdicts:
        show_empty(context.t("empty.verdicts"), context.t("empty.verdicts_remedy"))
        return
    warnings = [one for one in health.verdicts if one.check in SENSOR_CHECKS and one.verdict in WARNINGS]
    if not warnings:
        st.success(context.t("data.no_warnings"), icon=":material/check_circle:")
        return
    show_table(context, table_of(translated_verdicts(context, warnings), SENSORS), name="sensors")


def translated_verdicts(context: PageContext, verdicts: Iterable[BaseModel]) -> list[dict[str, Any]]:
    """One row per model with its field `verdict` in the selected language."""
    return [{**row, "verdict": context.t(f"verdict.{row['verdict']}")} for row in records(verdicts)]
