"""The Operations page: models and who is in charge, verdicts, drift, retraining, runs and alerts."""

import os
from typing import Any

import polars as pl
import streamlit as st

from hazecast.air.clock import parse_utc
from hazecast.dashboard.frame import plain, show_nothing
from hazecast.dashboard.language import NOTHING
from hazecast.dashboard.tables import rows_of, show_table, shown_as
from hazecast.dashboard.visit import Visit

LINKS = {"MLflow": "HAZECAST_MLFLOW_PAGE", "Prefect": "HAZECAST_PREFECT_PAGE"}
VERSIONS = ("version", "aliases", "registered_at", "run_id")
CHANGES = ("at", "action", "version", "replaced", "by", "reason")
ALERTS = ("state", "severity", "summary", "reason", "opened_at", "resolved_at")
VERDICTS = ("verdict", "check", "subject", "reason")
DRIFT = ("station_id", "variable", "verdict", "psi", "usual_psi", "reason")
RETRAINS = ("checked_at", "justified", "reasons")
RUNS = ("started_at", "step", "outcome", "summary")
WORRYING = ("critical", "warning")
MOST_RUNS = 50


def show_operations(visit: Visit) -> None:
    """Everything somebody who runs Hazecast looks at first."""
    st.title(visit.words.say("page.operations"), anchor=False)
    _show_links()
    health = visit.api.ask("health-verdicts")
    _show_models(visit)
    _show_list(visit, "alerts", _first_page(visit, "alerts"), ALERTS)
    _show_verdicts(visit, health)
    _show_list(visit, "drift", rows_of(health, "drift"), DRIFT)
    _show_list(visit, "retrains", rows_of(health, "retrains"), RETRAINS)
    _show_list(visit, "runs", _first_page(visit, "runs")[:MOST_RUNS], RUNS)


def _show_links() -> None:
    """Where MLflow and Prefect can be seen, as far as this dashboard was told."""
    known = {name: os.environ.get(variable, "") for name, variable in LINKS.items()}
    with st.container(horizontal=True):
        for name, address in known.items():
            if address:
                st.link_button(name, address, icon=":material/open_in_new:")


def _show_models(visit: Visit) -> None:
    words, models = visit.words, visit.api.ask("models")
    st.header(words.say("operations.models"), anchor=False)
    if models is None:
        show_nothing(words.say("empty.models"), words.say("empty.models_remedy"))
        return
    if models["registry"] != "ok":
        st.warning(words.say(f"registry.{models['registry']}"), icon=":material/warning:")
    for column, role in zip(st.columns(3), ("champion", "challenger", "serving"), strict=True):
        column.metric(words.say(f"operations.{role}"), models[role] or NOTHING, border=True)
    for name, columns in (("versions", VERSIONS), ("changes", CHANGES)):
        if models[name]:
            st.subheader(words.say(f"operations.{name}"), anchor=False)
            show_table(visit, _local(visit, models[name], columns), name=name)


def _show_verdicts(visit: Visit, health: dict[str, Any] | None) -> None:
    words, verdicts = visit.words, rows_of(health, "verdicts")
    st.header(words.say("operations.verdicts"), anchor=False)
    if health is None or not verdicts:
        show_nothing(words.say("empty.verdicts"), words.say("empty.verdicts_remedy"))
        return
    worrying = [one for one in verdicts if one["verdict"] in WORRYING]
    checked = words.time(parse_utc(health["checked_at"]), visit.zone)
    counted = words.say("operations.checked", n=len(verdicts), worrying=len(worrying), when=checked)
    (st.warning if worrying else st.success)(plain(counted))
    ordered = sorted(verdicts, key=lambda one: (*WORRYING, "unknown", "ok").index(one["verdict"]))
    told = [{**one, "verdict": words.say(f"verdict.{one['verdict']}")} for one in ordered]
    show_table(visit, shown_as(told, VERDICTS), name="verdicts")


def _show_list(visit: Visit, name: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    words = visit.words
    st.header(words.say(f"operations.{name}"), anchor=False)
    if rows:
        show_table(visit, _local(visit, rows, columns), name=name)
    else:
        show_nothing(words.say(f"empty.{name}"))


def _first_page(visit: Visit, name: str) -> list[dict[str, Any]]:
    return rows_of(visit.api.ask(name), name)


def _local(visit: Visit, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pl.DataFrame:
    """The columns of `rows`, moments in words of the station's time."""
    moments = [name for name in columns if name == "at" or name.endswith("_at")]
    told = [
        {**row, **{name: visit.words.time(parse_utc(row[name]), visit.zone) for name in moments if row[name]}}
        for row in rows
    ]
    return shown_as(told, columns)
